"""Rows to be answered, from a file, a pipe or standard input: in the formats of a study's files, or plain text.

A row has the task's fields under TuneGrid's names (`question`, `context`) or under those of the study's own data
(`translation.en`, or what its `columns:` say), so that a test file is an input too. Answers in it are not read.
"""

from __future__ import annotations

import os
import re
import select
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats import COMPRESSIONS, DELIMITED, READERS, RawRow, format_of
from tunegrid.data.formats.lines import numbered_lines
from tunegrid.tasks import Row, RowError, Task
from tunegrid.tasks.rows import unlabelled_row

TEXT = "text"
FORMATS = {suffix[1:]: suffix for suffix in READERS} | {TEXT: ".txt"}  # format -> suffix of its files
STDIN = Path("-")
JSON_OBJECT = re.compile(rb"(\xef\xbb\xbf)?\s*\{\s*[\"}]")  # how one begins, after a byte order mark
PAUSE = 0.1  # seconds without a further row after which those that came are answered


class Stream:
    """Lines of standard input, or of a pipe, as they come, and whether more are there."""

    def __init__(self, descriptor: int = 0, name: str = "standard input") -> None:
        self._descriptor, self._name = descriptor, name
        self._lines: deque[bytes] = deque()
        self._rest = b""  # the beginning of a line whose end has not come yet
        self._ended = False

    def __str__(self) -> str:
        return self._name

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

    @property
    def interactive(self) -> bool:
        """Whether somebody types the lines at a terminal."""
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
    place: Path | Stream
    form: str

    @classmethod
    def open(cls, task: Task, file: Path | None, form: str | None = None) -> Input:
        """Opens a file or a pipe; standard input if there is none, or if it is `-`.

        Args:
            form: its format; none: by the suffix of the file, or by the first line of what is no file.

        Raises:
            TuneGridError: there is no such file, or its format is not known.
        """
        if file is None or file == STDIN:
            return cls._stream(task, Stream(), form)
        if not file.exists():
            raise TuneGridError(f"{file}: no such file.")
        if file.is_dir():
            raise TuneGridError(f"{file}: is a folder; name a file of it.")
        if not file.is_file():
            return cls._stream(task, Stream(os.open(file, os.O_RDONLY), str(file)), form)
        known = {suffix: name for name, suffix in FORMATS.items()}
        if form is None and format_of(file) not in known:
            raise TuneGridError(
                f"{file}: unknown file type. Valid: {', '.join(known)}; all but .parquet also with "
                f"{', '.join(COMPRESSIONS)}. Or say what it is: --format {'|'.join(FORMATS)}."
            )
        return cls(task, file, form or known[format_of(file)])

    @classmethod
    def _stream(cls, task: Task, stream: Stream, form: str | None) -> Input:
        return cls(task, stream, form or ("jsonl" if JSON_OBJECT.match(stream.first()) else TEXT))

    def rows(self) -> Iterator[Row]:
        """Rows with the columns that prompts name and, where the input has one, an `id`.

        Raises:
            TuneGridError: a row cannot be used; the message says which and why. The iterator cannot go on then.
        """
        for raw in self.raw():
            yield self.row(raw)

    def raw(self) -> Iterator[RawRow]:
        """Reads the rows without cleaning them."""
        if self.form == "parquet" and isinstance(self.place, Stream):
            raise TuneGridError(f"Parquet cannot be read from {self.place}: --input FILE.")
        if self.form == TEXT:
            return self._lines()
        names = getattr(self.task.settings.source, "header", [])  # a test file of the study has no header either
        if names and FORMATS[self.form] in DELIMITED:
            return READERS[FORMATS[self.form]](self.place, names=names)
        return READERS[FORMATS[self.form]](self.place)

    def row(self, raw: RawRow) -> Row:
        """A row as the task reads it. Raises TuneGridError, with the fields that are missing, if it cannot be used."""
        if self.form == TEXT:
            raw = self._fields(raw)
        try:
            return unlabelled_row(self.task, raw)
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
        # A list of one text is never taken for a list that was printed.
        values = {
            column: [field] if column in self.task.list_columns else field
            for column, field in zip(columns, fields, strict=True)
        }
        return RawRow(values, raw.where)
