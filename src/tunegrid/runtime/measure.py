"""The clock and the peak memory of all records."""

import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from tunegrid.runtime.pauses import watch


def clock() -> float:
    """Seconds of a monotonic clock that stands still while this process is stopped, read after the GPU's work is done.

    A GPU computes asynchronously. A clock that is read earlier counts the launch of the work alone, and the work itself
    is counted with whatever comes next.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return watch().look()


def paused_seconds() -> float:
    """Seconds that this process has been stopped since its first look at the clock."""
    return watch().paused


class Timesheet:
    """The seconds of a training, from now on, by the kind of work: evaluating, saving, and its steps, all else.

    Attributes:
        earlier: what `seconds` was when the training was interrupted.
    """

    def __init__(self) -> None:
        self.earlier: Mapping[str, float] = {}
        self._spent = {"evaluation_seconds": 0.0, "saving_seconds": 0.0}
        self._start, self._paused = clock(), paused_seconds()

    @contextmanager
    def counted_as(self, kind: Literal["evaluation_seconds", "saving_seconds"]) -> Iterator[None]:
        """A context whose time is no step's."""
        start = clock()
        try:
            yield
        finally:
            self._spent[kind] += clock() - start

    def seconds(self) -> dict[str, float]:
        """Seconds of each kind of work so far, those before an interruption included."""
        steps = clock() - self._start - sum(self._spent.values())
        now = {**self._spent, "optimisation_seconds": steps, "paused_seconds": paused_seconds() - self._paused}
        return {name: seconds + self.earlier.get(name, 0.0) for name, seconds in now.items()}


def reset_peak_memory() -> None:
    """Has `peak_memory` count from this moment on, so that a step is measured without the one before it.

    Where the system does not allow that (not Linux, or /proc is read-only), the peak remains that of the whole process.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak becomes what is resident now


def peak_memory() -> int:
    """Peak memory of this process since `reset_peak_memory` (or its start), in bytes: the GPU's where one was used.

    Without a GPU it is the resident memory: the model, its activations, Python and the libraries. A fork of the warm
    process counts the memory that it shares with other forks, but of library files only the pages that it touches.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    # getrusage returns the same number, except that a process inherits the peak of its parent.
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kibibytes on Linux, bytes on macOS
