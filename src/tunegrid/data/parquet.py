"""Rows as Parquet files."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from tunegrid.data.sources.base import Row

if TYPE_CHECKING:
    import pyarrow

ROW_GROUP = 10_000  # rows written at once: bounds the memory; it shows in the files' bytes, and so in the fingerprint


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> list[Row]:
    """The canonical rows of one split, or only some of their columns."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path, columns=columns and list(columns)).to_pylist()


def iterate_parquet(path: Path, batch_size: int) -> Iterator[list[Row]]:
    """The canonical rows of one split, in order, so many at a time: a whole split may not fit into memory."""
    import pyarrow.parquet

    # Buffered ahead, the whole file would be in memory at the end.
    for batch in pyarrow.parquet.ParquetFile(path, pre_buffer=False).iter_batches(batch_size):
        yield batch.to_pylist()


class SplitWriter:
    """One split as Parquet, written a row group at a time; of its rows it keeps hashes of the given texts."""

    def __init__(self, path: Path, texts: dict[str, Callable[[Row], str]] | None = None) -> None:
        self._path, self._texts = path, texts or {}
        self.rows = 0
        self.hashes = {what: array("Q") for what in self._texts}
        self._waiting: list[Row] = []
        self._writer: pyarrow.parquet.ParquetWriter | None = None

    def add(self, row: Row) -> None:
        self.rows += 1
        for what, text in self._texts.items():
            hashed = blake2b(text(row).encode(), digest_size=8).digest()
            self.hashes[what].append(int.from_bytes(hashed, "little"))
        self._waiting.append(row)
        if len(self._waiting) == ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow
        import pyarrow.parquet

        if self._writer is None:
            text, texts = pyarrow.string(), pyarrow.list_(pyarrow.string())
            columns = [(name, texts if isinstance(value, list) else text) for name, value in self._waiting[0].items()]
            self._writer = pyarrow.parquet.ParquetWriter(self._path, pyarrow.schema(columns))
        self._writer.write_table(pyarrow.Table.from_pylist(self._waiting, schema=self._writer.schema))
        self._waiting.clear()

    def __enter__(self) -> SplitWriter:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if self._waiting and error is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()
