"""The training loop that suits most methods: `transformers`' Trainer, with our batches, clocks and checkpoints."""

from __future__ import annotations

import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import DataCollatorForSeq2Seq, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from tunegrid.tokenise import labelled
from tunegrid.training.batches import SeededSampler, TokenDataset
from tunegrid.training.session import Diverged, TrainingSession, TrainingSummary

CHECKPOINT, COUNTS = "trainable.safetensors", "counts.json"


def fit(session: TrainingSession) -> TrainingSummary:
    """Trains `session.model` in place, from the session's last checkpoint if there is one.

    Raises:
        Diverged: the loss became infinite or not a number.
    """
    trainer = GridTrainer(session)
    trainer.start = time.perf_counter()
    try:
        trainer.train(resume_from_checkpoint=last_checkpoint(session.checkpoints))
        validation = trainer.evaluate()
        if not math.isfinite(validation["eval_loss"]):
            raise Diverged(f"the validation loss is {validation['eval_loss']} after {trainer.state.global_step} steps")
    except Diverged as error:
        error.history = _history(trainer.state.log_history)
        raise
    summary = trainer.summary
    summary.steps = trainer.state.global_step
    summary.optimisation_seconds = trainer.optimisation_seconds()
    summary.source_tokens, summary.target_tokens = int(trainer.source_tokens), int(trainer.target_tokens)
    summary.history = _history(trainer.state.log_history)
    shutil.rmtree(session.checkpoints, ignore_errors=True)
    return summary


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end; a job can be killed while it writes one."""
    complete = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json") if _is_json(state)]
    newest = max(complete, key=lambda checkpoint: int(checkpoint.name.removeprefix("checkpoint-")), default=None)
    return None if newest is None else str(newest)


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except ValueError:
        return False
    return True


class GridTrainer(Trainer):
    """The Trainer for any method: only trainable tensors are checkpointed, and each kind of work is timed apart."""

    def __init__(self, session: TrainingSession) -> None:
        self.session = session
        self.summary = TrainingSummary()
        # Tensors, so that counting does not wait for the GPU.
        self.source_tokens = self.target_tokens = torch.zeros((), dtype=torch.int64)
        self.start, self.earlier_seconds = time.perf_counter(), 0.0
        super().__init__(
            model=session.model,
            args=training_arguments(session),
            train_dataset=TokenDataset(session.train),
            eval_dataset=TokenDataset(labelled(session.validation)),
            data_collator=DataCollatorForSeq2Seq(session.tokenizer, model=session.model),
            callbacks=[ProgressLine()],
        )
        self.remove_callback(PrinterCallback)  # ProgressLine says the same, readably
        # The adapters library hides the model's signature: T5 would be given an argument that it does not take.
        self.model_accepts_loss_kwargs = False

    def _get_train_sampler(self, train_dataset: TokenDataset | None = None) -> SeededSampler:
        dataset = train_dataset or self.train_dataset
        training = self.session.training
        return SeededSampler(dataset.lengths(), training.batch_size, self.session.seed, training.length_buckets)

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **_: Any) -> Any:
        if not return_outputs and (loss := self.session.method.loss(model, inputs)) is not None:
            return loss
        return super().compute_loss(model, inputs, return_outputs=return_outputs)

    def training_step(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> torch.Tensor:
        self.source_tokens = self.source_tokens + inputs["attention_mask"].sum()
        self.target_tokens = self.target_tokens + (inputs["labels"] != -100).sum()
        self.summary.examples += len(inputs["labels"])
        return super().training_step(model, inputs, *arguments, **options)

    def optimisation_seconds(self) -> float:
        """Seconds of training so far, those before an interruption included, less what else took time."""
        others = self.summary.evaluation_seconds + self.summary.saving_seconds
        return self.earlier_seconds + time.perf_counter() - self.start - others

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        start = time.perf_counter()
        try:
            return super().evaluate(*arguments, **options)
        finally:
            self.summary.evaluation_seconds += time.perf_counter() - start

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        start = time.perf_counter()
        super()._save_checkpoint(*arguments, **options)
        self.summary.saving_seconds += time.perf_counter() - start

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        counts = {
            "examples": self.summary.examples,
            "source_tokens": int(self.source_tokens),
            "target_tokens": int(self.target_tokens),
            "optimisation_seconds": self.optimisation_seconds(),
        }
        (folder / COUNTS).write_text(json.dumps(counts))
        tensors = {name: tensor.detach() for name, tensor in self.model.named_parameters() if tensor.requires_grad}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / CHECKPOINT)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        tensors = load_file(Path(resume_from_checkpoint) / CHECKPOINT)
        _, unexpected = (model or self.model).load_state_dict(tensors, strict=False)
        if unexpected:
            raise ValueError(f"{resume_from_checkpoint}: not a checkpoint of this model: it holds {unexpected[:3]}")
        # What the run did before it was interrupted is part of its cost.
        counts = json.loads((Path(resume_from_checkpoint) / COUNTS).read_text())
        self.summary.examples = counts["examples"]
        self.source_tokens = self.source_tokens + counts["source_tokens"]
        self.target_tokens = self.target_tokens + counts["target_tokens"]
        self.earlier_seconds = counts["optimisation_seconds"]


def training_arguments(session: TrainingSession) -> TrainingArguments:
    """A session's settings in `transformers`' own words."""
    training = session.training
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
        warmup_ratio=training.warmup_ratio,
        weight_decay=training.weight_decay,
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        max_grad_norm=training.max_grad_norm,
        label_smoothing_factor=training.label_smoothing,
        logging_steps=training.logging_steps,
        eval_strategy="steps" if training.evaluation_steps else "no",
        eval_steps=training.evaluation_steps,
        save_strategy="steps" if training.checkpoint_steps else "no",
        save_steps=training.checkpoint_steps or 500,
        save_total_limit=2,
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


class ProgressLine(TrainerCallback):
    """One line of the log now and then: where the run is, how fast, and how long it still takes."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.start, self.first_step = time.perf_counter(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        logs = logs or {}
        if "eval_loss" in logs:
            print(f"step {state.global_step}/{state.max_steps}  validation loss {logs['eval_loss']:.4f}", flush=True)
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]) or not math.isfinite(logs.get("grad_norm", 0.0)):
            norm = logs.get("grad_norm")
            raise Diverged(f"at step {state.global_step} the loss is {logs['loss']}, the gradient's norm {norm}")
        speed = (state.global_step - self.first_step) / (time.perf_counter() - self.start)
        left = (state.max_steps - state.global_step) / speed
        place = f"step {state.global_step}/{state.max_steps}"
        print(f"{place}  loss {logs['loss']:.4f}  {speed:.1f} steps/s  {left:.0f} s left", flush=True)


def _history(log: list[dict[str, float]]) -> list[dict[str, float]]:
    renamed = {"grad_norm": "gradient_norm", "eval_loss": "validation_loss"}
    rows = []
    for entry in log:
        if "loss" in entry or "eval_loss" in entry:
            known = ("loss", "learning_rate", "grad_norm", "eval_loss")
            values = {renamed.get(name, name): entry[name] for name in known if name in entry}
            rows.append({"step": entry["step"], "epoch": round(entry["epoch"], 4), **values})
    return rows
