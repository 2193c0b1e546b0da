"""Rows from local files: JSON Lines, JSON, CSV, TSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed, Text, check_distinct
from tunegrid.data.formats import DELIMITED, READERS, VALID, RawRow, format_of, read_rows
from tunegrid.data.sources.base import ReadSource, Split


class SplitFiles(Closed):
    """The file of each split, relative to the folder that the study is run in."""

    train: Text | None = None
    validation: Text | None = None
    test: Text | None = None


class FilesSource(ReadSource):
    """Rows in files, one for each split."""

    kind: Literal["files"]
    paths: SplitFiles = Field(
        description=(
            "`train`, `test` (not needed with `test_share` or `protocol: published`), optionally `validation`: files "
            "relative to the folder that the study is run in."
        )
    )

    header: list[Text] = Field(
        default_factory=list,
        max_length=10_000,
        description="Names of the columns of CSV and TSV files that have none in their first line.",
    )
    test_share: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the training rows (of their groups, where rows have one) held out as the test split, "
        "where there is no file for it.",
    )

    @field_validator("paths")
    @classmethod
    def _known_formats(cls, paths: SplitFiles) -> SplitFiles:
        for split, name in paths.model_dump(exclude_none=True).items():
            if format_of(name) not in READERS:
                raise ValueError(f"{split}: {name}: unknown file type. Valid: {VALID}")
        return paths

    _is_distinct = field_validator("header")(check_distinct)

    @model_validator(mode="after")
    def _test_rows_come_from_one_place(self) -> FilesSource:
        if self.test_share is not None and self.paths.test is not None:
            raise ValueError("test_share: there is a file of test rows too; leave one of them out")
        if self.header and not any(format_of(name) in DELIMITED for name in self.paths.model_dump().values() if name):
            raise ValueError("header: only CSV and TSV files can have no names of columns")
        return self

    def files(self) -> list[Path]:
        return [Path(name) for name in self.paths.model_dump(exclude_none=True).values()]

    def read(self, split: Split, task_kind: str) -> Iterator[RawRow] | None:
        name = getattr(self.paths, split)
        if name is None:
            return None
        path = Path(name)
        if not path.is_file():
            raise TuneGridError(f"{path}: no such file (the {split} split). Paths are relative to the current folder.")
        return read_rows(path, names=self.header)

    def describe(self) -> str:
        held_out = f" ({100 * self.test_share:g}% of the rows held out for test)" if self.test_share else ""
        return "files " + ", ".join(str(path) for path in self.files()) + held_out
