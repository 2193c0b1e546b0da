"""The settings of the learning-rate search, and what follows from them for the trials of a cell."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, field_validator

from tunegrid.common.fields import MOST_ROWS, Closed, Seed
from tunegrid.training.settings import Training

CLOSEST = 1.01  # two factors with a ratio below this would be the same trial twice
# Fewer steps say nothing about a learning rate (it is zero in the first step of a warm-up).
FEWEST_STEPS = 10
_STEPS = ("warmup_steps", "evaluation_steps", "logging_steps")
_FOR_RESUMING = ("checkpoint_steps", "checkpoints", "checkpoints_kept", "keep_checkpoints")


class Search(Closed):
    """A search for each cell's learning rate: the same trials for every cell, so the same budget for every method."""

    factors: list[Annotated[float, Field(gt=0, le=1_000_000)]] = Field(
        min_length=2,
        max_length=50,
        description="One trial each: times the cell's `learning_rate`. At least two, all different.",
    )
    train_share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Share of the training rows, and of max_steps, of a trial; at least 10 steps.",
    )
    validation_rows: int = Field(
        500, gt=0, le=MOST_ROWS, description="At most so many validation rows are predicted to choose."
    )
    seed: Seed = Field(0, description="Seed of all trials, and of which rows they see; none of the study's `seeds`.")

    @field_validator("factors")
    @classmethod
    def _distinct(cls, factors: list[float]) -> list[float]:
        ordered = sorted(factors)
        for lower, higher in pairwise(ordered):
            if higher < lower * CLOSEST:
                raise ValueError(f"the factors {lower:g} and {higher:g} are the same trial twice")
        return factors

    @property
    def trials(self) -> dict[str, float]:
        """The factor of each trial by the trial's name in paths and commands: `0.33`, `1`, `3`."""
        return {f"{factor:g}": factor for factor in self.factors}

    def learning_rate(self, training: Training, factor: float) -> float:
        """The learning rate of a trial, rounded to remove the binary rounding error of the product."""
        return float(f"{training.learning_rate * factor:.12g}")

    def trial_changes(self, training: Training, factor: float) -> dict[str, Any]:
        """The training settings of a trial that differ from its cell's: the learning rate, and a shorter training.

        `epochs` stay as they are, because they count passes over the trial's fewer rows. `max_steps` is multiplied by
        `train_share`, but is at least ten, or the cell's own if that is less; other settings that count steps, such as
        the warm-up, shrink by the same ratio. A trial is not resumed, so it writes no checkpoints for resuming.
        """
        change: dict[str, Any] = {"learning_rate": self.learning_rate(training, factor)}
        share = self.train_share
        if training.max_steps is not None:
            change["max_steps"] = min(training.max_steps, max(FEWEST_STEPS, round(training.max_steps * share)))
            share = change["max_steps"] / training.max_steps
        for key in _STEPS:
            if (steps := getattr(training, key)) is not None:
                change[key] = max(1, round(steps * share))
        if "max_steps" in change and "warmup_steps" in change:
            change["warmup_steps"] = min(change["warmup_steps"], change["max_steps"] - 1)
        change |= {key: Training.model_fields[key].default for key in _FOR_RESUMING}
        if training.select_by == "metric":
            change["validation_rows"] = min(training.validation_rows or self.validation_rows, self.validation_rows)
        return change

    def train_rows(self, training: Training, rows: int) -> int:
        """The number of training rows that a trial uses: the share, but enough for the minimum number of steps."""
        one_step = training.batch_size * training.gradient_accumulation_steps
        return min(rows, max(round(rows * self.train_share), FEWEST_STEPS * one_step))
