"""Temporary files and folders next to what they are to become, and the removal of those that killed processes left."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LONGEST = 100  # bytes of the target's name in a temporary name; file systems allow 255 in all
_FORM = re.compile(r"\.(?P<name>.+)\.(?P<host>\w+)-(?P<pid>\d+)-[0-9a-f]{8}\.tmp")
_DAY = 86_400.0  # seconds without a change after which a temporary file of another machine counts as left behind


def temporary_path(target: Path) -> Path:
    """A new path in the folder of `target`: `.<name>.<host>-<process>-<random>.tmp`."""
    return target.with_name(f".{_stem(target.name)}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp")


def leftovers(folder: Path, name: str | None = None) -> Iterator[Path]:
    """Temporary files and folders in a folder, not below it, whose process is gone.

    Args:
        name: name of the file or folder that they were to become; None: any.
    """
    with suppress(OSError):  # nothing can be removed from a folder that cannot be listed
        for path in sorted(folder.iterdir()):
            match = _FORM.fullmatch(path.name)
            if match and name in (None, match["name"]) and _is_abandoned(path, match["host"], int(match["pid"])):
                yield path


def remove_leftovers(target: Path) -> None:
    """Removes what killed processes left of a file or folder: temporary ones that never were renamed to it."""
    for path in leftovers(target.parent, _stem(target.name)):
        remove(path)


def remove(path: Path) -> None:
    """Removes a file, a link or a folder with all that it holds; does nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, removed at the end; what killed processes left of it there is removed first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    folder = temporary_path(target)
    folder.mkdir()
    try:
        yield folder
    finally:
        remove(folder)


def _is_abandoned(path: Path, host: str, pid: int) -> bool:
    if host != _host():
        with suppress(OSError):
            newest = max(place.lstat().st_mtime for place in (path, *path.rglob("*")))
            return time.time() - newest > _DAY
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's process
        return False
    return False


def _stem(name: str) -> str:
    return os.fsencode(name)[:_LONGEST].decode(errors="ignore")


def _host() -> str:
    return re.sub(r"\W", "_", socket.gethostname())[:40] or "host"
