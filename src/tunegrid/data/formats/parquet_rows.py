"""Rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats.base import RawRow
from tunegrid.data.formats.classes import classes_in_metadata, mark_classes
from tunegrid.data.formats.delimited import check_columns
from tunegrid.data.formats.lines import refuse_pointer

if TYPE_CHECKING:
    import pyarrow

BATCH = 10_000  # rows that are decoded at once


def read_parquet_rows(path: Path) -> Iterator[RawRow]:
    """The rows of a file; a MAP is a dictionary, a class with declared names a `ClassIndex`.

    Raises:
        TuneGridError: it is damaged, no Parquet, or a column stands twice.
    """
    import pyarrow.parquet

    try:
        refuse_pointer(path)
    except OSError as error:
        raise TuneGridError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        file = pyarrow.parquet.ParquetFile(path, pre_buffer=False)  # else all of it stays in memory
        columns, metadata = file.schema_arrow.names, file.schema_arrow.metadata or {}
    except Exception as error:  # a damaged footer raises whatever its bytes lead to
        raise TuneGridError(f"{path}: not a valid Parquet file: {_in_one_line(error)}") from None
    check_columns(columns, path)
    classes, number = classes_in_metadata(metadata), 0
    try:
        for batch in file.iter_batches(BATCH):
            for values, problem in _decoded(batch):
                number += 1
                mark_classes(values, classes)
                yield RawRow(values, f"{path}, row {number}", problem)
    except Exception as error:  # as above, and types that Python has no value for
        raise TuneGridError(f"{path}, after row {number}: cannot be read: {_in_one_line(error)}") from None


def _decoded(batch: pyarrow.RecordBatch) -> Iterator[tuple[dict[str, Any], str | None]]:
    """(values, why they cannot be used) of each row."""
    try:
        for values in batch.to_pylist(maps_as_pydicts="strict"):
            yield values, None
    except KeyError:  # some row's MAP has a key twice
        for number in range(len(batch)):
            try:
                yield batch.slice(number, 1).to_pylist(maps_as_pydicts="strict")[0], None
            except KeyError as error:
                yield {}, f"a map of it has a key twice ({error.args[0]})"


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 240 else f"{text[:240]}…"
