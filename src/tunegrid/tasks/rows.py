"""The rows of a source as a task needs them: mapped, cleaned, with an id, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats import RawRow
from tunegrid.data.sources import ReadSource, Split
from tunegrid.tasks import Row, RowError, Task
from tunegrid.tasks.values import identifier_of, list_in_text, mapped, named

EXAMPLES = 3  # rows that are named for each reason to skip some
TO_SKIP = "To leave such rows out, and have them counted: `unusable_rows: skip` in the source"
Unusable = dict[str, dict[str, Any]]  # column -> how many rows were skipped for it, and where the first of them are


def canonical_row(task: Task, raw: RawRow) -> Row:
    """A row of the task's source under TuneGrid's columns, cleaned; its `id` is "" if it has none.

    Raises:
        RowError: the row cannot be used, with the reason.
    """
    if raw.problem:
        raise RowError(raw.problem)
    source, columns, optional = task.settings.source, task.columns, task.optional
    if isinstance(source, ReadSource):
        columns = columns | source.columns
        # A column that the study itself names has to be there, even where the task can do without.
        optional = {name: value for name, value in optional.items() if source.columns.get(name) is None}
    else:  # generated rows have TuneGrid's columns
        columns = {name: name for name in columns}
    row = mapped(raw.values, columns, optional)
    try:
        row = task.clean(row if raw.typed else _with_lists(task, row))
    except RowError as error:
        raise _with_its_own_name(error, columns) from None
    return row | {"id": identifier_of(row, "id")}


def unlabelled_row(task: Task, raw: RawRow) -> Row:
    """The `source_columns` of a row without an answer, cleaned, and its `id` if it has one.

    Columns may have TuneGrid's names, or those of the task's source.

    Raises:
        RowError: the row cannot be used, with the reason.
    """
    if raw.problem:
        raise RowError(raw.problem)
    columns, values = task.columns | getattr(task.settings.source, "columns", {}), raw.values
    found: Row = {}
    for name in ("id", *task.source_columns, *task.instead.values()):
        for column in (name, columns.get(name, name)):  # the source's name counts where a row has both
            with suppress(RowError):
                found |= mapped(values, {name: column}, {})
    missing = [name for name in task.source_columns if not {name, task.instead.get(name)} & found.keys()]
    if missing:
        names = [name if columns[name] == name else f"{name} (or {columns[name]})" for name in missing]
        raise RowError(
            f"lacks {', '.join(names)}. It has: {named(values)}. "
            f"A row of this task needs: {', '.join(task.source_columns)}."
        )
    row = task.clean_source(found if raw.typed else _with_lists(task, found))
    name = identifier_of({"id": found.get("id")}, "id")
    return {"id": name, **row} if name else row


def _with_its_own_name(error: RowError, columns: Mapping[str, str | None]) -> RowError:
    """The error with the name that the column has in the source, which is all that its author knows."""
    ours, theirs = error.column, columns.get(error.column)
    if theirs in (None, ours):
        return error
    return RowError(str(error).replace(f"column {ours}:", f"column {theirs} (for {ours}):", 1), ours)


def _with_lists(task: Task, row: Row) -> Row:
    """A row of CSV with the lists that its texts say."""
    columns = [name for name in task.list_columns if name in row]
    return row | {name: list_in_text(row, name, mappings=name in task.mapping_columns) for name in columns}


def note_skipped(unusable: Unusable, where: str, error: RowError) -> None:
    skipped = unusable.setdefault(error.column, {"rows": 0, "examples": []})
    skipped["rows"] += 1
    if len(skipped["examples"]) < EXAMPLES:
        skipped["examples"].append(f"{where}: {error}")


@dataclass
class Rows:
    """The usable rows of one of the source's splits, cleaned; they can be read as often as needed.

    Attributes:
        holds_out: the splits whose rows come out of these.
        count: how many there were when they were last read to the end.
        unusable: those that were skipped then.
    """

    name: str
    task: Task
    split: Split
    holds_out: tuple[Split, ...] = ()
    count: int = 0
    unusable: Unusable = field(default_factory=dict)

    def read(self) -> Iterator[tuple[str, Row]]:
        """(where the row stands, the canonical row), in the source's order.

        Raises:
            TuneGridError: a row cannot be used, or there is none.
        """
        task, source = self.task, self.task.settings.source
        skips, hint = False, ""  # no generated row is unusable
        if isinstance(source, ReadSource):
            skips = source.unusable_rows == "skip"
            hint = f". {TO_SKIP}"
        self.count, self.unusable = 0, {}
        for number, row in enumerate(source.read(self.split, task.settings.kind) or (), start=1):
            try:
                canonical = canonical_row(task, row)
            except RowError as error:
                if not skips:
                    raise TuneGridError(f"{row.where}: {str(error).removesuffix('.')}{hint}") from None
                note_skipped(self.unusable, row.where, error)
                continue
            # Skipped rows count here, so that an id leads to its row of the source.
            canonical["id"] = canonical["id"] or f"{self.split}-{number:06}"
            self.count += 1
            yield row.where, canonical
        if not self.count:
            self._refuse()

    def _refuse(self) -> None:
        where = self.task.settings.source.describe()
        if not self.unusable:
            raise TuneGridError(f"tasks.{self.name}: the {self.split} split has no rows ({where})")
        number = sum(skipped["rows"] for skipped in self.unusable.values())
        first = next(iter(self.unusable.values()))["examples"][0]
        raise TuneGridError(
            f"tasks.{self.name}: the {self.split} split has no usable row ({where}): all {number:,} were skipped, "
            f"the first because of this: {first}"
        )
