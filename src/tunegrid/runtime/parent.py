"""A job must not outlive the Snakemake that started it: another one would start the same job beside it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

VARIABLE = "TUNEGRID_SNAKEMAKE"  # process id and start time; set by a Snakemake that runs jobs on this machine
SECONDS = 1.0  # between two looks
GRACE = 600.0  # seconds in which a process that was asked to end has to be done


def announce() -> None:
    """Tells the jobs that this process starts from now on who started them."""
    import psutil

    os.environ[VARIABLE] = f"{os.getpid()}:{psutil.Process().create_time()}"


def snakemake_lives() -> bool:
    """Whether the Snakemake that started this job is there; true where none on this machine did."""
    if not (announced := os.environ.get(VARIABLE)):
        return True
    import psutil

    pid, started = announced.split(":")
    try:
        process = psutil.Process(int(pid))
        return process.create_time() == float(started) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_with_snakemake() -> None:
    """From now on this process ends when the Snakemake that started it is gone; nothing, where none did."""
    if os.environ.get(VARIABLE):
        end_unless(snakemake_lives)


_WORKS_FOR: list[Callable[[], bool]] = []


def is_wanted() -> bool:
    """Whether all that this process works for is there now."""
    return all(lives() for lives in _WORKS_FOR)


def end_unless(lives: Callable[[], bool]) -> None:
    """From now on asks this process to end, as SIGTERM does, when something that it works for is gone."""
    _WORKS_FOR.append(lives)

    def look() -> None:
        while lives():
            time.sleep(SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=look, daemon=True).start()
