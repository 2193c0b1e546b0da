"""Processes that tests start: how, and waiting for what they do."""

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable

import psutil


def heed_signals() -> None:
    """For Popen's `preexec_fn`: the process heeds SIGINT and SIGHUP, also where these tests run with them ignored.

    A shell starts what it runs in the background with SIGINT ignored, nohup with SIGHUP ignored, and every process
    inherits that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Waits until a condition holds; fails after so many seconds, far more than it takes."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_alive(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that has may still be listed, where nobody asks for its exit code."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tunegrid(*arguments: str) -> None:
    """Runs a command of TuneGrid in a fork, which spares it the imports; it has to succeed."""
    import adapters  # noqa: F401 # as a job's process has it, before transformers

    process = multiprocessing.get_context("fork").Process(target=_run, args=(arguments,))
    process.start()
    process.join(120)
    assert process.exitcode == 0, arguments


def _run(arguments: tuple[str, ...]) -> None:
    from tunegrid.cli import main

    sys.exit(main(list(arguments)))
