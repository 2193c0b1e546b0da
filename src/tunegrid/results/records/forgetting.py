"""The record of the pretraining loss on held-out text."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tunegrid.common.fields import Count, Finite, NonEmpty, Seconds
from tunegrid.results.records.outcome import SCHEMA_VERSION, Outcome
from tunegrid.runtime.provenance import Provenance


class ForgettingRecord(Outcome):
    """`forgetting.json`: the pretraining loss of a model on text that was held out of its pretraining."""

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, description="Version of this schema.")
    kind: Literal["run", "untuned"] = Field(description="run: a tuned model; untuned: the base model as it is.")
    task: NonEmpty | None = Field(description="Name of the task that the run was tuned on; null for an untuned model.")
    model: NonEmpty = Field(description="Name of the base model.")
    method: NonEmpty = Field(description="Name of the tuning method, or 'untuned'.")
    seed: int | None = Field(description="Seed of the run; null for an untuned model.")
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
