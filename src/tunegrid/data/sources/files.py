"""Rows from local files: JSON Lines, CSV or Parquet."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed
from tunegrid.data.sources.base import RawRow, ReadSource, Split

BATCH = 10_000  # rows of a Parquet file that are decoded at once


class SplitFiles(Closed):
    """The file of each split, relative to the folder that the study is run in."""

    train: str
    validation: str | None = None
    test: str | None = None


class FilesSource(ReadSource):
    """Rows in files: one JSON object per line (.jsonl), CSV with a header line (.csv) or Parquet (.parquet)."""

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
            if Path(name).suffix not in READERS:
                raise ValueError(f"{split}: {name}: unknown file type. Valid: {', '.join(READERS)}")
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
        return READERS[path.suffix](path)

    def describe(self) -> str:
        return "files " + ", ".join(str(path) for path in self.files())


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yields (number from 1, line) of a text file. Raises TuneGridError for a line that is not valid UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise TuneGridError(
                    f"{path}, line {number}: not valid UTF-8 (byte {error.start + 1} of the line). "
                    "Save the file as UTF-8 and run again."
                ) from None


def _read_jsonl(path: Path) -> Iterator[RawRow]:
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            raise TuneGridError(f"{path}, line {number}: not valid JSON: {error}") from None
        if "\\ud" in line.lower() and not _is_unicode(values):
            raise TuneGridError(f"{path}, line {number}: not valid UTF-8: an escape (\\ud…) is half of a character.")
        if not isinstance(values, dict):
            raise TuneGridError(
                f"{path}, line {number}: a row must be a JSON object, this is a {type(values).__name__}."
            )
        yield RawRow(values, f"{path}, line {number}")


def _is_unicode(values: object) -> bool:
    """Whether values can be written as UTF-8; JSON's escapes can also make one half of a surrogate pair."""
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_csv(path: Path) -> Iterator[RawRow]:
    reader = csv.DictReader((line for _, line in numbered_lines(path)), strict=True)
    try:
        for values in reader:
            where = f"{path}, line {reader.line_num}"
            if None in values or None in values.values():
                raise TuneGridError(f"{where}: has not as many fields as the header ({len(reader.fieldnames or [])}).")
            yield RawRow(values, where)
    except csv.Error as error:
        raise TuneGridError(f"{path}, line {reader.reader.line_num}: not valid CSV: {error}") from None


def _read_parquet(path: Path) -> Iterator[RawRow]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path, pre_buffer=False)  # else all of it stays in memory
    except pyarrow.ArrowException as error:
        raise TuneGridError(f"{path}: not a valid Parquet file: {error}") from None
    number = 0
    try:
        for batch in file.iter_batches(BATCH):
            for values in batch.to_pylist():
                number += 1
                yield RawRow(values, f"{path}, row {number}")
    except (pyarrow.ArrowException, UnicodeDecodeError, OSError) as error:
        raise TuneGridError(f"{path}, after row {number}: cannot be read: {error}") from None


READERS = {".jsonl": _read_jsonl, ".csv": _read_csv, ".parquet": _read_parquet}
