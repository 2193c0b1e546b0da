"""Fields that several kinds of record share: the status with its reason, and the cell."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tunegrid.common.fields import Closed, NonEmpty

RunStatus = Literal["ok", "diverged", "failed"]


class Outcome(Closed):
    """Fields of all records: a status, and a reason whenever it is not ok."""

    status: RunStatus = Field(description="ok; diverged (the loss was not finite, …); failed.")
    reason: str | None = Field(description="Why the status is not ok; null where it is.")
    schema_version: Literal[1] = Field(default=1, description="Version of this schema.")

    @model_validator(mode="after")
    def _reason_where_not_ok(self) -> Self:
        if self.status == "ok" and self.reason is not None:
            raise ValueError("a result with status ok has no reason: reason must be null")
        if self.status != "ok" and not (self.reason or "").strip():
            raise ValueError(f"a result with status {self.status} needs a reason")
        return self


class CellRecord(Outcome):
    """Fields of all records of a cell."""

    task: NonEmpty = Field(description="Name of the task.")
    model: NonEmpty = Field(description="Name of the base model.")
    method: NonEmpty = Field(description="Name of the tuning method.")
