"""Rows to be answered, from a file or from standard input: JSON Lines, CSV, Parquet or plain text.

A row has the task's fields under TuneGrid's names (`question`, `context`) or under those of the study's own data
(`translation.en`, or what its `columns:` say), so that a test file is an input too. Answers in it are not read.
"""

from __future__ import annotations

import json
import os
import select
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.data.sources.base import RawRow
from tunegrid.data.sources.files import READERS, numbered_lines
from tunegrid.tasks import Row, RowError, Task
from tunegrid.tasks.rows import unlabelled_row

TEXT = "text"
FORMATS = {"jsonl": ".jsonl", "csv": ".csv", "parquet": ".parquet", TEXT: ".txt"}  # format -> suffix of its files
PAUSE = 0.1  # seconds without a further row after which those that came are answered


class Stdin:
    """Lines of standard input as they come: what the readers of rows need of a path, and whether more is there."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._rest = b""  # the beginning of a line whose end has not come yet
        self._ended = False

    def __str__(self) -> str:
        return "standard input"

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while not self._lines:
            if self._ended:
                raise StopIteration
            self._read()
        return self._lines.popleft()

    def _read(self) -> None:
        chunk = os.read(self._descriptor, 1 << 16)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._lines.extend(line + b"\n" for line in lines)
        if not chunk:
            self._ended = True
            if self._rest:
                self._lines.append(self._rest)

    def open(self, mode: str) -> AbstractContextManager[Iterator[bytes]]:
        return nullcontext(self)

    @property
    def interactive(self) -> bool:
        """Whether standard input is a terminal."""
        return os.isatty(self._descriptor)

    def more(self) -> bool:
        """Tells whether another line has come, or begins to come within PAUSE."""
        return bool(self._lines) or bool(select.select([self._descriptor], [], [], PAUSE)[0])

    def first(self) -> bytes:
        """The first line that is not empty, which stays to be read; b"" if there is none."""
        seen: list[bytes] = []
        for line in self:
            seen.append(line)
            if line.strip():
                break
        self._lines.extendleft(reversed(seen))
        return seen[-1] if seen else b""


@dataclass(frozen=True)
class Input:
    """A source of rows to be answered, with its format."""

    task: Task
    place: Path | Stdin
    form: str

    @classmethod
    def open(cls, task: Task, file: Path | None, form: str | None = None) -> Input:
        """Opens a file, or standard input if there is none.

        Args:
            form: its format; none: by the suffix of the file, or by the first line of standard input.

        Raises:
            TuneGridError: there is no such file, or its format is not known.
        """
        if file is None:
            place = Stdin()
            return cls(task, place, form or ("jsonl" if _is_json(place.first()) else TEXT))
        if not file.is_file():
            raise TuneGridError(f"{file}: no such file.")
        known = {suffix: name for name, suffix in FORMATS.items()}
        if form is None and file.suffix not in known:
            raise TuneGridError(
                f"{file}: unknown file type. Valid: {', '.join(known)}; or say what it is: --format "
                f"{'|'.join(FORMATS)}."
            )
        return cls(task, file, form or known[file.suffix])

    def rows(self) -> Iterator[Row]:
        """Rows with the columns that prompts name and, where the input has one, an `id`.

        Raises:
            TuneGridError: a row cannot be used; the message says which and why. The iterator cannot go on then.
        """
        for raw in self.raw():
            yield self.row(raw)

    def raw(self) -> Iterator[RawRow]:
        """Reads the rows without cleaning them."""
        if self.form == "parquet" and isinstance(self.place, Stdin):
            raise TuneGridError("Parquet cannot be read from standard input: --input FILE.")
        return self._lines() if self.form == TEXT else READERS[FORMATS[self.form]](self.place)

    def row(self, raw: RawRow) -> Row:
        """A row as the task reads it. Raises TuneGridError, with the fields that are missing, if it cannot be used."""
        if self.form == TEXT:
            raw = self._fields(raw)
        try:
            return unlabelled_row(self.task, raw.values)
        except RowError as error:
            raise TuneGridError(f"{raw.where}: {error}") from None

    def _lines(self) -> Iterator[RawRow]:
        for number, line in numbered_lines(self.place):
            if line.strip():
                yield RawRow({TEXT: line.rstrip("\r\n")}, f"{self.place}, line {number}")

    def _fields(self, raw: RawRow) -> RawRow:
        """A line of plain text is one field; where a task has several, tabs part them."""
        columns, line = self.task.source_columns, raw.values[TEXT]
        fields = line.split("\t") if len(columns) > 1 else [line]
        if len(fields) != len(columns):
            raise TuneGridError(
                f"{raw.where}: has {len(fields)} field(s), but a row of this task needs {len(columns)}: "
                f"{', '.join(columns)}. In plain text a tab parts them; or give JSON Lines or CSV."
            )
        return RawRow(dict(zip(columns, fields, strict=True)), raw.where)


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
