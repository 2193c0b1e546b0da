"""The settings of instruction tuning: a method that tunes one model on several tasks of a study at once."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from tunegrid.common.fields import MOST_ROWS, Name, check_distinct, one_of
from tunegrid.methods import METHODS, Method, MethodSettings
from tunegrid.tasks.mixture import Mixing
from tunegrid.tasks.wordings import Wordings

# Methods with an objective or a loop of their own learn from the rows of one task.
_PLAIN = [m for m in METHODS.values() if m.trains and m.loss is None and m.fit is Method.fit]
AnyPlainMethod = one_of(method.Settings for method in _PLAIN)


class InstructionSettings(MethodSettings):
    """Settings of instruction tuning: the mixture of tasks, and the method that tunes a model on it."""

    kind: Literal["instruction"]
    method: AnyPlainMethod = Field(description="What tunes the model: any method with the cross-entropy as objective.")
    tasks: list[Name] | None = Field(
        None,
        min_length=1,
        description="Tasks of the grid that are in the mixture; the others are held out of it. Default: all.",
    )
    mixing: Mixing = Field(
        "proportional", description="Examples of each task: as many as it has rows, or as many as the largest has."
    )
    limit: int | None = Field(
        None, gt=0, le=MOST_ROWS, description="At most so many training rows of a task count; none: all."
    )
    wordings: dict[Name, Wordings] = Field(
        default_factory=dict, description="Task -> its own wordings; default: those of its kind in resources/wordings/."
    )
    wording_rows: int | None = Field(
        None, gt=0, le=MOST_ROWS, description="At most so many test rows are answered in each wording; none: all."
    )

    _is_distinct = field_validator("tasks")(check_distinct)

    @property
    def own_title(self) -> str:
        inner = self.method
        name = inner.title or getattr(inner, "own_title", None) or METHODS[inner.kind].title
        return f"Instructions, {name}"
