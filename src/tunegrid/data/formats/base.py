"""What every reader of rows gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RawRow:
    """One row as its source gave it.

    Attributes:
        values: by the source's names of columns.
        where: its place for messages: `data/train.jsonl, line 12`.
        problem: why the row cannot be used, although those after it can be read.
        typed: whether the format has numbers and lists; in CSV every value is a text.
    """

    values: dict[str, Any]
    where: str
    problem: str | None = None
    typed: bool = True


class ClassIndex(int):
    """The index of a class, of a column whose source declares the names of its classes (`ClassLabel` of the Hub)."""

    names: tuple[str, ...]

    def __new__(cls, value: int, names: tuple[str, ...]) -> ClassIndex:
        index = super().__new__(cls, value)
        index.names = names
        return index

    @property
    def name(self) -> str | None:
        """The name of the class; None if there is no class of this index."""
        return self.names[self] if 0 <= self < len(self.names) else None
