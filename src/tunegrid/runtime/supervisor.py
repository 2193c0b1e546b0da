"""The supervisor of a training, which runs in a process of its own.

The supervisor passes signals on, so that the training saves a checkpoint, and stops a training whose Snakemake is gone.
Snakemake tries a training that died again, with more memory; the death of the last attempt is a result: a row with its
reason. Nothing heavy is imported here: this process has to survive when memory runs out.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from tunegrid.runtime import parent
from tunegrid.runtime.attempts import Attempt
from tunegrid.runtime.stopping import SIGNALS, handled

TYPE_CHECKING = False  # `typing` itself would be a tenth of the start
if TYPE_CHECKING:
    import argparse
    from pathlib import Path
    from types import FrameType, SimpleNamespace
    from typing import NoReturn

# Exit codes of a process that does the work, from sysexits.h. An error that its message explains is not 1: a process
# whose libraries find no memory ends with 1, too. UNAVAILABLE: the command has to do the work itself.
UNAVAILABLE, ATTEMPT_FAILED, CRASHED, STOPPED, EXPLAINED = 69, 70, 71, 75, 78
MEGABYTE = 10**6


class End:
    """How a process ended: with an exit code or by a signal; its peak memory in bytes."""

    def __init__(self, code: int | None, signal: int | None, peak: int) -> None:
        self.code, self.signal, self.peak = code, signal, peak

    @classmethod
    def from_status(cls, status: int, peak: int) -> End:
        """Decodes a status of `os.wait`."""
        code = os.waitstatus_to_exitcode(status)
        return cls(code, None, peak) if code >= 0 else cls(None, -code, peak)


class Fork:
    """A fork of this process that runs a function and exits with what it returns; it ends if this process ends."""

    ends_with_snakemake = False  # by itself: this process has to watch

    def __init__(self, run: Callable[[], int]) -> None:
        # The fork holds the writing end as long as it lives: when it ends, the reading end is at its end of file.
        self._reader, writer = os.pipe()
        starter = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # no signal may reach our handlers in the fork
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reader)
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

            def work() -> int:
                parent.stop_when_gone(lambda: os.getppid() == starter)
                return run()

            exit_with(work)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(writer)

    def fileno(self) -> int:
        """Readable when the process has ended."""
        return self._reader

    def end(self) -> End:
        """Waits for the end."""
        _, status, usage = os.wait4(self.pid, 0)
        return End.from_status(status, usage.ru_maxrss * 1024)


def exit_with(work: Callable[[], int]) -> NoReturn:
    """Exits this process, a fork, with the code that its work returns, and without the clean-up of its parent."""
    code = CRASHED  # even if no memory is left to say why
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


class Supervisor:
    """Waits for the process that does the work.

    Args:
        what: name of the work, for messages.

    Attributes:
        stopped_by: the signal that asked it to stop, or "the end of Snakemake"; None: nothing has.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.stopped_by: str | None = None
        self.worker: object | None = None

    def run(self, start: Callable[[], object]) -> End | None:
        """Starts the work and waits for its end; None: the process that knew how it ended is gone."""
        self.worker = start()
        if self.stopped_by:
            self._ask_to_end()
        while not select.select([self.worker], [], [], parent.POLL_SECONDS)[0]:
            if not self.stopped_by and not self.worker.ends_with_snakemake and not parent.snakemake_is_alive():
                self.stopped_by = "the end of Snakemake"
                self._ask_to_end()
        return self.worker.end()

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        again, self.stopped_by = self.stopped_by is not None, self.stopped_by or signal.Signals(number).name
        # A signal handler must not use a buffered stream, which may be in the middle of a line.
        words = "is still being saved" if again else f"{self.stopped_by}: is being saved, then it ends"
        os.write(2, f"tunegrid: {self.what}: {words}\n".encode())
        if not again and self.worker is not None:
            self._ask_to_end()

    def _ask_to_end(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.worker.pid, signal.SIGTERM)


def supervise(
    what: str,
    options: argparse.Namespace | SimpleNamespace,
    start: Callable[[], object],
    record: Callable[[str], None],
) -> int:
    """Runs the work of a command in a process; returns the command's exit code.

    Args:
        what: name of the work, for messages.
        start: starts the process: an object with `pid`, `fileno()` (readable at its end) and `end()`.
        record: writes the record of a failure, given its reason.
    """
    supervisor = Supervisor(what)
    with handled(supervisor.pass_on):
        attempt, kills = Attempt(options.attempt, options.attempts), _memory_kills()
        end = supervisor.run(start)
        if end is None and (supervisor.stopped_by or not parent.snakemake_is_alive()):
            return STOPPED  # the warm process ended with Snakemake; the work has logged where it stopped
        if end is None:
            _log_error(
                f"{what}: the process that its work was handed to is gone; it has to be started again.", options.log
            )
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
            _log_error(
                f"{what}: stopped by {by} before it could save; it goes on from its last checkpoint, if any.",
                options.log,
            )
            return STOPPED
        reason = _last_line(options.log) if end.code == CRASHED else None
        reason = attempt.label(reason or death_reason(end, options.mem_mb, _memory_kills() > kills))
        if attempt.is_last:
            _log_error(f"{what} has failed: {reason}", options.log)
            record(reason)
            return 0
        _log_error(f"{what}: {reason}", options.log)
        _keep_log(options.log, attempt)
        return 1


def death_reason(end: End, asked: int | None, memory_ran_out: bool) -> str:
    """Explains why a process died.

    Args:
        asked: memory that was asked for, in MB.
        memory_ran_out: the system killed a process of this machine for lack of memory.
    """
    if end.signal is None:
        return f"ended with the exit code {end.code}, and no reason"
    memory = f"peak memory {end.peak / MEGABYTE:.0f} MB" + (f", {asked} MB asked for" if asked else "")
    likely = end.signal == signal.SIGKILL and (memory_ran_out or "SLURM_JOB_ID" in os.environ)
    likely = likely or end.signal == signal.SIGABRT  # what libraries in C++ do that find no memory
    name = signal.Signals(end.signal).name
    return f"killed by signal {end.signal} ({name}): {'most likely out of memory: ' if likely else ''}{memory}"


def _memory_kills() -> int:
    """Number of processes that this machine's system has killed for lack of memory; 0 where it is unknown."""
    with suppress(OSError, ValueError, StopIteration), open("/proc/vmstat") as lines:
        return int(next(line.split()[1] for line in lines if line.startswith("oom_kill ")))
    return 0


def _last_line(log: Path | str | None) -> str | None:
    """The error at the end of a log's traceback; None: the log has no traceback."""
    if log is not None:
        with suppress(OSError), open(log, errors="replace") as file:
            text = file.read().strip()
            return text.splitlines()[-1] if "Traceback (most recent call last):" in text else None
    return None


def _log_error(message: str, log: Path | str | None) -> None:
    line = f"tunegrid: error: {message}\n"
    sys.stderr.write(line)
    if log is not None:
        with suppress(OSError), open(log, "a") as file:
            file.write(line)


def _keep_log(log: Path | str | None, attempt: Attempt) -> None:
    """Copies the log of an attempt, which Snakemake removes before the next one."""
    if log is not None:
        import shutil

        name, suffix = os.path.splitext(log)
        with suppress(OSError):
            shutil.copyfile(log, f"{name}.attempt-{attempt.number}{suffix}")
