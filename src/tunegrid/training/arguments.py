"""The settings of a session as `transformers`' TrainingArguments."""

from __future__ import annotations

import os

from transformers import TrainingArguments

from tunegrid.training.session import TrainingSession


def training_arguments(session: TrainingSession) -> TrainingArguments:
    """Translates the settings of a session into `transformers`' TrainingArguments."""
    # What is trained is in the study. Of a user's variables for accelerate, ACCELERATE_MIXED_PRECISION would turn fp32
    # into bf16; the arguments of a training in bf16 set it, too, for the next one in the same process.
    for name in [name for name in os.environ if name.startswith("ACCELERATE_")]:
        del os.environ[name]
    training, rows = session.training, len(session.train)
    evaluation_steps, checkpoint_steps = training.evaluation_interval(rows), training.checkpoint_interval(rows)
    selects = training.keep_best or training.early_stopping_patience is not None
    return TrainingArguments(
        output_dir=str(session.checkpoints),
        max_steps=training.max_steps or -1,
        num_train_epochs=training.epochs or 1,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        gradient_checkpointing=training.gradient_checkpointing,
        # The other kind gives no gradients where the embeddings are frozen.
        gradient_checkpointing_kwargs={"use_reentrant": False},
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_ratio=training.warmup_ratio or 0.0,
        warmup_steps=training.warmup_steps or 0,
        weight_decay=training.weight_decay,
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        max_grad_norm=training.max_grad_norm,
        label_smoothing_factor=training.label_smoothing,
        logging_steps=training.logging_steps,
        eval_strategy="steps" if evaluation_steps else "no",
        eval_steps=evaluation_steps,
        save_strategy="steps" if checkpoint_steps else "no",
        save_steps=checkpoint_steps or 500,
        load_best_model_at_end=training.keep_best,
        metric_for_best_model=f"eval_{session.metric.name if session.metric else 'loss'}" if selects else None,
        greater_is_better=session.metric is not None if selects else None,
        bf16=session.precision == "bf16",
        use_cpu=next(session.model.parameters()).device.type == "cpu",
        seed=session.seed,
        data_seed=session.seed,
        # The adapters library hides the model's signature: the Trainer would drop the attention mask as unused.
        remove_unused_columns=False,
        label_names=["labels"],
        prediction_loss_only=True,
        restore_callback_states_from_checkpoint=True,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to=[],
    )
