"""The data stage: the rows of a source, mapped, cleaned and checked, as one Parquet file per split.

Rows are streamed, so a data set may be larger than the memory. Only numbers are kept of all rows: 8 bytes a row to find
repeated ids, 8 to find test rows among the training rows, and one for the split of the row. Where that split depends on
all rows (subsets, held-out rows), they are read twice.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder, write_json
from tunegrid.common.words import plural
from tunegrid.data import splits
from tunegrid.data.overlap import write_overlap
from tunegrid.data.parquet import ROW_GROUP, SplitWriter
from tunegrid.data.sources import SPLITS, ReadSource, Split
from tunegrid.runtime.provenance import file_digest
from tunegrid.stages.empty_splits import none_left
from tunegrid.tasks import Row, Task
from tunegrid.tasks.rows import Rows

if TYPE_CHECKING:
    import pyarrow


def fetch_data(name: str, task: Task, folder: Path) -> None:
    """Writes `train`, `validation` and `test` as Parquet, and `card.json`, into a folder. Rows keep the source's order.

    `overlap.parquet` says of each test row how much of its text is in the training rows (`data.overlap`).

    Raises:
        TuneGridError: a row or a split cannot be used; the message says where it is. Nothing is written then.
    """
    source, shared = task.settings.source, _shared(task)
    with replaced_folder(folder) as new:
        available, unusable, read = {}, {}, {}
        with ExitStack() as stack:
            outputs = {}
            for split in SPLITS:
                output = SplitWriter(new / f"{split}.parquet", {} if split == "validation" else shared)
                outputs[split] = stack.enter_context(output)
            for rows in _splits_to_read(name, task):
                plan, counts = _plan(rows)
                _write(rows, plan, outputs)
                read[rows.split] = rows
                available |= counts or {rows.split: rows.count}
                if rows.unusable:
                    unusable[rows.split] = rows.unusable
        for split, output in outputs.items():
            if not output.rows:
                where = f"tasks.{name}: the {split} split has no rows ({source.describe()})"
                raise TuneGridError(f"{where}: {_why_none_left(read['train'])}")
        train, test = outputs["train"].hashes, outputs["test"].hashes
        card = {
            "task": name,
            "kind": task.settings.kind,
            "source": source.describe(),
            **source.provenance(),
            **({"protocol": protocol} if (protocol := _protocol(task)) else {}),
            "rows": {split: output.rows for split, output in outputs.items()},
            "rows_available": {split: available[split] for split in SPLITS},
            "unusable_rows": unusable,
            **{f"test_{what}_seen_in_training": _seen(train[what], test[what]) for what in shared},
            "fingerprint": file_digest(*(new / f"{split}.parquet" for split in SPLITS)),
        }
        write_json(new / "card.json", card)
        write_overlap(new, task.source_columns, tuple(dict.fromkeys((*task.source_columns, *task.text_columns))))


def fetch_domain(task_name: str, domain: str, task: Task, folder: Path) -> None:
    """Writes the rows of another domain, as `test.parquet`, and its `card.json`, into a folder.

    Args:
        task: the task with the domain's rows for a source (`Study.domain_task`).

    Raises:
        TuneGridError: a row cannot be used, or there is none. Nothing is written then.
    """
    source = task.settings.source
    with replaced_folder(folder) as new:
        rows = Rows(f"{task_name}.evaluate_on.{domain}", task, "test")
        with SplitWriter(new / "test.parquet", {}) as output:
            plan, counts = _plan(rows)
            _write(rows, plan, {"train": None, "validation": None, "test": output})
        card = {
            "task": task_name,
            "domain": domain,
            "kind": task.settings.kind,
            "source": source.describe(),
            **source.provenance(),
            "rows": {"test": output.rows},
            "rows_available": {"test": counts.get("test", rows.count)},
            "unusable_rows": {"test": rows.unusable} if rows.unusable else {},
            "fingerprint": file_digest(new / "test.parquet"),
        }
        write_json(new / "card.json", card)


# -- reading rows ----------------------------------------------------------------------------------------------------


def _protocol(task: Task) -> str | None:
    """The protocol by which a task makes its splits; None: the task has only one."""
    return getattr(task.settings, "protocol", None)


def _splits_to_read(name: str, task: Task) -> list[Rows]:
    """The splits that are read from the source; the others are made from its training rows."""
    source = task.settings.source
    if _protocol(task) == "published":
        return [Rows(name, task, "train")]
    if not isinstance(source, ReadSource):
        return [Rows(name, task, split) for split in SPLITS]
    made = tuple(split for split in ("validation", "test") if source.read(split, task.settings.kind) is None)
    return [Rows(name, task, split, made if split == "train" else ()) for split in SPLITS if split not in made]


# -- the split of each row --------------------------------------------------------------------------------------------


def _plan(rows: Rows) -> tuple[np.ndarray | None, dict[Split, int]]:
    """(number of each row's split, rows that each split could have).

    (None, {}) if all rows belong to the split they are read from: they need not be read twice.
    """
    source, published = rows.task.settings.source, _protocol(rows.task) == "published"
    if not isinstance(source, ReadSource):
        return None, {}
    if not (published or rows.holds_out) and getattr(source.rows, rows.split) is None:
        return None, {}

    into: tuple[Split, ...] = (rows.split,)
    if rows.holds_out:
        into = ("train", *rows.holds_out)
        share = source.validation_share if "validation" in rows.holds_out else None
        test_share = source.test_share if "test" in rows.holds_out else None
        plan = splits.hold_out(_keys(rows), share, source.seed, test_share)
    else:
        for _ in rows.read():
            pass
        plan = np.full(rows.count, SPLITS.index(rows.split), dtype=np.uint8)
    if published:
        into, plan = SPLITS, splits.assign_published(rows.count, source.seed)
    available = {split: int((plan == SPLITS.index(split)).sum()) for split in into}
    for split in into:
        splits.limit(plan, split, getattr(source.rows, split), source.seed)
    return plan, available


def _why_none_left(rows: Rows) -> str:
    """Why splits that are made of these rows leave one without any, and what to do."""
    source = rows.task.settings.source
    if _protocol(rows.task) == "published":
        return f"`protocol: published` makes all splits of the training rows, three at least; there are {rows.count}"
    shares = {split: getattr(source, f"{split}_share") for split in rows.holds_out}
    unit = "group" if any(row.get("group") for _, row in rows.read()) else "row"
    return none_left(source, shares, plural(rows.count, "row"), len(_keys(rows).unique()), unit)


def _keys(rows: Rows) -> pyarrow.ChunkedArray:
    """The key of each row, with which rows are held out together: its group, or its id."""
    import pyarrow

    text, chunks = pyarrow.string(), []
    keys = (row.get("group") or row["id"] for _, row in rows.read())
    while chunk := list(islice(keys, ROW_GROUP)):
        chunks.append(pyarrow.array(chunk, text))
    return pyarrow.chunked_array(chunks, text)


def _write(rows: Rows, plan: np.ndarray | None, outputs: dict[Split, SplitWriter | None]) -> None:
    """Writes every row to its split's output, and checks that no id occurs twice."""
    ids = array("q")
    if plan is not None:
        destinations, writers = memoryview(plan), [*outputs.values(), None]
    for number, (_, row) in enumerate(rows.read()):
        # Only compared within this process, so that Python's own keyed hash of 64 bits will do.
        ids.append(hash(row["id"]))
        if plan is None:
            outputs[rows.split].add(row)
        elif number == len(plan):
            break
        elif output := writers[destinations[number]]:
            output.add(row)
    if plan is not None and rows.count != len(plan):
        raise TuneGridError(
            f"tasks.{rows.name}: the {rows.split} split changed while it was read "
            f"({rows.task.settings.source.describe()}). Run again."
        )
    _refuse_repeated(rows, ids)


def _refuse_repeated(rows: Rows, ids: array) -> None:
    """Raises TuneGridError if an id is repeated; where two hashes are equal, the ids themselves are compared."""
    hashes = np.frombuffer(ids, dtype=np.int64)
    hashes.sort()
    suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    seen: set[str] = set()
    for where, row in rows.read() if suspects else ():
        if hash(row["id"]) in suspects:
            if row["id"] in seen:
                raise TuneGridError(f"{where}: the id {row['id']!r} stands there a second time")
            seen.add(row["id"])


# -- what is written --------------------------------------------------------------------------------------------------


def _shared(task: Task) -> dict[str, Callable[[Row], str]]:
    """What a test row is looked for by among the training rows; for question answering also by its context alone."""
    texts = {"rows": lambda row: f"{row[task.truncatable]}\0{row.get('question', '')}"}
    return texts | ({"contexts": lambda row: row["context"]} if "context" in task.columns else {})


def _seen(train: array, test: array) -> int:
    """How many of the test hashes are among the training hashes.

    With 64 bits, the chance that any two of a million training and ten thousand test texts agree by accident is 1e-9.
    """
    known = np.frombuffer(train, dtype=np.uint64)
    known.sort()
    wanted = np.frombuffer(test, dtype=np.uint64)
    at = np.searchsorted(known, wanted).clip(max=len(known) - 1)
    return int((known[at] == wanted).sum())
