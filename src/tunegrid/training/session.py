"""The input of a training, and its outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.runtime.stopping import Stop
from tunegrid.training.selection import Selection
from tunegrid.training.settings import Training

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from tunegrid.tasks import Row, Task
    from tunegrid.training.selection import MeanMetric, ValidationMetric

Objective = Callable[["TrainingSession", dict[str, "torch.Tensor"]], "torch.Tensor"]
Observer = Callable[["torch.nn.Module"], dict[str, float]]


class Diverged(Exception):
    """Loss or logits are no longer finite numbers; the message says at which step, `history` holds what came before."""

    history: list[dict[str, float]] = []  # noqa: RUF012 (a default that is replaced, never changed)

    @classmethod
    def after(cls, steps: int, error: Exception, history: list[dict[str, float]]) -> Diverged:
        """What a training ends with that raised an error: this one itself, or one of logits that are no numbers."""
        diverged = error if isinstance(error, cls) else cls(f"after {steps} steps {error}")
        diverged.history = history
        return diverged


@dataclass
class TrainingSession:
    """Everything that one run is trained with.

    Attributes:
        model: the model with the method's modules in it, on its device, trained in place.
        task: the task that is learnt.
        read_rows: reads the training rows; `rows` calls it when it is first asked for.
        read_validation_rows: the same for the validation rows, of `validation_rows`.
        train, validation: tables of token ids, see `tunegrid.tasks.tokenise`. Validation has entries without labels:
            windows that are predicted on, but that no loss is taken of.
        checkpoints: folder of this very configuration's checkpoints; removed by `train`, not by the method.
        loss: the objective of a batch, as `Method.loss`; None: the cross-entropy of the target's tokens.
        metric: what the weights are chosen by, if not by the validation loss.
        validates_objective: whether the validation loss is that of `loss`, on entries like those of `train`.
        observe: computes further numbers of a model at each evaluation; they alter nothing of the training.
        stop: whether the process was asked to end. A loop that looks at it saves a checkpoint and raises Stopped.
    """

    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase
    task: Task
    read_rows: Callable[[], Sequence[Row]]
    train: Any
    validation: Any
    training: Training
    seed: int
    precision: str
    checkpoints: Path
    loss: Objective | None = None
    metric: ValidationMetric | MeanMetric | None = None
    read_validation_rows: Callable[[], Sequence[Row]] = list
    validates_objective: bool = False
    observe: Observer | None = None
    stop: Stop = field(default_factory=Stop)

    @cached_property
    def rows(self) -> Sequence[Row]:
        """The training rows, canonical; column `row` of `train` has their indices. Read when first asked for."""
        return self.read_rows()

    @cached_property
    def validation_rows(self) -> Sequence[Row]:
        """The validation rows, canonical; column `row` of `validation` has their indices."""
        return self.read_validation_rows()

    def autocast(self) -> torch.autocast:
        """A context in which the model computes in the session's precision."""
        from tunegrid.models.generate import autocast

        return autocast(self.model, self.precision)


@dataclass
class TrainingSummary:
    """What a training did. Seconds are wall-clock; `optimisation_seconds` holds steps only; none
    but `paused_seconds` holds time during which the process was stopped.

    Attributes:
        forward_flops: operations of forward passes beside those of the steps, see `Method.forward_flops`.
        history: rows of history.csv: step, epoch, and loss, learning_rate or validation_loss.
        observations: what the session's `observe` found, with the `step` of each.
        selection: which weights the model has now; None from a loop of a method's own.
    """

    steps: int = 0
    examples: int = 0
    source_tokens: int = 0
    target_tokens: int = 0
    optimisation_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    saving_seconds: float = 0.0
    paused_seconds: float = 0.0
    forward_flops: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    observations: list[dict[str, float]] = field(default_factory=list)
    selection: Selection | None = None
