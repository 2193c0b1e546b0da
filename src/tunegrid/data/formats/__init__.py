"""Readers of rows by the suffix of a file's name: the same for files of a study, data sets of the Hub, and predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from tunegrid.data.formats.base import ClassIndex, RawRow
from tunegrid.data.formats.columns import read_columns
from tunegrid.data.formats.delimited import read_csv
from tunegrid.data.formats.json_rows import read_json, read_json_lines
from tunegrid.data.formats.lines import COMPRESSIONS
from tunegrid.data.formats.parquet_rows import read_parquet_rows

READERS: dict[str, Callable[[Any], Iterator[RawRow]]] = {
    ".jsonl": read_json_lines,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": partial(read_csv, separator="\t"),
    ".parquet": read_parquet_rows,
    **dict.fromkeys((".conll", ".bio", ".iob", ".iob2"), read_columns),
}
DELIMITED = (".csv", ".tsv")
VALID = f"{', '.join(READERS)}; all but .parquet also with {', '.join(COMPRESSIONS)}"


def format_of(name: str | PurePath) -> str:
    """The suffix that says a file's format, in small letters and without that of a compression: `.jsonl`."""
    path = PurePath(name)
    if path.suffix.lower() in COMPRESSIONS:
        inner = path.with_suffix("").suffix.lower()
        return "" if inner == ".parquet" else inner
    return path.suffix.lower()


def read_rows(path: Path, separator: str | None = None, names: Sequence[str] = ()) -> Iterator[RawRow]:
    """The rows of a file, in its order.

    Args:
        separator: that of CSV, where it is known.
        names: of the columns of CSV or TSV without a header.

    Raises:
        TuneGridError: the file, or a part of it, cannot be read.
    """
    form = format_of(path)
    if form in DELIMITED:
        return read_csv(path, "\t" if form == ".tsv" else separator, names)
    return READERS[form](path)


__all__ = [
    "COMPRESSIONS",
    "DELIMITED",
    "READERS",
    "VALID",
    "ClassIndex",
    "RawRow",
    "format_of",
    "read_csv",
    "read_rows",
]
