"""The record of the pretraining loss on held-out text."""

from typing import Self

from pydantic import Field, model_validator

from tunegrid.common.fields import Count, Finite, NonEmpty, Seconds
from tunegrid.results.records.outcome import ModelRecord
from tunegrid.runtime.provenance import Provenance


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
