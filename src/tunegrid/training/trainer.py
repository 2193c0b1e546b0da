"""The training loop that suits most methods: `transformers`' Trainer, with our batches, clocks and checkpoints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import (
    DataCollatorForSeq2Seq,
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerState,
    TrainingArguments,
)

from tunegrid import clock
from tunegrid.errors import TuneGridError
from tunegrid.tokenise import labelled
from tunegrid.training.batches import SeededSampler, TokenDataset
from tunegrid.training.callbacks import Flow, ProgressLine
from tunegrid.training.checkpoints import STATE, checkpoint, is_last, last_checkpoint, seal
from tunegrid.training.selection import selection
from tunegrid.training.session import Diverged, TrainingSession, TrainingSummary

TENSORS, COUNTS = "trainable.safetensors", "counts.json"


def fit(session: TrainingSession) -> TrainingSummary:
    """Trains `session.model` in place, from the session's last checkpoint if there is one.

    Raises:
        Diverged: the loss became infinite or not a number.
        TuneGridError: a checkpoint cannot be written.
    """
    before = last_checkpoint(session.checkpoints, keep_best=session.training.keep_best)
    trainer = GridTrainer(session)
    trainer.start = clock.seconds()
    try:
        if before is not None and is_last(before):
            print(f"the training was at its end; its weights are read from {session.checkpoints}", flush=True)
            trainer.restore(before)
        else:
            if before is not None:
                print(f"an interrupted run: it goes on from {before}", flush=True)
            trainer.train(resume_from_checkpoint=None if before is None else str(before))
        if not trainer.evaluated():
            trainer.evaluate()
    except Diverged as error:
        error.history = trainer.history()
        raise
    return trainer.summary()


class GridTrainer(Trainer):
    """The Trainer for any method: only trainable tensors are checkpointed, and each kind of work is timed apart."""

    def __init__(self, session: TrainingSession) -> None:
        self.session = session
        training = session.training
        # Tensors, so that counting does not wait for the GPU.
        self.source_tokens = self.target_tokens = torch.zeros((), dtype=torch.int64)
        self.loss_sum, self.steps_logged = torch.zeros(()), 0
        self.examples = 0
        self.start, self.evaluation_seconds, self.saving_seconds = clock.seconds(), 0.0, 0.0
        self.earlier = {"optimisation_seconds": 0.0, "evaluation_seconds": 0.0, "saving_seconds": 0.0}
        callbacks = [ProgressLine(), Flow()]
        if training.early_stopping_patience is not None:
            stop = EarlyStoppingCallback(training.early_stopping_patience, training.early_stopping_threshold)
            callbacks.append(stop)
        super().__init__(
            model=session.model,
            args=training_arguments(session),
            train_dataset=TokenDataset(session.train),
            eval_dataset=TokenDataset(labelled(session.validation)),
            data_collator=DataCollatorForSeq2Seq(session.tokenizer, model=session.model),
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)  # ProgressLine says the same, readably
        # The adapters library hides the model's signature: T5 would be given an argument that it does not take.
        self.model_accepts_loss_kwargs = False

    # -- batches and losses -------------------------------------------------------------------------------------------

    def _get_train_sampler(self, train_dataset: TokenDataset | None = None) -> SeededSampler:
        dataset = train_dataset or self.train_dataset
        training = self.session.training
        return SeededSampler(dataset.lengths(), training.batch_size, self.session.seed, training.length_buckets)

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: torch.device) -> tuple[list, Any]:
        batches, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.tokens_of_step = sum((batch["labels"] != -100).sum() for batch in batches)
        return batches, count

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **_: Any) -> Any:
        if return_outputs:  # an evaluation
            return super().compute_loss(model, inputs, return_outputs=True)
        if (loss := self.session.method.loss(model, inputs)) is not None:
            return loss
        tokens = (inputs["labels"] != -100).sum()  # before the labels are taken out, where they are smoothed
        loss = super().compute_loss(model, inputs)
        if (batches := self.current_gradient_accumulation_steps) > 1:
            # The Trainer takes the mean over the batches of a step. Each has to count by its tokens, or the same
            # examples in one batch would give another gradient.
            loss = loss * (batches * tokens / self.tokens_of_step)
        return loss

    def training_step(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> torch.Tensor:
        self.source_tokens = self.source_tokens + inputs["attention_mask"].sum()
        self.target_tokens = self.target_tokens + (inputs["labels"] != -100).sum()
        self.examples += len(inputs["labels"])
        loss = super().training_step(model, inputs, *arguments, **options)
        self.loss_sum = self.loss_sum + loss
        return loss

    def log(self, logs: dict[str, float], *arguments: Any, **options: Any) -> None:
        if "loss" in logs:
            # The Trainer forgets, at an interruption, the steps since the last line.
            steps = self.state.global_step - self.steps_logged
            logs["loss"] = round(self.loss_sum.item() / steps, 4)
            self.loss_sum, self.steps_logged = torch.zeros_like(self.loss_sum), self.state.global_step
        super().log(logs, *arguments, **options)

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        start = clock.seconds()
        try:
            # A DataLoader draws a number when it starts: without this, whoever evaluates gets other dropout.
            with torch.random.fork_rng(devices=[]):
                return super().evaluate(*arguments, **options)
        finally:
            self.evaluation_seconds += clock.seconds() - start

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        output = super().evaluation_loop(*arguments, **options)
        if (metric := self.session.metric) is not None:
            output.metrics[f"eval_{metric.name}"] = metric(self.model)
        return output

    def evaluated(self) -> bool:
        """Whether the weights after the last step were evaluated."""
        return any("eval_loss" in row and row["step"] == self.state.global_step for row in self.state.log_history)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        start = clock.seconds()
        try:
            super()._save_checkpoint(*arguments, **options)
        except (OSError, RuntimeError, SafetensorError) as error:
            # The half of it takes space. Going on would hide, until the very end, that nothing can be saved.
            folder = checkpoint(self.session.checkpoints, self.state.global_step)
            shutil.rmtree(folder, ignore_errors=True)
            raise TuneGridError(
                f"{folder}: the checkpoint of step {self.state.global_step} cannot be written ({error}). "
                "Mend that (is the disk full?) and start again: the run goes on from the checkpoint before."
            ) from error
        self.saving_seconds += clock.seconds() - start

    def _rotate_checkpoints(self, use_mtime: bool = False, output_dir: str | None = None) -> None:
        # The last thing that _save_checkpoint does: sealed first, so that there is always a whole one.
        seal(checkpoint(self.session.checkpoints, self.state.global_step))
        super()._rotate_checkpoints(use_mtime=False, output_dir=output_dir)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        counts = {
            "examples": self.examples,
            "source_tokens": int(self.source_tokens),
            "target_tokens": int(self.target_tokens),
            "loss_sum": self.loss_sum.item(),
            "steps_logged": self.steps_logged,
            **self.seconds(),
        }
        (folder / COUNTS).write_text(json.dumps(counts))
        tensors = {name: tensor.detach() for name, tensor in self.model.named_parameters() if tensor.requires_grad}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / TENSORS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self._load_tensors(Path(resume_from_checkpoint))
        # What the run did before it was interrupted is part of its cost.
        counts = json.loads((Path(resume_from_checkpoint) / COUNTS).read_text())
        self.examples, self.steps_logged = counts["examples"], counts["steps_logged"]
        self.source_tokens = self.source_tokens + counts["source_tokens"]
        self.target_tokens = self.target_tokens + counts["target_tokens"]
        self.loss_sum = self.loss_sum + counts["loss_sum"]
        self.earlier = {name: counts[name] for name in self.earlier}

    def _load_best_model(self) -> None:
        self._load_tensors(checkpoint(self.session.checkpoints, self.state.best_global_step))

    def _load_tensors(self, folder: Path) -> None:
        _, unexpected = self.model.load_state_dict(load_file(folder / TENSORS), strict=False)
        if unexpected:
            raise ValueError(f"{folder}: not a checkpoint of this model: it holds {unexpected[:3]}")

    def restore(self, folder: Path) -> None:
        """The state and the weights that the training ended with, from the checkpoint of its last step."""
        self.state = TrainerState.load_from_json(str(folder / STATE))
        self._load_from_checkpoint(str(folder))
        if self.args.load_best_model_at_end:
            self._load_best_model()

    # -- what it did --------------------------------------------------------------------------------------------------

    def seconds(self) -> dict[str, float]:
        """Seconds of each kind of work so far, those before an interruption included."""
        now = {"evaluation_seconds": self.evaluation_seconds, "saving_seconds": self.saving_seconds}
        now["optimisation_seconds"] = clock.seconds() - self.start - sum(now.values())
        return {name: seconds + self.earlier[name] for name, seconds in now.items()}

    def history(self) -> list[dict[str, float]]:
        """Rows of history.csv."""
        columns = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "gradient_norm"}
        columns["eval_loss"] = "validation_loss"
        if (metric := self.session.metric) is not None:
            columns[f"eval_{metric.name}"] = "validation_metric"
        return [
            {"step": entry["step"], "epoch": round(entry["epoch"], 4)}
            | {column: entry[name] for name, column in columns.items() if name in entry}
            for entry in self.state.log_history
            if "loss" in entry or "eval_loss" in entry
        ]

    def summary(self) -> TrainingSummary:
        history, metric = self.history(), self.session.metric
        return TrainingSummary(
            steps=self.state.global_step,
            examples=self.examples,
            source_tokens=int(self.source_tokens),
            target_tokens=int(self.target_tokens),
            **self.seconds(),
            history=history,
            selection=selection(
                self.session.training, metric and metric.name, history, self.state.global_step, self.state.max_steps
            ),
        )


def training_arguments(session: TrainingSession) -> TrainingArguments:
    """A session's settings in `transformers`' own words."""
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
        save_total_limit=training.checkpoints_kept,
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
