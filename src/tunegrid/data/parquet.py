"""Reading and writing rows as Parquet files."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced
from tunegrid.data.sources.base import Row

if TYPE_CHECKING:
    import pyarrow

ROW_GROUP = 10_000  # rows written at once: bounds the memory; it shows in the files' bytes, and so in the fingerprint


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Raises TuneGridError, with what to do, where a file which a job writes is not there or, by Arrow, damaged."""
    import pyarrow

    try:
        yield
    except FileNotFoundError:
        raise TuneGridError(f"{path}: no such file. Run the job that writes it first.") from None
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise TuneGridError(f"{path}: damaged or cut off ({reason}). Delete it and run its job again.") from None


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> list[Row]:
    """Reads the canonical rows of one split, or only some of their columns."""
    import pyarrow.parquet

    with whole(path):
        return pyarrow.parquet.read_table(path, columns=columns and list(columns)).to_pylist()


def count_rows(path: Path) -> int:
    """The number of rows of one split."""
    import pyarrow.parquet

    with whole(path):
        return pyarrow.parquet.read_metadata(path).num_rows


def record_batches(path: Path, size: int, columns: Sequence[str] | None = None) -> Iterator[pyarrow.RecordBatch]:
    """Yields one split, or only some of its columns, in batches, in order: a whole split may not fit into memory."""
    import pyarrow.parquet

    # With `pre_buffer`, the whole file would be in memory at the end.
    with whole(path):
        batches = pyarrow.parquet.ParquetFile(path, pre_buffer=False).iter_batches(size, columns=columns)
    while True:
        with whole(path):  # and not around the caller's work
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def iterate_parquet(path: Path, batch_size: int = ROW_GROUP) -> Iterator[list[Row]]:
    """Yields the canonical rows of one split in batches, in order."""
    return (batch.to_pylist() for batch in record_batches(path, batch_size))


def write_columns(path: Path, columns: Mapping[str, Any]) -> None:
    """Writes columns, lists or arrays of one length, as a Parquet file; whole or not at all."""
    import pyarrow
    import pyarrow.parquet

    with replaced(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(dict(columns)), temporary)


class SplitWriter:
    """Writes one split as Parquet, a row group at a time, and keeps hashes of given texts of its rows."""

    def __init__(self, path: Path, texts: dict[str, Callable[[Row], str]] | None = None) -> None:
        self._path, self._texts = path, texts or {}
        self.rows = 0
        self.hashes = {name: array("Q") for name in self._texts}
        self._pending: list[Row] = []
        self._writer: pyarrow.parquet.ParquetWriter | None = None

    def add(self, row: Row) -> None:
        self.rows += 1
        for name, text in self._texts.items():
            hashed = blake2b(text(row).encode(), digest_size=8).digest()
            self.hashes[name].append(int.from_bytes(hashed, "little"))
        self._pending.append(row)
        if len(self._pending) == ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow
        import pyarrow.parquet

        if self._writer is None:
            text, texts = pyarrow.string(), pyarrow.list_(pyarrow.string())
            columns = [(name, texts if isinstance(value, list) else text) for name, value in self._pending[0].items()]
            self._writer = pyarrow.parquet.ParquetWriter(self._path, pyarrow.schema(columns))
        self._writer.write_table(pyarrow.Table.from_pylist(self._pending, schema=self._writer.schema))
        self._pending.clear()

    def __enter__(self) -> SplitWriter:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if self._pending and error is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()
