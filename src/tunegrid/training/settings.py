"""The hyperparameters of training that do not depend on the method."""

from typing import Any, Literal, Self

from pydantic import Field, create_model, model_validator

from tunegrid.settings import Closed


class Training(Closed):
    """How long, how fast and on what: passed to `transformers`' own arguments."""

    learning_rate: float = Field(gt=0, description="Peak learning rate of AdamW.")
    max_steps: int | None = Field(None, gt=0, description="Optimiser steps; either this or epochs.")
    epochs: float | None = Field(None, gt=0, description="Passes over the training rows; either this or max_steps.")
    batch_size: int = Field(32, gt=0, description="Examples per forward pass.")
    gradient_accumulation_steps: int = Field(1, gt=0, description="Forward passes per optimiser step.")
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    warmup_ratio: float = Field(0.06, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(0.0, ge=0)
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this norm.")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    length_buckets: bool = Field(True, description="Batches of examples of similar length, in seeded order.")
    gradient_checkpointing: bool = Field(False, description="Less memory for more time.")
    logging_steps: int = Field(50, gt=0, description="Steps between two lines of the log and of history.csv.")
    evaluation_steps: int | None = Field(
        None, gt=0, description="Steps between two evaluations of the validation loss; none: only at the end."
    )
    checkpoint_steps: int | None = Field(
        None,
        gt=0,
        description="Steps between two checkpoints, from which an interrupted run goes on; none: no checkpoint.",
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.max_steps is None) == (self.epochs is None):
            raise ValueError("give exactly one of max_steps and epochs")
        return self


def _optional(settings: type[Closed], name: str) -> type[Closed]:
    """The same keys, types and bounds, none of them required."""
    fields: dict[str, Any] = {
        key: (field.annotation | None, Field(None, description=field.description))
        for key, field in settings.model_fields.items()
    }
    return create_model(name, __base__=Closed, **fields)


TrainingChange = _optional(Training, "TrainingChange")
