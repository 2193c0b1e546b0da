"""Processes of this script, and no others: starting them, finding all that they started, ending them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """From here on what a killed process leaves behind becomes a child of this one: it can be seen, and ended."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class Started:
    """A command in a session of its own, whose output goes to a file."""

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
        """The exit code, or None if it still runs then."""
        try:
            return self.process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return None

    def text(self) -> str:
        return self.log.read_text(errors="replace")


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return [one for one in psutil.Process(pid).children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return []


def send(number: int, *pids: int) -> None:
    """A signal to processes of ours; one that has ended meanwhile needs none."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_everything(started: Started) -> None:
    """kill -9 of a command and of all that it started, at one moment, as far as there is one."""
    family = [started.pid, *(one.pid for one in descendants(started.pid))]
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)  # its session's group: at once, in the kernel
    send(signal.SIGKILL, *family[1:])


def orphans(*keep: int) -> list[psutil.Process]:
    """All that descends from this script, but for the processes `keep` and theirs, and a node that it brought back."""
    kept = set(keep)
    mine = psutil.Process()
    found = []
    for child in mine.children():
        if child.pid not in kept and child.name() != "slurmd":
            found += [child, *descendants(child.pid)]
    return [one for one in found if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def end_orphans(*keep: int) -> list[str]:
    """Ends what is left; returns what that was. Adopted zombies are collected, too."""
    left = []
    for one in orphans(*keep):
        try:
            left.append(" ".join(one.cmdline())[:120])
            one.kill()
        except psutil.NoSuchProcess:
            pass
    reap(*keep)
    return left


def reap(*keep: int) -> None:
    """Collects adopted processes that have ended. Those in `keep` are somebody else's to wait for."""
    for child in psutil.Process().children():
        try:
            if child.pid not in keep and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
        except (ChildProcessError, psutil.NoSuchProcess):
            pass


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Waits for something; whether it came."""
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
        return [one.pid for one in descendants(self.pid)]

    def stop(self) -> None:
        kill_everything(self.started)
        self.started.process.wait()
