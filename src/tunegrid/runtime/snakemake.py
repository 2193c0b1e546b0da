"""Who is at work in this folder: Snakemake locks it, and a Snakemake that was killed leaves its lock behind.

Snakemake's own `--unlock` removes every lock of the folder, those of living Snakemakes too, and asks nobody. So each
Snakemake of this project leaves a file that says who it is, locked for as long as it lives: the system frees it.
"""

from __future__ import annotations

import atexit
import re
import shlex
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.runtime.locks import Holder

LOCKS, HOLDERS = Path(".snakemake/locks"), Path(".snakemake/tunegrid")
# A Snakemake with one of these changes nothing, or runs a single job of another one.
HARMLESS = re.compile(r"-[a-z]*n[a-z]*|--(dry-?run|nolock|unlock|lint|summary|list.*|version|help|report|mode)(=.*)?")


def hold(results: Path) -> None:
    """Says, until this process ends, that it is at work in this folder, and on these results.

    Args:
        results: lock file of the results. Another clone may share them, whose folder Snakemake's own locks do not see.

    Raises:
        TuneGridError: a Snakemake of another folder is at work on the same results.
    """
    import filelock

    results.parent.mkdir(parents=True, exist_ok=True)
    shared = filelock.FileLock(results)
    try:
        shared.acquire(timeout=0)
    except filelock.Timeout:
        raise TuneGridError(
            f"{results.parent.parent}/: another Snakemake is at work on these results "
            f"({Holder.read(results) or 'unknown'}), from another folder, and two would write over each other's files. "
            "Wait until it is done, or give this study another name."
        ) from None
    holder = Holder.this_process()
    holder.write(results)
    atexit.register(shared.release)
    file = HOLDERS / f"{holder.host}-{holder.pid}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(file)
    lock.acquire(timeout=10)
    holder.write(file)
    atexit.register(_forget, file)
    atexit.register(lock.release)


def is_locked() -> bool:
    """Whether a Snakemake has locked the current folder, be it alive or killed."""
    return LOCKS.is_dir() and any(LOCKS.iterdir())


def is_abandoned() -> bool:
    """Whether Snakemakes were at work here, and all of them are known to be gone."""
    alive, gone, unknown = _holders()
    return bool(gone) and not alive and not unknown


def unlock(force: bool = False) -> str:
    """Removes what a Snakemake that is gone has left locked; returns what was done, in words.

    Args:
        force: also where it cannot be known whether it is gone, because it ran on another machine.

    Raises:
        TuneGridError: a Snakemake is at work here, or may be.
    """
    alive, gone, unknown = _holders()
    alive += [one for one in _processes() if one.pid not in {holder.pid for holder in alive}]
    if alive:
        one = alive[0]
        raise TuneGridError(
            f"Snakemake is at work in this folder ({one}). Nothing was changed. Wait until it is done, or stop it: "
            f"Ctrl-C where it runs, or kill -9 {one.pid} (what it trains is saved, and goes on at the next start)."
        )
    locked = is_locked()
    if locked and unknown and not force:
        raise TuneGridError(
            f"this folder was locked by {unknown[0]}. Whether that is still at work cannot be seen from "
            f"{socket.gethostname()}. Look there (ps -p {unknown[0].pid}); if it is gone, type: tunegrid unlock --force"
        )
    for holder in gone + (unknown if force else []):
        _forget(HOLDERS / f"{holder.host}-{holder.pid}.lock")
    if not locked:
        return "The folder is not locked."
    shutil.rmtree(LOCKS)
    who = (gone or unknown or [None])[0]
    return f"Unlocked: {f'it was left so by {who}' if who else 'the Snakemake that left it so is gone'}."


def _forget(lock: Path) -> None:
    for file in (lock, lock.with_suffix(".json")):
        file.unlink(missing_ok=True)


def _holders() -> tuple[list[Holder], list[Holder], list[Holder]]:
    """Those who said that they are at work here: that live, that are gone, of which this machine cannot know."""
    import filelock

    alive, gone, unknown = [], [], []
    for file in sorted(HOLDERS.glob("*.lock")):
        holder = Holder.read(file)
        try:
            with filelock.FileLock(file, timeout=0):
                free = True
        except filelock.Timeout:
            free = False
        if holder is None:  # it died as it wrote this, or is writing: then it is found among the processes
            continue
        (alive if not free else gone if holder.is_here else unknown).append(holder)
    return alive, gone, unknown


def _processes() -> list[Holder]:
    """The Snakemakes of this machine that work in this folder, whatever workflow they run."""
    return [
        Holder(
            socket.gethostname(),
            pid,
            datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            shlex.join(words),
        )
        for pid, started, words in processes_here(is_snakemake)
    ]


def processes_here(matches: Callable[[list[str]], bool]) -> Iterator[tuple[int, float, list[str]]]:
    """(id, start, command line) of this machine's processes in the current folder whose command line matches."""
    import psutil

    here = Path.cwd().resolve()
    for process in psutil.process_iter(["pid", "cmdline", "create_time", "status"]):
        words = process.info["cmdline"] or []
        if not matches(words) or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        with suppress(psutil.AccessDenied, psutil.NoSuchProcess):
            if Path(process.cwd()) == here:
                yield process.info["pid"], process.info["create_time"], words


def is_snakemake(words: list[str]) -> bool:
    """Whether this is the command line of a Snakemake that runs jobs of its own: `snakemake`, `python -m snakemake`."""
    names = [Path(word).name for word in words[:3]]
    if names[1:] == ["-m", "snakemake"]:
        pass
    elif not names or "snakemake" not in names[: 2 if names[0].startswith("python") else 1]:
        return False
    return not any(map(HARMLESS.fullmatch, words))
