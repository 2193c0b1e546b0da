"""Rows from local files: JSON Lines, JSON, CSV, TSV or Parquet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed, Text
from tunegrid.data.formats import READERS, VALID, RawRow, format_of, read_rows
from tunegrid.data.sources.base import ReadSource, Split


class SplitFiles(Closed):
    """The file of each split, relative to the folder that the study is run in."""

    train: Text
    validation: Text | None = None
    test: Text | None = None


class FilesSource(ReadSource):
    """Rows in files, one for each split."""

    kind: Literal["files"]
    paths: SplitFiles = Field(
        description=(
            "`train`, `test` (not needed with `protocol: published`) and, optionally, `validation`: files "
            "relative to the folder that the study is run in."
        )
    )

    @field_validator("paths")
    @classmethod
    def _known_formats(cls, paths: SplitFiles) -> SplitFiles:
        for split, name in paths.model_dump(exclude_none=True).items():
            if format_of(name) not in READERS:
                raise ValueError(f"{split}: {name}: unknown file type. Valid: {VALID}")
        return paths

    def files(self) -> list[Path]:
        return [Path(name) for name in self.paths.model_dump(exclude_none=True).values()]

    def read(self, split: Split, task_kind: str) -> Iterator[RawRow] | None:
        name = getattr(self.paths, split)
        if name is None:
            return None
        path = Path(name)
        if not path.is_file():
            raise TuneGridError(f"{path}: no such file (the {split} split). Paths are relative to the current folder.")
        return read_rows(path)

    def describe(self) -> str:
        return "files " + ", ".join(str(path) for path in self.files())
