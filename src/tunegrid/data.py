"""The data stage: the rows of a source, mapped, cleaned and checked, as one Parquet file per split."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tunegrid.errors import TuneGridError
from tunegrid.files import replaced_folder, write_json
from tunegrid.provenance import file_digest
from tunegrid.sources import SPLITS, DataSource, ReadSource, Split
from tunegrid.tasks import Row, RowError, Task
from tunegrid.tasks.base import mapped


def fetch_data(name: str, task: Task, folder: Path) -> None:
    """Writes `train`, `validation` and `test` as Parquet, and `card.json`, into a folder.

    Raises:
        TuneGridError: a row or a split cannot be used; the message says where it stands. Nothing is written then.
    """
    source = task.settings.source
    splits = read_splits(name, task)
    with replaced_folder(folder) as new:
        for split, rows in splits.items():
            _write_parquet(rows, new / f"{split}.parquet")
        card = {
            "task": name,
            "kind": task.settings.kind,
            "source": source.describe(),
            **source.provenance(),
            "rows": {split: len(rows) for split, rows in splits.items()},
            "test_rows_seen_in_training": _overlap(task, splits["train"], splits["test"]),
            "fingerprint": file_digest(*(new / f"{split}.parquet" for split in SPLITS)),
        }
        write_json(new / "card.json", card)


def read_splits(name: str, task: Task) -> dict[Split, list[Row]]:
    """The canonical rows of all three splits; see `fetch_data`."""
    source = task.settings.source
    splits: dict[Split, list[Row]] = {}
    for split in SPLITS:
        rows = _rows(task, split)
        if rows is not None:
            splits[split] = rows
            if not rows:
                raise TuneGridError(f"tasks.{name}: the {split} split has no rows ({source.describe()})")
    if isinstance(source, ReadSource):
        if "validation" not in splits:
            splits["train"], splits["validation"] = _hold_out(splits["train"], source)
        splits = {split: _subset(rows, getattr(source.rows, split), source.seed) for split, rows in splits.items()}
    for split in SPLITS:
        if not splits[split]:
            raise TuneGridError(f"tasks.{name}: the {split} split has no rows ({source.describe()})")
    return {split: splits[split] for split in SPLITS}


def read_parquet(path: Path) -> list[Row]:
    """The canonical rows of one split."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist()


def iterate_parquet(path: Path, batch_size: int) -> Iterator[list[Row]]:
    """The canonical rows of one split, in order, so many at a time: a whole split may not fit into memory."""
    import pyarrow.parquet

    for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size):
        yield batch.to_pylist()


def _rows(task: Task, split: Split) -> list[Row] | None:
    source: DataSource = task.settings.source
    raw = source.read(split, task.settings.kind)
    if raw is None:
        return None
    # Generated rows are canonical already.
    columns, optional = {name: name for name in task.columns}, task.optional
    if isinstance(source, ReadSource):
        columns = task.columns | source.columns
        # A column that the study itself names has to be there, even where the task can do without.
        optional = {name: value for name, value in task.optional.items() if name not in source.columns}
    rows: list[Row] = []
    seen: set[str] = set()
    for number, row in enumerate(raw, start=1):
        try:
            canonical = task.clean(mapped(row.values, columns, optional))
        except RowError as error:
            raise TuneGridError(f"{row.where}: {error}") from None
        canonical["id"] = str(canonical["id"] if canonical["id"] not in (None, "") else f"{split}-{number:06}")
        if canonical["id"] in seen:
            raise TuneGridError(f"{row.where}: the id {canonical['id']!r} stands there a second time")
        seen.add(canonical["id"])
        rows.append(canonical)
    return rows


def _hold_out(rows: list[Row], source: ReadSource) -> tuple[list[Row], list[Row]]:
    """(training, validation): whole groups are held out, so that no article of the training rows is chosen on."""
    key = (lambda row: row["group"] or row["id"]) if "group" in rows[0] else (lambda row: row["id"])
    groups = sorted({key(row) for row in rows})
    random.Random(source.seed).shuffle(groups)
    held_out = set(groups[: max(1, round(len(groups) * source.validation_share))])
    return [row for row in rows if key(row) not in held_out], [row for row in rows if key(row) in held_out]


def _subset(rows: list[Row], limit: int | None, seed: int) -> list[Row]:
    """At most `limit` rows, taken after a seeded shuffle (some data sets are sorted by label), in their own order."""
    if limit is None or limit >= len(rows):
        return rows
    chosen = sorted(random.Random(seed).sample(range(len(rows)), limit))
    return [rows[i] for i in chosen]


def _overlap(task: Task, train: list[Row], test: list[Row]) -> int:
    """How many test rows have the text of a training row (for question answering: context and question)."""

    def text(row: Row) -> tuple[str, str]:
        return row[task.cuttable], row.get("question", "")

    seen = {text(row) for row in train}
    return sum(text(row) in seen for row in test)


def _write_parquet(rows: list[Row], path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    text, texts = pyarrow.string(), pyarrow.list_(pyarrow.string())
    schema = pyarrow.schema([(name, texts if isinstance(value, list) else text) for name, value in rows[0].items()])
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), path)
