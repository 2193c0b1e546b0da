"""Mixtures of tasks to learn at once: how many rows of each, in which wording, and their token ids in one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tunegrid.common.errors import TuneGridError
from tunegrid.data.sources.base import Row
from tunegrid.data.tokens import read_tokens
from tunegrid.tasks.base import Task
from tunegrid.tasks.tokenise import SplitTokeniser
from tunegrid.tasks.wordings import worded

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from transformers import PreTrainedTokenizerBase

Mixing = Literal["proportional", "equal"]
SEED = 0  # of which rows are taken, and in which wording: the same for all seeds, as the rows of a task are


def mixed_counts(rows: Mapping[str, int], mixing: Mixing, limit: int | None) -> dict[str, int]:
    """The training examples of each task in one pass over a mixture.

    `proportional`: examples-proportional mixing (Raffel et al. 2020, section 3.5.2): r_m = min(e_m, K) / sum of
    min(e_n, K), for e_m rows of the task m and the limit K. `equal`: as many of each as the largest has, so the rows of
    smaller tasks are repeated.
    """
    capped = {task: count if limit is None else min(count, limit) for task, count in rows.items()}
    return dict.fromkeys(capped, max(capped.values())) if mixing == "equal" else capped


def assign_wordings(rows: int, count: int, wordings: int) -> np.ndarray:
    """How often each row is an example under each wording, [wordings, rows]; the sum is `count`.

    Rows are drawn without replacement, again and again where more examples than rows are wanted. The wordings take
    turns, and a row that is drawn again gets the next one.
    """
    import numpy as np

    generator = np.random.default_rng(SEED)
    passes = -(-count // rows)
    order = np.concatenate([generator.permutation(rows) for _ in range(passes)])[:count]
    position = np.empty(rows, np.int64)  # in the first pass
    position[order[:rows]] = np.arange(min(rows, count))
    wording = (position[order] + np.arange(count) // rows) % wordings
    return np.stack([np.bincount(order[wording == number], minlength=rows) for number in range(wordings)])


@dataclass(frozen=True)
class MixedTask:
    """A task of a mixture, bound to a family of models, with the wordings that it is learnt in."""

    name: str
    task: Task
    templates: Sequence[str]


def chosen_rows(batches: Iterable[list[Row]], times: np.ndarray) -> Iterator[list[Row]]:
    """The rows of a split, in order, each as often as `times` [rows] says; batch by batch."""
    start = 0
    for batch in batches:
        counts = times[start : start + len(batch)]
        start += len(batch)
        if rows := [row for row, count in zip(batch, counts.tolist(), strict=True) for _ in range(count)]:
            yield rows


def write_mixture(
    parts: Iterable[tuple[MixedTask, int, Any, np.ndarray]],
    tokenizer: PreTrainedTokenizerBase,
    path: Path,
    training: bool,
) -> list[dict[str, Any]]:
    """Writes the token ids of a mixture as one file, task by task and wording by wording.

    Args:
        parts: for each task and wording: the task, the wording's index, a function that reads the task's rows in
            batches, and how often each row is an example.

    Returns:
        For each part that has rows: task, wording, entries of the file, and the account of `SplitTokeniser`.

    Raises:
        TuneGridError: nothing of a task is left to learn from.
    """
    import pyarrow

    ids, account = pyarrow.list_(pyarrow.int32()), []
    schema = pyarrow.schema([("input_ids", ids), ("labels", ids), ("row", pyarrow.int32())])
    piece, first, learnable = path.with_suffix(".part"), 0, {}
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, schema) as writer:
        for mixed, wording, read, times in parts:
            learnable.setdefault(mixed.name, 0)
            if not times.any():
                continue
            task = worded(mixed.task, mixed.templates[wording])
            tokeniser = SplitTokeniser(task, task.family.name, tokenizer, training)
            stats = tokeniser.write(chosen_rows(read(), times), piece)
            table = read_tokens(piece)
            rows = pyarrow.compute.add(table["row"], first)
            writer.write_table(table.set_column(2, "row", rows.cast(pyarrow.int32())))
            account.append({"task": mixed.name, "wording": wording, "entries": len(table), **stats})
            first += tokeniser.rows
            learnable[mixed.name] += tokeniser.learnable
            piece.unlink()
    if lost := [name for name, entries in learnable.items() if not entries]:
        raise TuneGridError(
            f"{path}: no row of {lost[0]} is left to learn from: in no window is a whole answer. Set the task's "
            "max_source_length or window_overlap higher."
        )
    return account


def part_of_task(tokens: pyarrow.Table, account: Sequence[Mapping[str, Any]], name: str) -> pyarrow.Table:
    """The entries of one task in the file of a mixture, their rows numbered from 0."""
    import pyarrow
    import pyarrow.compute

    start = row = 0
    for part in account:
        if part["task"] == name:
            break
        start, row = start + part["entries"], row + part["rows"]
    length = sum(part["entries"] for part in account if part["task"] == name)
    table = tokens.slice(start, length)
    numbers = pyarrow.compute.subtract(table["row"], row).cast(pyarrow.int32())
    return table.set_column(table.column_names.index("row"), "row", numbers)
