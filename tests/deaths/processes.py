"""Starts processes, finds all that they started, and ends them; touches no others."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Makes this process the parent of all orphans among its descendants, so that they can be found and ended."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class Started:
    """A running command in a session of its own, whose output goes to a file."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], log: Path, before=None) -> None:
        self.command, self.log = command, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=before,
            )  # fmt: skip
        self.pid = self.process.pid

    def wait(self, seconds: float) -> int | None:
        """Waits up to so many seconds; returns the exit code, or None if the command still runs."""
        try:
            return self.process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return None

    def text(self) -> str:
        return self.log.read_text(errors="replace")


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return [
            child for child in psutil.Process(pid).children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE
        ]
    except psutil.NoSuchProcess:
        return []


def send(number: int, *pids: int) -> None:
    """Sends a signal to processes of this script, except those that have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_everything(started: Started) -> None:
    """Kills (-9) a command and all its descendants, as nearly at one moment as possible."""
    family = [started.pid, *(child.pid for child in descendants(started.pid))]
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)  # its session's group: at once, in the kernel
    send(signal.SIGKILL, *family[1:])


def orphans(*keep: int) -> list[psutil.Process]:
    """Finds all descendants of this script except the processes `keep`, their descendants, and a restarted slurmd."""
    kept = set(keep)
    mine = psutil.Process()
    found = []
    for child in mine.children():
        if child.pid not in kept and child.name() != "slurmd":
            found += [child, *descendants(child.pid)]
    return [process for process in found if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def end_orphans(*keep: int) -> list[str]:
    """Kills orphans and reaps zombies; returns the command lines of what was killed."""
    killed = []
    for process in orphans(*keep):
        try:
            killed.append(" ".join(process.cmdline())[:120])
            process.kill()
        except psutil.NoSuchProcess:
            pass
    reap(*keep)
    return killed


def reap(*keep: int) -> None:
    """Reaps children that have ended, except those in `keep`, which others wait for."""
    for child in psutil.Process().children():
        try:
            if child.pid not in keep and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
        except (ChildProcessError, psutil.NoSuchProcess):
            pass


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Waits until a condition holds; returns False if it does not within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class WarmProcess:
    """`tunegrid warm`, as the workflow starts it: it spares most deaths the seconds that imports take."""

    def __init__(self, folder: Path, environment: dict[str, str], config: str = "runs.yaml") -> None:
        self.address = folder / "socket"
        command = ["tunegrid", "warm", config, "--socket", str(self.address)]
        self.started = Started(command, folder, environment, folder / "warm.log")
        self.pid = self.started.pid

    def ready(self) -> None:
        assert until(lambda: self.address.exists() or self.started.wait(0) is not None, 60), "the warm process is late"
        assert self.started.wait(0) is None, self.started.text()

    def at_work(self) -> list[int]:
        """The processes that it forked and that work now."""
        return [child.pid for child in descendants(self.pid)]

    def stop(self) -> None:
        kill_everything(self.started)
        self.started.process.wait()


def kill_some(started: Started, warm: WarmProcess, chance: random.Random, patience: float) -> str:
    """Kills (-9) a command, the process that works for it, or both; returns which."""
    at_work = [*warm.at_work(), *(child.pid for child in descendants(started.pid))]
    victim = chance.choice(["the process at work", "the command", "both", "both"]) if at_work else "the command"
    if victim == "both":
        kill_everything(started)
        send(signal.SIGKILL, *at_work)
    else:
        send(signal.SIGKILL, at_work[-1] if victim == "the process at work" else started.pid)
    if started.wait(patience) is None:
        raise RuntimeError(f"{started.command} goes on after kill -9 of {victim}")
    return victim
