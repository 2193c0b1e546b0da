"""The base of all sources of rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from tunegrid.common.fields import MOST_ROWS, Closed, Seed, Text, Title
from tunegrid.data.formats import RawRow

Row = dict[str, Any]

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


Limit = Annotated[int, Field(gt=0, le=MOST_ROWS)]


class RowLimits(Closed):
    """The maximum number of rows of each split, drawn by a seeded sample; none: all rows."""

    train: Limit | None = None
    validation: Limit | None = None
    test: Limit | None = None


class DataSource(Closed):
    """A source of a task's rows. A new kind is a subclass in a new file, named in `sources.SOURCES`."""

    licence: Title = Field("not stated", description="The data's licence, as the report prints it.")
    seed: Seed = Field(0, description="Seed of the shuffle before a subset is taken, and of generated rows.")

    def read(self, split: Split, task_kind: str) -> Iterator[RawRow] | None:
        """Yields the rows of a split in the source's order; None if the source has no such split.

        Raises:
            TuneGridError: the rows cannot be read.
        """
        raise NotImplementedError

    def test_only(self) -> DataSource:
        """The same source, of which no split but the test split is asked for."""
        return self

    def files(self) -> list[Path]:
        """The local files that the rows depend on: a changed file makes the data stage run again."""
        return []

    def describe(self) -> str:
        """One line for the report and the data card: what the rows are and where they come from."""
        raise NotImplementedError

    def provenance(self) -> dict[str, Any]:
        """Facts for the data card that are known after reading, such as the commit of a revision."""
        return {}


class ReadSource(DataSource):
    """A source of existing rows: their columns are mapped, and a validation split can be held out."""

    columns: dict[str, Text | None] = Field(
        default_factory=dict,
        description="Canonical column -> column of the source; dots reach into nested values (`answers.text`); "
        "null: the source has none, whatever its columns are called.",
    )
    rows: RowLimits = Field(default_factory=RowLimits, description="At most so many rows per split.")
    unusable_rows: Literal["error", "skip"] = Field(
        "error", description="Rows that the task cannot use (an empty text, no answer): end the stage, or are left out."
    )
    validation_share: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share of the training rows (of their groups, where rows have one) held out for validation if the "
        "source has no validation split.",
    )
