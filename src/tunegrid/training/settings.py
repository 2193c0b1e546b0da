"""The hyperparameters of training that do not depend on the method."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, create_model, model_validator

from tunegrid.common.fields import MOST_ROWS, MOST_STEPS, Closed

# Two ways to say the same thing: naming one replaces the other.
EXCLUSIVE = (
    ("max_steps", "epochs"),
    ("warmup_ratio", "warmup_steps"),
    ("evaluation_steps", "evaluations"),
    ("checkpoint_steps", "checkpoints"),
)
Steps = Annotated[int, Field(gt=0, le=MOST_STEPS)]
Times = Annotated[int, Field(gt=0, le=10_000)]  # that something is done or kept
# Settings that alter no bit of a result: a change of them runs nothing again, and orphans no checkpoint.
WITHOUT_EFFECT = frozenset({"checkpoint_steps", "checkpoints", "checkpoints_kept", "keep_checkpoints"})


class Training(Closed):
    """How long, how fast and on what: passed to `transformers`' own arguments."""

    learning_rate: float = Field(gt=0, le=10, description="Peak learning rate of AdamW.")
    max_steps: Steps | None = Field(None, description="Optimiser steps; either this or epochs.")
    epochs: float | None = Field(
        None, gt=0, le=10_000, description="Passes over the training rows; either this or max_steps."
    )
    batch_size: int = Field(32, gt=0, le=65_536, description="Examples per forward pass.")
    gradient_accumulation_steps: int = Field(1, gt=0, le=65_536, description="Forward passes per optimiser step.")
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"] = Field(
        "linear", description="Course of the learning rate after the warm-up, as `transformers` names it."
    )
    warmup_steps: Steps | None = Field(
        None, description="Steps in which the learning rate rises, fewer than the run has; either this or warmup_ratio."
    )
    warmup_ratio: float | None = Field(
        default_factory=lambda given: 0.06 if given.get("warmup_steps") is None else None,
        ge=0,
        lt=1,
        description="The same as a share of all steps; default: 0.06, unless warmup_steps is given.",
    )
    weight_decay: float = Field(0.0, ge=0, le=10, description="AdamW's weight decay.")
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="AdamW's first beta.")
    adam_beta2: float = Field(0.999, ge=0, lt=1, description="AdamW's second beta.")
    max_grad_norm: float = Field(1.0, gt=0, le=1_000_000, description="Gradients are clipped to this norm.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Smoothing of the cross-entropy; the validation loss is smoothed as well."
    )
    length_buckets: bool = Field(
        False,
        description="Batches of examples of similar length: less padding on a GPU, but a model learns less a step.",
    )
    gradient_checkpointing: bool = Field(False, description="Less memory for more time.")
    logging_steps: Steps = Field(50, description="Steps between two lines of the log and of history.csv.")
    evaluation_steps: Steps | None = Field(
        None,
        description="Steps between two evaluations on validation data, the last at the end; none: only at the end.",
    )
    evaluations: Times | None = Field(
        None,
        description=(
            "The same as a number, for runs of different length: at most so many, evenly spaced, the last at the end."
        ),
    )
    keep_best: bool = Field(
        False, description="Save the weights of the best evaluation, not the last ones; every evaluation checkpoints."
    )
    select_by: Literal["loss", "metric"] = Field(
        "loss",
        description="What is best: the lowest validation loss, or the highest value of the task's primary metric.",
    )
    validation_rows: int | None = Field(
        None,
        gt=0,
        le=MOST_ROWS,
        description="select_by metric: at most so many validation rows are predicted; none: all.",
    )
    early_stopping_patience: Times | None = Field(
        None,
        description=(
            "Evaluations in a row without an improvement after which a run ends; none: it goes on to its last step."
        ),
    )
    early_stopping_threshold: float = Field(
        0.0, ge=0, le=1_000, description="A smaller difference to the best value so far is no improvement."
    )
    checkpoint_steps: Steps | None = Field(
        None, description="Steps between two checkpoints, from which an interrupted run goes on; none: no checkpoint."
    )
    checkpoints: Times | None = Field(
        None, description="The same as a number: at most so many, evenly spaced, the last at the end."
    )
    checkpoints_kept: Times = Field(
        2, description="Newest checkpoints kept while the run goes on, the best one included."
    )
    keep_checkpoints: Literal["until-success", "always"] = Field(
        "until-success", description="Whether checkpoints are removed when the run's weights and record are written."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for one, other in EXCLUSIVE[:2]:
            if (getattr(self, one) is None) == (getattr(self, other) is None):
                raise ValueError(f"give exactly one of {one} and {other}")
        for one, other in EXCLUSIVE[2:]:
            if None not in (getattr(self, one), getattr(self, other)):
                raise ValueError(f"give only one of {one} and {other}")
        if self.max_steps is not None and (problem := self.warmup_problem(self.max_steps)):
            raise ValueError(problem)
        if problem := self._problem():
            raise ValueError(problem)
        return self

    def _problem(self) -> str | None:
        """Describes the settings of evaluation, selection and checkpoints that contradict each other; None: none do."""
        evaluates = self.evaluation_steps or self.evaluations
        checkpoints = self.checkpoint_steps or self.checkpoints
        stops = self.early_stopping_patience is not None
        if self.keep_best and not evaluates:
            return "keep_best needs evaluations to choose from: give evaluations or evaluation_steps"
        if stops and not evaluates:
            return "early_stopping_patience counts evaluations: give evaluations or evaluation_steps"
        if self.early_stopping_threshold and not stops:
            return "early_stopping_threshold has no effect without early_stopping_patience"
        if self.select_by == "metric" and not (self.keep_best or stops):
            return "select_by: metric has no effect without keep_best or early_stopping_patience"
        if self.validation_rows and self.select_by != "metric":
            return "validation_rows has no effect without select_by: metric"
        if self.keep_best and checkpoints:
            return "with keep_best every evaluation writes a checkpoint: leave checkpoint_steps and checkpoints out"
        if self.keep_best and self.checkpoints_kept < 2:
            return "with keep_best, checkpoints_kept has to be at least 2: the best and the newest"
        if self.keep_checkpoints == "always" and not (self.keep_best or checkpoints):
            return "keep_checkpoints: always, but no checkpoint is written: give checkpoint_steps or checkpoints"
        return None

    def warmup_problem(self, steps: int) -> str | None:
        """Explains why the warm-up does not fit into a run of so many steps; None: it does."""
        if self.warmup_steps is None or self.warmup_steps < steps:
            return None
        return (
            f"warmup_steps: {self.warmup_steps:,} steps of warm-up, but the run has {steps:,} steps. "
            "Take fewer, or warmup_ratio"
        )

    def steps(self, rows: int) -> int:
        """Optimiser steps of a whole run on so many training rows (token rows, where an example has several)."""
        if self.max_steps is not None:
            return self.max_steps
        batches = math.ceil(rows / self.batch_size)
        # A step is never made of batches of two epochs.
        return math.ceil(self.epochs * math.ceil(batches / self.gradient_accumulation_steps))

    def evaluation_interval(self, rows: int) -> int | None:
        """Steps between two evaluations of a run on so many training rows; None: only at the end."""
        return self.evaluation_steps or _interval(self.steps(rows), self.evaluations)

    def checkpoint_interval(self, rows: int) -> int | None:
        """Steps between two checkpoints of a run on so many training rows; None: there are none."""
        if self.keep_best:
            return self.evaluation_interval(rows)
        return self.checkpoint_steps or _interval(self.steps(rows), self.checkpoints)


def _interval(steps: int, times: int | None) -> int | None:
    return None if times is None else math.ceil(steps / times)


def _optional(settings: type[Closed], name: str) -> type[Closed]:
    """The same keys, types and bounds, none of them required."""
    fields: dict[str, Any] = {
        key: (Annotated[field.annotation, Field(), *field.metadata] | None, Field(None, description=field.description))
        for key, field in settings.model_fields.items()
    }
    return create_model(name, __base__=Closed, **fields)


TrainingChange = _optional(Training, "TrainingChange")
