"""Records of what a run, or an untuned model, was asked beside its test rows: wordings, bias probes, held-out text."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tunegrid.common.fields import Closed, Count, Finite, MetricValue, NonEmpty, Seconds
from tunegrid.results.records.outcome import Outcome
from tunegrid.runtime.provenance import Provenance


class ModelRecord(Outcome):
    """Fields of all of these records."""

    kind: Literal["run", "untuned"] = Field(description="run: a tuned model; untuned: the base model as it is.")
    model: NonEmpty = Field(description="Name of the base model.")
    method: NonEmpty = Field(description="Name of the tuning method, or 'untuned'.")
    seed: int | None = Field(description="Seed of the run; null for an untuned model.")


class WordedScores(Closed):
    """The scores of one wording."""

    name: NonEmpty = Field(description="Name of the wording: train-1, unseen-2.")
    template: NonEmpty = Field(description="The wording.")
    trained: bool = Field(description="Whether the mixture was trained with it.")
    metrics: dict[str, MetricValue] = Field(description="Score by name.")


class WordingsRecord(ModelRecord):
    """`wordings.json`: the scores of a model that is asked in several wordings, on the same test rows."""

    task: NonEmpty = Field(description="Name of the task.")
    method: NonEmpty = Field(description="Name of the instruction tuning whose wordings these are.")
    held_out: bool = Field(description="Whether the task is not in the mixture.")
    examples: Count = Field(description="Test examples that were answered in each wording.")
    primary: NonEmpty = Field(description="Name of the task's primary metric.")
    wordings: list[WordedScores] = Field(description="Scores of each wording; empty where the status is not ok.")
    seconds: Seconds | None = Field(
        description="Seconds of loading, prediction and scoring; null where there was none."
    )
    provenance: Provenance


class ProbeScores(Closed):
    """Scores on the pairs of a set of bias probes, or of a part of them; means over the pairs."""

    condition: str = Field(description="The part of the set; empty where it has one.")
    templates: Count = Field(description="Templates that the texts are made of.")
    pairs: Count = Field(description="Pairs of texts.")
    first: MetricValue = Field(description="Mean score of the texts with the word of the first side, on 0 to 1.")
    second: MetricValue = Field(description="The same of the second side.")


class ProbeRecord(ModelRecord):
    """`probe.json`: the scores of a model on a set of bias probes."""

    task: NonEmpty = Field(description="Name of the task.")
    probe: NonEmpty = Field(description="Name of the set of probes in the study.")
    texts: NonEmpty | None = Field(None, description="Hash of all texts; null where the status is not ok.")
    scores: list[ProbeScores] = Field(default_factory=list, description="Scores; empty where the status is not ok.")
    seconds: Seconds | None = Field(None, description="Seconds of the answers; null where there were none.")
    provenance: Provenance


class ForgettingRecord(ModelRecord):
    """`forgetting.json`: the pretraining loss of a model on text that was held out of its pretraining."""

    task: NonEmpty | None = Field(description="Name of the task that the run was tuned on; null for an untuned model.")
    documents: Count = Field(0, description="Documents of the text.")
    tokens: Count = Field(0, description="Tokens of the targets.")
    loss: Finite | None = Field(None, description="Nats per token of the targets; null where the status is not ok.")
    seconds: Seconds | None = Field(None, description="Seconds of loading and computing; null where there were none.")
    provenance: Provenance

    @model_validator(mode="after")
    def _measured_where_ok(self) -> Self:
        if (self.status == "ok") != (self.loss is not None):
            raise ValueError(f"a record with status {self.status} and loss {self.loss}: those that are ok have one")
        return self
