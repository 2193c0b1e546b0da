"""The training loop that suits most methods: `transformers`' Trainer, with our batches, clocks and checkpoints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerState,
)
from transformers.trainer_callback import ExportableState

from tunegrid.common.errors import TuneGridError
from tunegrid.data.tokens import labelled
from tunegrid.models.generate import NonFiniteLogits
from tunegrid.models.likelihood import IGNORED
from tunegrid.runtime import cpu_memory, cpu_tricks, measure
from tunegrid.runtime.stopping import Interrupted, Stopped
from tunegrid.training import history
from tunegrid.training.arguments import training_arguments
from tunegrid.training.batches import Collator, SeededSampler, TokenDataset, target_tokens
from tunegrid.training.callbacks import Flow, ProgressLine
from tunegrid.training.checkpoints import STATE, checkpoint, is_last, lacks_evaluation, last_checkpoint, prune, seal
from tunegrid.training.fast.dropout import sparing_dropout
from tunegrid.training.fast.groups import groups
from tunegrid.training.fast.head_loss import HeadLoss
from tunegrid.training.fast.pointwise import merge_pointwise
from tunegrid.training.selection import selection
from tunegrid.training.session import Diverged, TrainingSession, TrainingSummary

TENSORS, COUNTS = "trainable.safetensors", "counts.json"
OBSERVED = "observed_"  # before the names of what a session observes, in the Trainer's log


@sparing_dropout()
def fit(session: TrainingSession) -> TrainingSummary:
    """Trains `session.model` in place, from the session's last checkpoint if there is one.

    Raises:
        Diverged: the loss, or logits at an evaluation, became infinite or not a number.
        Stopped: the process was asked to end; there is a checkpoint of the last step.
        TuneGridError: a checkpoint cannot be written.
    """
    before = last_checkpoint(session.checkpoints, keep_best=session.training.keep_best)
    trainer = GridTrainer(session)
    try:
        at_its_end = before is not None and is_last(before)
        if before is not None and lacks_evaluation(before):
            print(f"the run was stopped before {before} was evaluated: that comes first", flush=True)
            at_its_end = trainer.evaluate_first(before)
        if at_its_end:
            print(f"the training was at its end; its weights are read from {session.checkpoints}", flush=True)
            trainer.restore(before)
        else:
            if before is not None:
                print(f"an interrupted run: it goes on from {before}", flush=True)
            trainer.train(resume_from_checkpoint=None if before is None else str(before))
        if not trainer.evaluated():
            trainer.evaluate_at_the_end()
    except (Diverged, NonFiniteLogits) as error:
        raise Diverged.after(trainer.state.global_step, error, trainer.history()) from error.__cause__
    return trainer.summary()


class GridTrainer(Trainer):
    """The Trainer for any method: only trainable tensors are checkpointed, and each kind of work is timed apart."""

    def __init__(self, session: TrainingSession) -> None:
        self.session = session
        training = session.training
        # Tensors, so that counting does not wait for the GPU.
        self.source_tokens = self.target_tokens = torch.zeros((), dtype=torch.int64)
        self.loss_sum, self.steps_logged = torch.zeros(()), 0
        self.examples, self.saved_step = 0, 0
        self.largest = 0  # tokens of a batch so far, padding included
        self.evaluated_state: TrainerState | None = None
        callbacks = [ProgressLine(), Flow()]
        if training.early_stopping_patience is not None:
            stop = EarlyStoppingCallback(training.early_stopping_patience, training.early_stopping_threshold)
            callbacks.append(stop)
        super().__init__(
            model=session.model,
            args=training_arguments(session),
            train_dataset=TokenDataset(session.train, with_rows=session.loss is not None),
            eval_dataset=TokenDataset(labelled(session.validation), with_rows=session.validates_objective),
            data_collator=Collator(session.tokenizer, session.model),
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)  # ProgressLine says the same, readably
        # The adapters library hides the model's signature: T5 would be given an argument that it does not take.
        self.model_accepts_loss_kwargs = False
        fast = self.args.use_cpu and cpu_tricks.are_on()
        plain = fast and not session.validates_objective  # else nothing has the cross-entropy of a target
        self.head_loss = HeadLoss(session.model, training.label_smoothing) if plain else None
        if fast:
            merge_pointwise(session.model)
        # An objective of a method's own may be of the whole batch.
        self.may_group = fast and session.loss is None and session.tokenizer.padding_side == "right"
        self.groups = 1  # of the batch at hand
        self.times = measure.Timesheet()

    # -- batches and losses -------------------------------------------------------------------------------------------

    def _get_train_sampler(self, train_dataset: TokenDataset | None = None) -> SeededSampler:
        dataset = train_dataset or self.train_dataset
        training = self.session.training
        return SeededSampler(dataset.lengths(), training.batch_size, self.session.seed, training.length_buckets)

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: torch.device) -> tuple[list, Any]:
        batches, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.tokens_of_step = sum(target_tokens(batch) for batch in batches)
        return batches, count

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **_: Any) -> Any:
        if return_outputs:  # an evaluation, of which only the loss is wanted
            own = self.session.loss if self.session.validates_objective else None
            loss = own(self.session, inputs) if own else self.cross_entropy(model, inputs)
            return loss, {"loss": loss}
        if self.session.loss is not None:
            return self.session.loss(self.session, inputs)
        loss = self.cross_entropy(model, inputs)
        if (batches := self.current_gradient_accumulation_steps) > 1 or self.groups > 1:
            # The Trainer takes the mean over the batches of a step. Each has to count by its tokens, or the same
            # examples in one batch would give another gradient; and so has each group of a batch.
            tokens = (inputs["labels"] != IGNORED).sum()
            loss = loss * (batches * tokens / self.tokens_of_step)
        return loss

    def cross_entropy(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        if self.head_loss is not None and self.head_loss.suits(inputs):
            return self.head_loss(inputs)
        return super().compute_loss(model, inputs | {"use_cache": False})  # which would serve generation only

    def floating_point_ops(self, inputs: dict[str, torch.Tensor]) -> int:
        return 0  # `tunegrid.study.plan.flops` counts them at the end; this would count all parameters in every step

    def training_step(self, model: Any, inputs: dict[str, Any], *_: Any) -> torch.Tensor:
        self.source_tokens = self.source_tokens + inputs["attention_mask"].sum()
        self.target_tokens = self.target_tokens + target_tokens(inputs)
        self.examples += len(inputs["labels"])
        parts = self.in_groups(inputs) if self.may_group else [inputs]
        self.groups = len(parts)
        size = max(part["input_ids"].numel() + part["labels"].numel() for part in parts)
        if size > self.largest:
            self.largest = size
            if self.args.use_cpu and cpu_tricks.are_on():
                cpu_memory.give_back_holes()
        if not model.training:  # the Trainer asks all modules, in each step
            model.train()
        loss = sum(self.backward(model, part) for part in parts)
        self.loss_sum = self.loss_sum + loss
        return loss

    def backward(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Adds the gradients of a group of rows to those of its step; returns its share of the step's loss."""
        with self.compute_loss_context_manager():
            loss = self.compute_loss(model, self._prepare_inputs(inputs)) / self.current_gradient_accumulation_steps
        self.accelerator.backward(loss)
        return loss.detach()

    def in_groups(self, inputs: dict[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        """Divides a batch into groups of its rows, each only as wide as its longest row."""
        sources, targets = inputs["attention_mask"].sum(-1).tolist(), (inputs["labels"] != IGNORED).sum(-1).tolist()
        divided = groups(sources, targets, self.session.model.get_input_embeddings().embedding_dim)
        if len(divided) == 1:
            return [inputs]
        wide = {"input_ids": sources, "attention_mask": sources, "labels": targets, "decoder_input_ids": targets}
        return [
            {name: tensor[rows, : max(wide[name][row] for row in rows)] for name, tensor in inputs.items()}
            for rows in divided
        ]

    def log(self, logs: dict[str, float], *arguments: Any, **options: Any) -> None:
        if "loss" in logs:
            # The Trainer forgets, at an interruption, the steps since the last line.
            steps = self.state.global_step - self.steps_logged
            logs["loss"] = round(self.loss_sum.item() / steps, 4)
            self.loss_sum, self.steps_logged = torch.zeros_like(self.loss_sum), self.state.global_step
        super().log(logs, *arguments, **options)
        with suppress(OSError, TuneGridError):  # for a run that dies
            history.write_history(self.history(), self.session.checkpoints / history.NAME)

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        # A DataLoader draws a number when it starts: without the fork, whoever evaluates gets other dropout.
        with self.times.counted_as("evaluation_seconds"), torch.random.fork_rng(devices=[]):
            return super().evaluate(*arguments, **options)

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        with self.session.stop.interrupting():  # nothing is changed by it, and it can take long
            output = super().evaluation_loop(*arguments, **options)
            if (metric := self.session.metric) is not None:
                output.metrics[f"eval_{metric.name}"] = metric(self.model)
            if self.session.observe is not None:
                observed = self.session.observe(self.model)
                output.metrics.update({f"{OBSERVED}{name}": value for name, value in observed.items()})
        return output

    def evaluated(self) -> bool:
        """Whether the weights after the last step were evaluated."""
        return any("eval_loss" in row and row["step"] == self.state.global_step for row in self.state.log_history)

    # -- stopping, to go on later -------------------------------------------------------------------------------------

    def _maybe_log_save_evaluate(self, *arguments: Any, **options: Any) -> None:
        with suppress(Interrupted):  # an evaluation: the checkpoint will say that it is to come
            super()._maybe_log_save_evaluate(*arguments, **options)
        if self.session.stop.requested:
            self.stop_here()

    def stop_here(self) -> None:
        """Saves the step that was done, unless it is, and raises Stopped."""
        step = self.state.global_step
        if self.saved_step != step:
            self._save_checkpoint(self.model, None)
        raise Stopped(self.session.stop, step)

    def evaluate_at_the_end(self) -> None:
        try:
            self.evaluate()
        except Interrupted:
            self.stop_here()

    def evaluate_first(self, folder: Path) -> bool:
        """Makes up for the evaluation that a checkpoint lacks; returns whether the training is at its end.

        `train` and `restore` go on from what followed from it. Nothing is written: this checkpoint has to stay whole.
        """
        self.restore(folder, best=False)
        self._load_callback_state()
        try:
            metrics = self._evaluate(None, None)
        except Interrupted:
            self.stop_here()
        self._determine_best_metric(metrics=metrics, trial=None)
        for stateful in [*self.callback_handler.callbacks, self.control]:
            if isinstance(stateful, ExportableState):
                self.state.stateful_callbacks[type(stateful).__name__] = stateful.state()
        self.evaluated_state = self.state
        return self.control.should_training_stop

    def _load_callback_state(self) -> None:
        self.state = self.evaluated_state or self.state  # Trainer.train has read what the checkpoint says
        super()._load_callback_state()

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        try:
            with self.times.counted_as("saving_seconds"):
                super()._save_checkpoint(*arguments, **options)
        except (OSError, RuntimeError, SafetensorError) as error:
            # The half of it takes space. Going on would hide, until the very end, that nothing can be saved.
            folder = checkpoint(self.session.checkpoints, self.state.global_step)
            shutil.rmtree(folder, ignore_errors=True)
            raise TuneGridError(
                f"{folder}: the checkpoint of step {self.state.global_step} cannot be written ({error}). "
                "Mend that (is the disk full?) and start again: the run goes on from the checkpoint before."
            ) from error
        self.saved_step = self.state.global_step

    def _rotate_checkpoints(self, use_mtime: bool = False, output_dir: str | None = None) -> None:
        # The last thing that _save_checkpoint does: sealed first, so that there is always a whole one.
        folder, training = self.session.checkpoints, self.session.training
        seal(checkpoint(folder, self.state.global_step))
        prune(folder, training.checkpoints_kept, keep_best=training.keep_best)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        counts = {
            "examples": self.examples,
            "source_tokens": int(self.source_tokens),
            "target_tokens": int(self.target_tokens),
            "loss_sum": self.loss_sum.item(),
            "steps_logged": self.steps_logged,
            **self.times.seconds(),
        }
        (folder / COUNTS).write_text(json.dumps(counts))
        tensors = {name: tensor.detach() for name, tensor in self.model.named_parameters() if tensor.requires_grad}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / TENSORS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self._load_tensors(Path(resume_from_checkpoint))
        # What the run did before it was interrupted is part of its cost.
        counts = json.loads((Path(resume_from_checkpoint) / COUNTS).read_text())
        self.examples, self.steps_logged = counts["examples"], counts["steps_logged"]
        self.source_tokens = torch.tensor(counts["source_tokens"])
        self.target_tokens = torch.tensor(counts["target_tokens"])
        self.loss_sum = torch.tensor(counts["loss_sum"])
        self.times.earlier = counts

    def _load_best_model(self) -> None:
        self._load_tensors(checkpoint(self.session.checkpoints, self.state.best_global_step))

    def _load_tensors(self, folder: Path) -> None:
        _, unexpected = self.model.load_state_dict(load_file(folder / TENSORS), strict=False)
        if unexpected:
            raise ValueError(f"{folder}: not a checkpoint of this model: it holds {unexpected[:3]}")

    def restore(self, folder: Path, best: bool = True) -> None:
        """Restores state and weights of a checkpoint; `best`: the weights that a training ends with."""
        self.state = self.evaluated_state or TrainerState.load_from_json(str(folder / STATE))
        self.saved_step = self.state.global_step
        self._load_from_checkpoint(str(folder))
        if best and self.args.load_best_model_at_end:
            self._load_best_model()

    # -- outcome ------------------------------------------------------------------------------------------------------

    def history(self) -> list[dict[str, float]]:
        """Rows of history.csv."""
        return history.rows_of(self.state.log_history, self.session.metric and self.session.metric.name)

    def observations(self) -> list[dict[str, float]]:
        """What was observed at each evaluation."""
        observed = [
            {name.removeprefix(OBSERVED): value for name, value in entry.items() if name.startswith(OBSERVED)}
            | {"step": entry["step"]}
            for entry in self.state.log_history
        ]
        return [row for row in observed if len(row) > 1]

    def summary(self) -> TrainingSummary:
        rows, metric = self.history(), self.session.metric
        return TrainingSummary(
            steps=self.state.global_step,
            examples=self.examples,
            source_tokens=int(self.source_tokens),
            target_tokens=int(self.target_tokens),
            **self.times.seconds(),
            history=rows,
            observations=self.observations(),
            selection=selection(
                self.session.training, metric and metric.name, rows, self.state.global_step, self.state.max_steps
            ),
        )
