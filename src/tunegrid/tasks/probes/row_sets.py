"""Sets of probes whose texts are the rows of a file, as published sets have them."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Text
from tunegrid.data.formats import READERS, VALID, RawRow, format_of, read_rows
from tunegrid.tasks.base import Task
from tunegrid.tasks.probes.base import MOST_PAIRS, ProbePair, ProbeSet
from tunegrid.tasks.values import RowError


class RowSet(ProbeSet):
    """A set that is read from a file of rows."""

    file: Text = Field(description=f"Path of the file, relative to the folder that the study is run in: {VALID}.")

    @field_validator("file")
    @classmethod
    def _known_format(cls, file: str) -> str:
        if format_of(file) not in READERS:
            raise ValueError(f"{file}: unknown file type. Valid: {VALID}")
        return file

    def identity(self) -> dict[str, Any]:
        path = Path(self.file)
        # A file that is not there is refused by `problem`.
        return super().identity() | {"rows": sha256(path.read_bytes()).hexdigest() if path.is_file() else None}

    @abstractmethod
    def pair(self, task: Task, row: RawRow) -> tuple[str, ProbePair] | None:
        """(group of the pair, the pair, whose `template` counts for nothing) of a row; None: the row is left out.

        Raises:
            RowError: the row is not of this set's format.
        """

    def problem(self, task: Task) -> str | None:
        if problem := super().problem(task):
            return problem
        groups, count = defaultdict(set), 0
        try:
            for pair in self.rows(task):
                groups[pair.condition].add(pair.template)
                count += 1
        except TuneGridError as error:
            return str(error)
        if not count:
            return f"{self.file}: no row can be used"
        if count > MOST_PAIRS:
            return f"{self.file}: {count:,} pairs; {MOST_PAIRS:,} at most"
        for condition, templates in groups.items():
            if len(templates) == 1:
                of_it = f" of {condition}" if condition else ""
                return f"{self.file}: one group of pairs{of_it}: two are needed, as intervals are drawn over groups"
        return None

    def rows(self, task: Task) -> Iterator[ProbePair]:
        """Yields all pairs in the order of the rows.

        Raises:
            TuneGridError: the file cannot be read, or a row of it cannot be used; the message says where.
        """
        groups: dict[str, int] = {}
        for raw in self._read():
            try:
                if raw.problem:
                    raise RowError(raw.problem)
                found = self.pair(task, raw)
            except RowError as error:
                raise TuneGridError(f"{raw.where}: {error}") from None
            if found is not None:
                group, pair = found
                yield replace(pair, template=groups.setdefault(group, len(groups)))

    def left_out(self, task: Task) -> int:
        return sum(1 for raw in self._read() if self.pair(task, raw) is None)

    def _read(self) -> Iterator[RawRow]:
        path = Path(self.file)
        if not path.is_file():
            raise TuneGridError(f"{path}: no such file. Paths are relative to the current folder.")
        return read_rows(path)
