"""Processes that tests start: how, and waiting for what they do."""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path


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


def run_in_fork(
    main: Callable[[list[str]], int | None], command: list[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess:
    """Runs the `main` function of a program in a fork, which spares it the imports; else as `subprocess.run` would.

    Args:
        main: takes the arguments, and returns an exit code or raises SystemExit.
        command: name of the program, and its arguments.

    Returns:
        The exit code, and standard output and error together as `stdout`.
    """
    with tempfile.TemporaryFile() as output:
        if (pid := os.fork()) == 0:
            _main_of_fork(main, command, folder, environment, output.fileno())
        _, status = os.waitpid(pid, 0)
        output.seek(0)
        text = output.read().decode()
    return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(status), text)


def _main_of_fork(main, command: list[str], folder: Path, environment: Mapping[str, str], output: int) -> None:
    """Runs a program with its own streams, environment and folder, and ends this process."""
    code = 1
    try:
        for number in (1, 2):
            os.dup2(output, number)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        logging.getLogger().handlers.clear()  # those of pytest
        os.environ.clear()
        os.environ.update(environment, PWD=str(folder))
        os.chdir(folder)
        sys.argv = command
        code = main(command[1:]) or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)
