"""Runs commands of the product in a process of their own, and says how they ended."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LONGEST = 120  # seconds until a command counts as one without an end

State = Literal["accepted", "refused", "altered", "no message", "traceback", "no end"]


@dataclass(frozen=True)
class Case:
    """An input and the commands that read it, each run if the one before ended with 0.

    Attributes:
        name: what was mutated, and how; equal for equal mutations.
        commands: command lines, without `tunegrid`.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Outcome:
    """How a case ended, and what its last command printed."""

    state: State
    output: str


def execute(case: Case, folder: Path) -> Outcome:
    """Runs the commands of a case in a folder."""
    output = ""
    for command in case.commands:
        code, output = _run(command, folder)
        if code is None:
            return Outcome("no end", output)
        if "Traceback (most recent call last)" in output or code not in (0, 1, 2):
            return Outcome("traceback", output)
        if code:
            return Outcome("refused" if output.strip() else "no message", output)
    return Outcome("accepted", output)


def _run(command: tuple[str, ...], folder: Path) -> tuple[int | None, str]:
    """(the exit code, negative for a signal, None after too long a time; what was printed)."""
    with tempfile.TemporaryFile() as printed:
        if (process := os.fork()) == 0:
            _child(command, folder, printed.fileno())
        code, waited = None, time.monotonic()
        while code is None and time.monotonic() - waited < LONGEST:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(0.005)
        if code is None:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
        printed.seek(0)
        return code, printed.read().decode("utf-8", "replace")


def _child(command: tuple[str, ...], folder: Path, printed: int) -> None:
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), printed, printed)):
            os.dup2(file, number)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115 (of this process)
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        from tunegrid.cli import main

        code = main(list(command))
    except SystemExit as end:  # of argparse
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
