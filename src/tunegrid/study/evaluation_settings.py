"""Settings of how test rows are predicted (`evaluation:` of a study), and of the tuning of forms under `compress`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunegrid.common.fields import Closed
from tunegrid.training.settings import Training

Engine = Literal["transformers", "ctranslate2"]


class Evaluation(Closed):
    """How test rows are predicted. Validation during training and the search predict with transformers."""

    engine: Engine = Field(
        "transformers",
        description=(
            "`ctranslate2`: models are merged, converted and computed by CTranslate2, an extra "
            "(`make setup EXTRAS=serve`)."
        ),
    )


class FormTraining(Closed):
    """The tuning of a form's weights before they predict."""

    steps: int = Field(gt=0, le=10_000_000, description="Optimiser steps.")
    learning_rate: float = Field(gt=0, le=100, description="Peak learning rate of AdamW, as for full fine-tuning.")

    def training(self, own: Training) -> Training:
        """The training that this is for a cell with settings of its own, from which batches and loss are taken."""
        same = "batch_size gradient_accumulation_steps label_smoothing length_buckets logging_steps".split()
        return Training(learning_rate=self.learning_rate, max_steps=self.steps, **own.model_dump(include=set(same)))


class Recovery(FormTraining):
    """The tuning that forms named `…-tuned` get after they were pruned: of all weights that are not 0."""


class Distillation(FormTraining):
    """The tuning that forms named `distil-…` get: of all weights, on the run's training rows."""

    targets: Literal["rows", "answers"] = Field(
        "rows",
        description=(
            "What the student learns: `rows`, the rows' own targets, without a teacher; `answers`, those of the run "
            "that it is made of, its teacher (sequence-level knowledge distillation)."
        ),
    )
