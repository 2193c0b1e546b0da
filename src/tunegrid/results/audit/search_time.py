"""The time that the searches of an audit may take, and the lines that say where they are."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tunegrid.common.words import plural

Check = Callable[[], None]  # raises OutOfTime
BETWEEN_LINES = 5.0  # seconds


class OutOfTime(Exception):
    """A search has used up its time."""


def unlimited() -> None:
    """The check of a search without a limit."""


class SearchTime:
    """Divides a limit evenly among the tables of an audit; what a table does not use is left to those after it."""

    def __init__(self, limit: float | None, tables: int, progress: bool = False) -> None:
        """`limit`: seconds for all tables; None: no limit. `progress`: whether lines on stderr say what is searched."""
        self.limit = limit
        self.share = 0.0  # seconds that the present table may take
        self._remaining, self._tables, self._progress = limit or 0.0, tables, progress
        self._started = self._line = time.monotonic()
        self._table = self._search = ""

    def begin(self, table: str) -> None:
        """Starts the share of the next table."""
        now = time.monotonic()
        self._remaining = max(0.0, self._remaining - (now - self._started if self._table else 0.0))
        self._started, self._table = now, table
        self.share = self._remaining / max(1, self._tables)
        self._tables -= 1

    def search(self, what: str) -> None:
        """Says what is searched now."""
        self._search = what
        self.check()

    def check(self) -> None:
        """Raises OutOfTime once the share of the table is used up."""
        now = time.monotonic()
        if self._progress and now - self._line >= BETWEEN_LINES:
            self._line = now
            print(f"audit: {self._table}: {self._search} ({now - self._started:.0f} s)", file=sys.stderr, flush=True)
        if self.limit is not None and now - self._started > self.share:
            raise OutOfTime

    def limit_text(self) -> str:
        """The share of the present table, in words."""
        minutes, seconds = divmod(round(self.share), 60)
        if minutes and not seconds:
            return plural(minutes, "minute")
        return plural(round(self.share), "second") if self.share >= 1 else f"{self.share:.1g} seconds"
