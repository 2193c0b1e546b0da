"""A watchdog on the caller of a process: a job must not outlive its Snakemake, as the next one would start it again."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

VARIABLE = "TUNEGRID_SNAKEMAKE"  # process id and start time; set by a Snakemake that runs jobs on this machine
POLL_SECONDS = 1.0  # between two checks
GRACE = 600.0  # seconds from SIGTERM to SIGKILL


def announce() -> None:
    """Names this process to the jobs that it starts from now on."""
    os.environ[VARIABLE] = f"{os.getpid()}:{_started(os.getpid())}"


def snakemake_is_alive() -> bool:
    """Whether the Snakemake that started this job is alive; true where none on this machine started it."""
    if not (announced := os.environ.get(VARIABLE)):
        return True
    pid, started = announced.split(":")
    return _started(int(pid)) == started


def _started(pid: int) -> str | None:
    """When a process started, in words that stay the same when somebody sets the clock; None: it has ended."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]  # clock ticks since the system's start: proc(5)
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None


def stop_with_snakemake() -> None:
    """Stops this process when the Snakemake that started it is gone; does nothing where none started it."""
    if os.environ.get(VARIABLE):
        stop_when_gone(snakemake_is_alive)


_CALLERS: list[Callable[[], bool]] = []


def callers_are_alive() -> bool:
    """Whether everything that this process works for is alive."""
    return all(is_alive() for is_alive in _CALLERS)


def stop_when_gone(is_alive: Callable[[], bool]) -> None:
    """Sends SIGTERM to this process as soon as a caller, which it works for, is no longer alive."""
    _CALLERS.append(is_alive)

    def watch() -> None:
        while is_alive():
            time.sleep(POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
