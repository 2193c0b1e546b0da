"""`reward.json` and `judgement.json`: a reward model, and a run that learned from it beside the run before it."""

from typing import Any, Self

from pydantic import Field, model_validator

from tunegrid.common.fields import Closed, Count, Finite, NonEmpty
from tunegrid.results.records.outcome import CellRecord, Outcome
from tunegrid.results.records.training import Parameters, TrainingCost
from tunegrid.runtime.provenance import Provenance
from tunegrid.training.selection import Selection


class CalibrationBin(Closed):
    """Test pairs to whose preferred answer a reward model gives a probability in a range."""

    low: Finite = Field(description="The range of the probability: from here …")
    high: Finite = Field(description="… to here.")
    pairs: Count = Field(description="Pairs in it.")
    predicted: Finite = Field(description="Mean probability of the answer that the model prefers.")
    observed: Finite = Field(description="Share of the pairs in which that answer was the chosen one.")


class RewardRecord(Outcome):
    """`reward.json`: a reward model, and what it is worth on pairs that it was not trained on."""

    task: NonEmpty = Field(description="Name of the task.")
    model: NonEmpty = Field(description="Name of the base model.")
    reward: NonEmpty = Field(description="Name of the reward model in the study.")
    pairs: NonEmpty = Field(description="Name of its preference pairs.")
    seed: int = Field(description="Its seed.")
    configuration: dict[str, Any] = Field(description="Every setting that alters it.")
    configuration_hash: NonEmpty = Field(description="Hash of `configuration`.")
    parameters: Parameters | None = Field(None, description="Size of the model; null if it failed.")
    selection: Selection | None = Field(None, description="Which weights were saved; null if it failed.")
    weights: dict[str, NonEmpty] | None = Field(
        None, description="SHA-256 of each file that is loaded, by its path in `weights/`; null if it failed."
    )
    test_pairs: Count | None = Field(None, description="Held-out pairs that it was measured on; null if it failed.")
    accuracy: Finite | None = Field(None, description="Share of them whose chosen answer it gives the higher reward.")
    test_loss: Finite | None = Field(None, description="Its Bradley-Terry loss on them.")
    calibration: list[CalibrationBin] = Field(default_factory=list, description="Bins of its probabilities on them.")
    calibration_error: Finite | None = Field(None, description="Expected calibration error on them.")
    mean: Finite | None = Field(None, description="Mean raw reward of the validation answers: 0 of its scores.")
    spread: Finite | None = Field(None, description="Their standard deviation: the unit of its scores.")
    cost: TrainingCost | None = Field(None, description="Cost of its training; null if it failed.")
    provenance: Provenance

    @model_validator(mode="after")
    def _measured_where_ok(self) -> Self:
        missing = [name for name in ("parameters", "weights", "accuracy", "cost") if getattr(self, name) is None]
        if self.status == "ok" and missing:
            raise ValueError(f"a reward model with status ok must have {', '.join(missing)}")
        return self


class Contest(Closed):
    """Answers of a run against those of its start, row by row."""

    wins: Count = Field(description="Rows whose answer scores higher than that of the start.")
    losses: Count = Field(description="Rows whose answer scores lower.")
    ties: Count = Field(description="Rows whose answers score the same.")

    @property
    def rate(self) -> float:
        """The win rate: ties count half."""
        return (self.wins + self.ties / 2) / (self.wins + self.losses + self.ties)


class JudgementRecord(CellRecord):
    """`judgement.json`: a run that learned from preferences against the run that it started from, on test rows."""

    seed: int = Field(description="Seed of both runs.")
    start: NonEmpty = Field(description="Name of the method whose run it started from.")
    reward_model: NonEmpty = Field(description="Name of the reward model.")
    metric: NonEmpty = Field(description="The task's score of a single answer: a judge that nothing was trained on.")
    examples: Count | None = Field(None, description="Test rows; null where there is nothing to compare.")
    by_reward: Contest | None = Field(None, description="The answers compared by the reward model.")
    by_metric: Contest | None = Field(None, description="The answers compared by the metric.")
    mean_reward: Finite | None = Field(None, description="Mean reward of the run's answers.")
    mean_start_reward: Finite | None = Field(None, description="Mean reward of the start's answers.")
    mean_metric: Finite | None = Field(None, description="Mean score of the run's answers by the metric.")
    mean_start_metric: Finite | None = Field(None, description="Mean score of the start's answers by the metric.")
    provenance: Provenance
