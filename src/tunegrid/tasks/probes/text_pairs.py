"""Probes of tasks with labels whose pairs of texts are in a file, such as CrowS-Pairs (Nangia et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tunegrid.common.fields import Closed, Text
from tunegrid.data.formats import RawRow
from tunegrid.tasks.base import Task
from tunegrid.tasks.probes.base import ProbePair
from tunegrid.tasks.probes.labels import LabelSet
from tunegrid.tasks.probes.row_sets import RowSet
from tunegrid.tasks.values import RowError, mapped, text_of


class PairColumns(Closed):
    """Which columns of the file the texts are in."""

    first: Text = Field("first", description="The text of the first side.")
    second: Text = Field("second", description="The text of the second side.")
    group: Text | None = Field(
        None,
        description="What pairs that are alike have in common, such as a template: intervals are drawn over the "
        "groups; none: every pair is one.",
    )
    condition: Text | None = Field(None, description="The part of the set that a pair belongs to; none: there is one.")


class TextPairs(LabelSet, RowSet):
    """Ready pairs of texts for a task that chooses among labels."""

    kind: Literal["text-pairs"]
    columns: PairColumns = Field(default_factory=PairColumns, description="Which columns of the file the texts are in.")

    @property
    def conditions(self) -> Sequence[str]:
        if self.columns.condition is None:
            return ("",)
        return list(dict.fromkeys(self._condition(raw) for raw in self._read()))

    def pair(self, task: Task, row: RawRow) -> tuple[str, ProbePair]:
        values = mapped(row.values, self.columns.model_dump(exclude_none=True), {})
        texts = [text_of(values, side) for side in ("first", "second")]
        if texts[0] == texts[1]:
            raise RowError("both texts are the same, so that nothing differs")
        (column,) = task.source_columns
        first, second = (task.clean_source({column: text}) for text in texts)
        group = str(values["group"]) if "group" in values else row.where
        return group, ProbePair(0, self._condition(row), different_words(*texts), (first, second))

    def _condition(self, row: RawRow) -> str:
        column = self.columns.condition
        return "" if column is None else str(mapped(row.values, {"condition": column}, {})["condition"])


def different_words(first: str, second: str) -> tuple[str, str]:
    """What of two texts differs: the words between those that both begin with and those that both end with."""
    words, others = first.split(), second.split()
    shorter = min(len(words), len(others))
    start = next((i for i in range(shorter) if words[i] != others[i]), shorter)
    end = next((i for i in range(shorter - start) if words[-1 - i] != others[-1 - i]), shorter - start)
    return " ".join(words[start : len(words) - end]), " ".join(others[start : len(others) - end])
