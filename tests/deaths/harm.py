"""Disks that fill up and files that are damaged, at random."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MEGABYTE = 1 << 20
DISK = 24 * MEGABYTE
ROOM = 4096  # bytes: a page of tmpfs


@contextmanager
def small_disk(folder: Path, *, wanted: bool) -> Iterator[bool]:
    """A folder; if wanted, and where one may be mounted, with a file system of its own. Whether that is there."""
    folder.mkdir(parents=True)
    mounted = False
    if wanted and shutil.which("mount") and os.geteuid() == 0:
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "deaths", str(folder)]
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, free: int) -> Path:
    """A file that leaves so many bytes on the disk."""
    filler, room = folder / "filler", shutil.disk_usage(folder).free - free
    with filler.open("wb") as file:
        while room > 0:
            file.write(bytes(min(room, MEGABYTE)))
            room -= MEGABYTE
    return filler


def limited(largest: int) -> Callable[[], None]:
    """For a process that is about to start: no file may become larger. To a program it is like a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


def size(folder: Path) -> int:
    """Bytes that the files of a folder take, in whole pages, while others write and remove there."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += ROOM + os.lstat(os.path.join(place, name)).st_size // ROOM * ROOM
    return total


def damage(folder: Path, chance: random.Random) -> str:
    """Damages one file of a folder; says what was done to which."""
    file = chance.choice(sorted(one for one in folder.iterdir() if one.is_file()))
    content = file.read_bytes()
    how = chance.choice(["cut off", "a byte changed", "removed"])
    at = chance.randrange(len(content))
    if how == "cut off":
        file.write_bytes(content[:at])
    elif how == "a byte changed":
        file.write_bytes(content[:at] + bytes([content[at] ^ chance.randint(1, 255)]) + content[at + 1 :])
    else:
        file.unlink()
    return f"{folder.name}/{file.name} {how}" + (f" at byte {at}" if how != "removed" else "")
