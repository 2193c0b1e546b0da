"""Attempts at a run, which is tried several times before it counts as failed."""

from __future__ import annotations

MORE_MEMORY = 0.5  # of what the first attempt may use, for each further one


class Attempt:
    """One of several attempts, numbered from 1."""

    def __init__(self, number: int = 1, count: int = 1) -> None:
        self.number, self.count = number, count

    @property
    def is_last(self) -> bool:
        return self.number >= self.count

    def label(self, reason: str) -> str:
        """Adds the number of the attempt to a reason, if there can be several."""
        return f"{reason} (attempt {self.number} of {self.count})" if self.count > 1 else reason

    def failure(self, what: str, error: Exception) -> str:
        """The reason of a failure at the last attempt; writes the traceback of the error to the error stream.

        Args:
            what: that was attempted, for messages.

        Raises:
            AttemptFailed: there will be another attempt.
        """
        import traceback  # late, for the supervisor is to stay light

        traceback.print_exception(error)
        reason = self.label(f"{type(error).__name__}: {error}")
        if not self.is_last:
            raise AttemptFailed(f"{what}: {reason}") from error
        return reason


ONLY = Attempt()


class AttemptFailed(Exception):
    """The failure of an attempt that is not the last one; the message says of what, and why."""


def memory_growth(number: int) -> float:
    """Memory that an attempt may use, as a multiple of that of the first; `number`: of the attempt, from 1."""
    return 1 + MORE_MEMORY * (number - 1)
