"""Locks that are freed when their process ends, however it ends, and that say who holds them."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.runtime.provenance import now

WAIT = 60.0  # seconds: a process that is asked to end may take as long to save a checkpoint
WAIT_VARIABLE = "TUNEGRID_LOCK_WAIT"


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock, or held it."""

    host: str
    pid: int
    started: str
    command: str
    slurm_job: str | None = None

    @classmethod
    def this_process(cls) -> Holder:
        return cls(socket.gethostname(), os.getpid(), now(), shlex.join(sys.argv), os.environ.get("SLURM_JOB_ID"))

    def write(self, lock: Path) -> None:
        """Writes this next to a lock. The lock file itself belongs to the library."""
        lock.with_suffix(".json").write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, lock: Path) -> Holder | None:
        """The last holder of a lock; None: nobody held it, or its holder died before it could write this."""
        try:
            return cls(**json.loads(lock.with_suffix(".json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()

    def __str__(self) -> str:
        job = f" in the Slurm job {self.slurm_job}" if self.slurm_job else ""
        return f"process {self.pid} on {self.host}{job}, since {self.started}: {self.command}"


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Holds a lock file. The system frees it when the process dies.

    It waits for another process, for TUNEGRID_LOCK_WAIT seconds or a minute.

    Args:
        what: the work that the lock protects, for messages.

    Raises:
        TuneGridError: another process holds it; the message says which one.
    """
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print(f"waiting for {Holder.read(path) or 'another process'}, which works on {what} too", flush=True)
        try:
            lock.acquire(timeout=float(os.environ.get(WAIT_VARIABLE, WAIT)))
        except filelock.Timeout:
            raise TuneGridError(
                f"{what} is being worked on by another process ({Holder.read(path) or 'unknown'}), and two would write "
                "over each other's results. Wait until it is done, or end it, and start again."
            ) from None
    try:
        Holder.this_process().write(path)
        yield
    finally:
        lock.release()
