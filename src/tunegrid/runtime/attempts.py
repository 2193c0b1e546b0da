"""A run is tried several times before it counts as failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """The `number`-th of `count` attempts, from 1."""

    number: int = 1
    count: int = 1

    @property
    def is_last(self) -> bool:
        return self.number >= self.count

    def of(self, reason: str) -> str:
        """A reason, with the attempt where there can be several."""
        return f"{reason} (attempt {self.number} of {self.count})" if self.count > 1 else reason


ONLY = Attempt()


class AttemptFailed(Exception):
    """An attempt that is not the last one failed; the message says of what, and why."""
