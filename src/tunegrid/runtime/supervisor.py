"""A training runs in a process of its own; the command watches it, and knows what to do when it dies.

It passes on what asks it to end, so that the training saves a checkpoint, and ends a training whose Snakemake is gone.
A training that dies is tried again by Snakemake, which gives it more memory; at its last attempt it is a result: a row
with its reason. Nothing heavy is imported here: this process has to live where memory runs out.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tunegrid.runtime import parent
from tunegrid.runtime.attempts import Attempt
from tunegrid.runtime.stopping import SIGNALS

# Exit codes of a process that does the work; sysexits.h has them. An error that its message explains is not 1: so ends
# a process whose libraries find no memory, too.
ATTEMPT_FAILED, CRASHED, STOPPED, EXPLAINED = 70, 71, 75, 78
MEGABYTE = 10**6


@dataclass(frozen=True)
class End:
    """How a process ended: with an exit code or by a signal; its peak memory in bytes."""

    code: int | None
    signal: int | None
    peak: int

    @classmethod
    def of(cls, status: int, peak: int) -> End:
        """`status`: as `os.wait` gives it."""
        code = os.waitstatus_to_exitcode(status)
        return cls(code, None, peak) if code >= 0 else cls(None, -code, peak)


class Fork:
    """A copy of this process that runs something and ends with its exit code; it ends if this process does."""

    def __init__(self, run: Callable[[], int]) -> None:
        # Whoever holds the writing end lives: the end of the copy is the end of what can be read.
        self._reader, writer = os.pipe()
        starter = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # no signal may find our handlers in the copy
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reader)
            for one in SIGNALS:
                if signal.getsignal(one) is not signal.SIG_IGN:
                    signal.signal(one, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            _run_and_exit(run, starter)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(writer)

    def fileno(self) -> int:
        """Readable when the process has ended."""
        return self._reader

    def end(self) -> End:
        """Waits for the end."""
        _, status, usage = os.wait4(self.pid, 0)
        return End.of(status, usage.ru_maxrss * 1024)


def _run_and_exit(run: Callable[[], int], starter: int) -> NoReturn:
    def work() -> int:
        parent.end_unless(lambda: os.getppid() == starter)
        return run()

    end_with(work)


def end_with(work: Callable[[], int]) -> NoReturn:
    """Ends this process, a fork, with what its work returns; nothing that it has from its parent is cleaned up."""
    code = CRASHED  # even where no memory is left to say why
    try:
        code = work()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


@dataclass
class Supervisor:
    """Waits for the process that does the work.

    Attributes:
        what: the work, for messages.
        stopped_by: what asked it to end; None: nothing has.
    """

    what: str
    stopped_by: str | None = None
    worker: object | None = field(default=None, repr=False)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While this lasts, what asks this process to end is passed on."""
        before = {one: signal.getsignal(one) for one in SIGNALS}
        for one, handler in before.items():
            if one == signal.SIGTERM or handler is not signal.SIG_IGN:  # nohup has it ignore SIGHUP
                signal.signal(one, self._pass_on)
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def run(self, start: Callable[[], object]) -> End | None:
        """Starts the work and waits for its end; None: whoever knew how it ended is gone."""
        self.worker = start()
        if self.stopped_by:
            self._ask_to_end()
        while not select.select([self.worker], [], [], parent.SECONDS)[0]:
            if not self.stopped_by and not parent.snakemake_lives():
                self.stopped_by = "the end of Snakemake"
                self._ask_to_end()
        return self.worker.end()

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        again, self.stopped_by = self.stopped_by is not None, self.stopped_by or signal.Signals(number).name
        # Written as signal handlers may: what is buffered could be in the middle of a line.
        words = "is still being saved" if again else f"{self.stopped_by}: is being saved, then it ends"
        os.write(2, f"tunegrid: {self.what}: {words}\n".encode())
        if not again and self.worker is not None:
            self._ask_to_end()

    def _ask_to_end(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.worker.pid, signal.SIGTERM)


def supervise(
    what: str,
    options: argparse.Namespace,
    start: Callable[[], object],
    record: Callable[[str], None],
) -> int:
    """Has a process do the work of a command; returns the command's exit code.

    Args:
        what: the work, for messages.
        start: starts the process: an object with `pid`, `fileno()` (readable at its end) and `end()`.
        record: writes the row of a failure, given its reason.
    """
    supervisor = Supervisor(what)
    with supervisor.listening():
        return _supervise(supervisor, options, start, record)


def _supervise(
    supervisor: Supervisor, options: argparse.Namespace, start: Callable[[], object], record: Callable[[str], None]
) -> int:
    attempt, kills, what = Attempt(options.attempt, options.attempts), _memory_kills(), supervisor.what
    end = supervisor.run(start)
    if end is None and (supervisor.stopped_by or not parent.snakemake_lives()):
        return STOPPED  # the warm process is gone as Snakemake is; the work has said where it stopped
    if end is None:
        _say(f"{what}: the process that its work was handed to is gone; it has to be started again.", options.log)
        return 1
    if end.code == ATTEMPT_FAILED:
        _keep_log(options.log, attempt)
        return 1
    if end.code == EXPLAINED:
        return 1
    if end.code in (0, STOPPED):
        return end.code
    if supervisor.stopped_by or end.signal in SIGNALS:
        by = supervisor.stopped_by or signal.Signals(end.signal).name
        _say(f"{what}: stopped by {by} before it could save; it goes on from its last checkpoint, if any.", options.log)
        return STOPPED
    reason = _last_line(options.log) if end.code == CRASHED else None
    reason = attempt.of(reason or reason_of(end, options.mem_mb, _memory_kills() > kills))
    if attempt.is_last:
        _say(f"{what} has failed: {reason}", options.log)
        record(reason)
        return 0
    _say(f"{what}: {reason}", options.log)
    _keep_log(options.log, attempt)
    return 1


def reason_of(end: End, asked: int | None, memory_ran_out: bool) -> str:
    """Why a process died, for a person. `asked`: its memory by the plan, in MB."""
    if end.signal is None:
        return f"ended with the exit code {end.code}, and no reason"
    memory = f"peak memory {end.peak / MEGABYTE:.0f} MB" + (f", {asked} MB asked for" if asked else "")
    likely = end.signal == signal.SIGKILL and (memory_ran_out or "SLURM_JOB_ID" in os.environ)
    name = signal.Signals(end.signal).name
    return f"killed by signal {end.signal} ({name}): {'most likely out of memory: ' if likely else ''}{memory}"


def _memory_kills() -> int:
    """How many processes the system has killed on this machine for want of memory; 0 where it does not say."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/vmstat").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("oom_kill ")))
    return 0


def _last_line(log: Path | None) -> str | None:
    """What the traceback of a log ends with: the error. None: there is none."""
    with suppress(OSError):
        text = log.read_text(errors="replace").strip() if log else ""
        return text.splitlines()[-1] if "Traceback (most recent call last):" in text else None
    return None


def _say(message: str, log: Path | None) -> None:
    line = f"tunegrid: error: {message}\n"
    sys.stderr.write(line)
    if log is not None:
        with suppress(OSError), log.open("a") as file:
            file.write(line)


def _keep_log(log: Path | None, attempt: Attempt) -> None:
    """Snakemake removes the log before the next attempt."""
    if log is not None:
        with suppress(OSError):
            shutil.copyfile(log, log.with_name(f"{log.stem}.attempt-{attempt.number}{log.suffix}"))
