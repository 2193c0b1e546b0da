"""The clock of every time in the records."""

import resource
import sys
import time
from contextlib import suppress
from pathlib import Path


def seconds() -> float:
    """Seconds on a clock that only goes forward, once the GPU has done what it was given.

    A GPU is handed its work and computes it later: a clock that is read before it is done says how long the handing
    over took, and the time of the work stands in whatever comes next.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


def reset_peak_memory() -> None:
    """From now on `peak_memory` is the highest from this moment on, so that what follows is measured by itself.

    Where the system does not let a process do that (no Linux, or /proc is read-only), the peak stays that of the whole
    process.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak becomes what is resident now


def peak_memory() -> int:
    """Peak memory of this process since `reset_peak_memory` (or its start), in bytes: the GPU's where one was used.

    Else it is the resident memory: the model, what is computed with it, and Python and the libraries. A fork of the
    warm process counts what it shares with the others, but of library files only what it touches.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    # getrusage's number is the same but for one thing: a process inherits the peak of the one that started it.
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kibibytes on Linux, bytes on macOS
