"""Stopping a training that will be resumed: at wall time, at Ctrl-C, when the workflow is gone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# The signals that ask a process to end. SIGHUP: the terminal is gone.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """A context in which a function handles the signals that ask this process to end."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, current in before.items():
        if number == signal.SIGTERM or current is not signal.SIG_IGN:  # nohup has it ignore SIGHUP
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, current in before.items():
            signal.signal(number, current)


class Stopped(Exception):
    """A training was asked to end and has saved its state: neither a result nor a failure.

    Attributes:
        step: the step from which the next start resumes; 0: from the beginning.
    """

    def __init__(self, stop: Stop, step: int) -> None:
        self.step = step
        place = f"at step {step}; the next start goes on from there" if step else "while it was loading"
        super().__init__(f"{stop.what}: stopped by {stop.by} {place}")


class Interrupted(BaseException):
    """Ends work that changes nothing, such as loading, at once. No `except Exception` may swallow it."""


class Stop:
    """A request to end this process. A signal sets it; it interrupts the work only where it may.

    Args:
        what: name of the work, for messages.
    """

    def __init__(self, what: str = "training") -> None:
        self.what = what
        self._signal: int | None = None
        self._may_interrupt = False

    @property
    def requested(self) -> bool:
        return self._signal is not None

    @property
    def by(self) -> str:
        """The name of the signal."""
        return signal.Signals(self._signal or signal.SIGTERM).name

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """A context in which a signal to end is noted. A further signal changes nothing: saving goes on."""
        if threading.current_thread() is not threading.main_thread():  # only there can signals be handled
            yield self
            return
        with handled(self._note):
            yield self

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """A context in which Interrupted is raised as soon as the process is asked to end."""
        self._may_interrupt = True
        try:
            if self.requested:
                raise Interrupted
            yield
        finally:
            self._may_interrupt = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = self._signal or number
        if self._may_interrupt:
            self._may_interrupt = False
            raise Interrupted
