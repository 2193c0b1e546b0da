"""The two JSON records of the learning-rate search: of one trial, and of the choice that its cell's trials lead to."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tunegrid.common.settings import Closed, Count, Finite, NonEmpty, Seconds
from tunegrid.results.records import Outcome
from tunegrid.runtime.provenance import Provenance

SCHEMA_VERSION = 1

Score = float | None
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


class _OfCell(Outcome):
    """What both records say about their place in the grid, and about what was measured."""

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, description="Version of this schema.")
    task: NonEmpty = Field(description="Name of the task.")
    model: NonEmpty = Field(description="Name of the base model.")
    method: NonEmpty = Field(description="Name of the tuning method.")
    metric: NonEmpty = Field(description="The task's primary metric; higher is better.")


class TrialRecord(_OfCell):
    """`factor-<factor>.json`: a short training with one learning rate, scored on validation rows."""

    factor: float = Field(gt=0, allow_inf_nan=False, description="The learning rate divided by the cell's own.")
    learning_rate: float = Field(gt=0, allow_inf_nan=False, description="The learning rate of this trial.")
    seed: int = Field(description="Seed of the trial, that of the search.")
    score: Score = Field(ge=0, le=1 + 1e-9, allow_inf_nan=False, description="The metric, on 0 to 1; null if not ok.")
    validation_loss: Finite | None = Field(description="Loss on the validation rows; null where it was not computed.")
    train_rows: Count | None = Field(description="Training rows of the trial; null if it failed before.")
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


class ChoiceRecord(_OfCell):
    """`choice.json`: the learning rate that a cell's trials lead to; failed if none of them could be scored."""

    factor: float | None = Field(gt=0, allow_inf_nan=False, description="The factor that was chosen; null if none.")
    learning_rate: float | None = Field(gt=0, allow_inf_nan=False, description="The learning rate; null if none.")
    configured_learning_rate: float = Field(gt=0, allow_inf_nan=False, description="The one that the study names.")
    score: Score = Field(ge=0, le=1 + 1e-9, allow_inf_nan=False, description="The chosen trial's metric, on 0 to 1.")
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


def json_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each record, by the name of its kind."""
    return {"trial.json": TrialRecord.model_json_schema(), "choice.json": ChoiceRecord.model_json_schema()}
