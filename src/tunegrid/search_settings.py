"""The settings of the learning-rate search, and what follows from them for the trials of a cell."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

from tunegrid.cells import Cell
from tunegrid.settings import Closed
from tunegrid.training.settings import Training

if TYPE_CHECKING:
    from tunegrid.study import Study

CLOSEST = 1.01  # two factors whose ratio is below this would be the same trial twice
# Fewer say nothing about a learning rate (the first step of a warm-up has none at all).
FEWEST_STEPS = 10
# Part of a task's evaluation, but not of what its primary metric says about a learning rate.
_NO_PART_OF_A_TRIAL = {"evaluation_batch_size", "positive", "hardware"}


class Search(Closed):
    """A search for each cell's learning rate: the same trials for every cell, so the same budget for every method."""

    factors: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        min_length=2, description="One trial for each: times the cell's learning_rate."
    )
    train_share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Share of the training rows, and of max_steps, of a trial; at least 10 steps.",
    )
    validation_rows: int = Field(500, gt=0, description="At most so many validation rows are predicted to choose.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of all trials and of their rows; none of the study's seeds.")

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
        """The factor of each trial by the trial's name, as paths and commands have it: `0.33`, `1`, `3`."""
        return {f"{factor:g}": factor for factor in self.factors}

    def learning_rate(self, training: Training, factor: float) -> float:
        """The learning rate of a trial, without the digits that a product of two decimals ends with in binary."""
        return float(f"{training.learning_rate * factor:.12g}")

    def trial_training(self, training: Training, factor: float) -> Training:
        """A cell's training settings as a trial has them: another learning rate, `train_share` of the length.

        `epochs` stay as they are, for they count passes over the trial's fewer rows; what counts steps is multiplied by
        `train_share`. A trial has at least ten steps, or the cell's own where those are fewer. The schedule and its
        warm-up are shares of the length, so they shrink with it.
        """
        change: dict[str, Any] = {"learning_rate": self.learning_rate(training, factor), "checkpoint_steps": None}
        for key, fewest in (("max_steps", FEWEST_STEPS), ("evaluation_steps", 1), ("logging_steps", 1)):
            if (steps := getattr(training, key)) is not None:
                change[key] = min(steps, max(fewest, round(steps * self.train_share)))
        return Training.model_validate(training.model_dump() | change)

    def train_rows(self, training: Training, rows: int) -> int:
        """How many of so many training rows a trial sees: the share, but not too few for its fewest steps."""
        one_step = training.batch_size * training.gradient_accumulation_steps
        return min(rows, max(round(rows * self.train_share), FEWEST_STEPS * one_step))


def trial_settings(study: Study, cell: Cell, trial: str) -> dict[str, Any]:
    """What alters the result of a trial, beside the data and the base model. `trial`: a key of `Search.trials`."""
    search = study.search
    training = search.trial_training(study.training_settings(cell), search.trials[trial])
    evaluation = study.evaluation_settings(cell.task)
    return study.run_settings(cell) | {
        "training": training.model_dump(),
        "search": search.model_dump(exclude={"factors"}),
        "evaluation": {key: value for key, value in evaluation.items() if key not in _NO_PART_OF_A_TRIAL},
    }


def choice_settings(study: Study, cell: Cell) -> dict[str, Any]:
    """What alters the choice of a cell's learning rate: the settings of all its trials."""
    return {trial: trial_settings(study, cell, trial) for trial in study.search.trials}
