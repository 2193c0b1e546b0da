"""Fills disks and damages files, at random."""

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
PAGE = 4096  # bytes, of tmpfs


@contextmanager
def small_disk(folder: Path, *, wanted: bool) -> Iterator[bool]:
    """Makes a folder, for the time of the context on a small file system of its own if `wanted` and if mounting is allowed.

    Yields whether the file system was mounted.
    """
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
    """Writes a file that leaves `free` bytes on the disk of a folder; returns its path."""
    filler, remaining = folder / "filler", shutil.disk_usage(folder).free - free
    with filler.open("wb") as file:
        while remaining > 0:
            file.write(bytes(min(remaining, MEGABYTE)))
            remaining -= MEGABYTE
    return filler


def limited(largest: int) -> Callable[[], None]:
    """Makes a `preexec_fn` that limits the size of files to `largest` bytes, which to a program is like a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


def size(folder: Path) -> int:
    """Measures the bytes that the files of a folder take, in whole pages, while other processes write and remove there."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += PAGE + os.lstat(os.path.join(place, name)).st_size // PAGE * PAGE
    return total


def damage(folder: Path, chance: random.Random) -> str:
    """Damages one file of a folder; returns a description of the damage."""
    file = chance.choice(sorted(path for path in folder.iterdir() if path.is_file()))
    content = file.read_bytes()
    damage_kind = chance.choice(["cut off", "a byte changed", "removed"])
    offset = chance.randrange(len(content))
    if damage_kind == "cut off":
        file.write_bytes(content[:offset])
    elif damage_kind == "a byte changed":
        file.write_bytes(content[:offset] + bytes([content[offset] ^ chance.randint(1, 255)]) + content[offset + 1 :])
    else:
        file.unlink()
    return f"{folder.name}/{file.name} {damage_kind}" + (f" at byte {offset}" if damage_kind != "removed" else "")
