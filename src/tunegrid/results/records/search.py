"""`factor-<factor>.json` and `choice.json`: the trials of the learning-rate search, and what they lead to."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tunegrid.common.fields import Closed, Count, Finite, NonEmpty, Seconds
from tunegrid.results.records.outcome import CellRecord
from tunegrid.runtime.provenance import Provenance

Edge = Literal["lowest", "highest"]


class TrialCost(Closed):
    """Cost of one trial, in wall-clock seconds; everything but the total is null in a trial that did not get there."""

    total_seconds: Seconds = Field(description="The whole trial: imports, data, model, training, prediction, scoring.")
    optimisation_seconds: Seconds | None = Field(description="Optimisation steps only.")
    evaluation_seconds: Seconds | None = Field(description="Validation loss.")
    prediction_seconds: Seconds | None = Field(description="Prediction and scoring of the validation rows.")
    steps: Count | None = Field(description="Optimiser steps done.")
    examples: Count | None = Field(description="Training examples seen, repeats counted.")
    tokens: Count | None = Field(description="Source and target tokens seen in training, without padding.")
    peak_memory_bytes: Count | None = Field(description="Peak memory of the trial, in bytes: the GPU's, else resident.")


class SearchRecord(CellRecord):
    """Fields of the records of the learning-rate search."""

    metric: NonEmpty = Field(description="The task's primary metric; higher is better.")


class TrialRecord(SearchRecord):
    """`factor-<factor>.json`: a short training with one learning rate, scored on validation rows."""

    factor: float = Field(gt=0, allow_inf_nan=False, description="The learning rate divided by the cell's own.")
    learning_rate: float = Field(gt=0, allow_inf_nan=False, description="The learning rate of this trial.")
    seed: int = Field(description="Seed of the trial, that of the search.")
    score: float | None = Field(
        ge=0, le=1 + 1e-9, allow_inf_nan=False, description="The metric, on 0 to 1; null if not ok."
    )
    validation_loss: Finite | None = Field(description="Loss on the validation rows; null where it was not computed.")
    train_rows: Count | None = Field(
        description="Training rows, or preference pairs, of the trial; null if it failed before."
    )
    validation_rows: Count | None = Field(description="Validation rows predicted; null if it failed before.")
    configuration: dict[str, Any] = Field(description="Every setting of the trial that alters its result.")
    configuration_hash: NonEmpty = Field(description="Hash of `configuration`.")
    cost: TrialCost
    provenance: Provenance

    @model_validator(mode="after")
    def _scored_where_ok(self) -> Self:
        if (self.status == "ok") != (self.score is not None):
            raise ValueError(f"a trial with status {self.status} has score {self.score}: those that are ok have one")
        if self.status == "ok" and not self.validation_rows:
            raise ValueError("a trial with status ok has predicted at least one validation row")
        return self


class ChoiceRecord(SearchRecord):
    """`choice.json`: the learning rate that a cell's trials lead to; failed if none of them could be scored."""

    factor: float | None = Field(gt=0, allow_inf_nan=False, description="The factor that was chosen; null if none.")
    learning_rate: float | None = Field(gt=0, allow_inf_nan=False, description="The learning rate; null if none.")
    configured_learning_rate: float = Field(gt=0, allow_inf_nan=False, description="The one that the study names.")
    score: float | None = Field(
        ge=0, le=1 + 1e-9, allow_inf_nan=False, description="The chosen trial's metric, on 0 to 1."
    )
    edge: Edge | None = Field(
        description="Whether nothing is known beyond the chosen rate: it is the lowest or highest that was tried."
    )
    trials: Count = Field(description="How many trials it was chosen among.")
    search_seconds: Seconds = Field(description="What all of them cost, in wall-clock seconds.")
    configuration_hash: NonEmpty = Field(description="Hash of the settings of all of them.")

    @model_validator(mode="after")
    def _chosen_where_ok(self) -> Self:
        chosen = [value is not None for value in (self.factor, self.learning_rate, self.score)]
        if chosen != [self.status == "ok"] * 3:
            raise ValueError(f"a choice with status {self.status}: one that is ok, and no other, names what was chosen")
        return self
