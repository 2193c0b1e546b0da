"""Stopping a training that is to go on later: at wall time, at Ctrl-C, when the workflow is gone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What asks a process to end. SIGHUP: the terminal is gone.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(Exception):
    """The training was asked to end, and has saved what it had; no result, and no failure.

    Attributes:
        step: the step that the next start goes on from; 0: from the beginning.
    """

    def __init__(self, stop: Stop, step: int) -> None:
        self.step = step
        place = f"at step {step}; the next start goes on from there" if step else "while it was loading"
        super().__init__(f"{stop.what}: stopped by {stop.by} {place}")


class Interrupted(BaseException):
    """Ends, at once, work that changes nothing: an evaluation, or loading. No `except Exception` may swallow it."""


class Stop:
    """Whether this process was asked to end. A signal only leaves a note; where it may interrupt, it does.

    Args:
        what: what would be stopped, for messages.
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
        """While this lasts a signal to end is noted; a further one changes nothing, for what is being saved goes on."""
        if threading.current_thread() is not threading.main_thread():  # only there can signals be handled
            yield self
            return
        before = {one: signal.getsignal(one) for one in SIGNALS}
        for one, handler in before.items():
            if one == signal.SIGTERM or handler is not signal.SIG_IGN:  # nohup has it ignore SIGHUP
                signal.signal(one, self._note)
        try:
            yield self
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raises Interrupted in here, as soon as the process is asked to end."""
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
