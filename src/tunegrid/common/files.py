"""Writing files so that a reader sees all of one or nothing, and reading JSON.

A regular file is written next to its place and renamed. Links are followed. A device or a pipe is written to as it is.
What was there before stays where something cannot be written, and modes are those that the umask allows.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from tunegrid.common.errors import TuneGridError
from tunegrid.common.temporary import remove, remove_leftovers, temporary_path

# In a folder that a command wrote for the user, and may replace: what wrote it, and its files.
MARKER = ".tunegrid.json"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def kind_of(path: Path) -> str | None:
    """What a path leads to, links followed: file, folder, pipe, socket or device; None: nothing.

    Raises TuneGridError if the system cannot say, for example because links lead in a circle.
    """
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode), "device")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte
        raise TuneGridError(f"{path}: cannot be used ({getattr(error, 'strerror', None) or error}).") from error


# -- writing ----------------------------------------------------------------------------------------------------------


def check_output_file(path: Path) -> None:
    """Raises TuneGridError if a path cannot be a file, pipe or device to write to, as far as can be told beforehand."""
    if _own_descriptor(path) is not None:
        return
    kind, target = kind_of(path), Path(os.path.realpath(path)) if path.is_symlink() else path
    if kind in ("folder", "socket"):
        raise TuneGridError(f"{path}: is a {kind}; name a file.")
    if kind and not os.access(target, os.W_OK):
        raise TuneGridError(f"{path}: cannot be written: you may not, or it is read-only. Name another file.")
    for parent in target.parents:
        if (kind := kind_of(parent)) not in ("folder", None):
            raise TuneGridError(f"{path}: cannot be written: {parent} is a {kind}, not a folder.")
        if kind:
            break


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """A stream to write UTF-8 text to a file, a pipe or a device. A file is there whole or not at all.

    Raises:
        TuneGridError: it cannot be written; the message says why. What was there before is kept.
    """
    if _own_descriptor(path) is not None or kind_of(path) in ("pipe", "device"):
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()  # what was printed before comes before this
        with _explained(path, path), open(open_stream(path), "w", encoding="utf-8", newline="") as file:
            yield file
    else:
        with replaced(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            yield file


def open_stream(path: Path) -> int:
    """Opens a file, pipe or device to write to as it is, and at once, as to a log; returns the descriptor.

    Raises:
        TuneGridError: it cannot be written; the message says why.
    """
    check_output_file(path)
    with _explained(path):
        if (descriptor := _own_descriptor(path)) is not None:
            return os.dup(descriptor)
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary path to write a file to; the file is renamed to `path` at the end, or removed after an error.

    Raises:
        TuneGridError: `path` is not a regular file, or cannot be written. What was there before is kept.
    """
    check_output_file(path)
    if (kind := kind_of(path)) not in ("file", None):
        raise TuneGridError(f"{path}: is a {kind}; name a file.")
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = temporary_path(target)
    _make_room(path, target)
    with _explained(path, temporary):
        try:
            yield temporary
            if kind:
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; it replaces `folder` at the end, and is removed after an error.

    Raises:
        TuneGridError: it cannot be written. What was there before is kept.
    """
    if (kind := kind_of(folder)) not in ("folder", None):
        raise TuneGridError(f"{folder}: is a {kind}; name a folder.")
    target = Path(os.path.realpath(folder))  # a rename would replace a link
    temporary, old = temporary_path(target), temporary_path(target)
    _make_room(folder, target)
    with _explained(folder, temporary, target):
        try:
            temporary.mkdir()  # its mode is what the umask allows, as its files' are to be
            mode = stat.S_IMODE(temporary.stat().st_mode)
            yield temporary
            for file in temporary.rglob("*"):  # some libraries write files for their owner alone
                if not file.is_symlink():
                    file.chmod(mode if file.is_dir() else mode & 0o666)
            if target.exists():
                target.rename(old)
            try:
                temporary.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
            remove(old)
        finally:
            remove(temporary)


def _make_room(path: Path, target: Path) -> None:
    """Makes the folder that a file or folder is written to, and removes what killed processes left of it there."""
    with _explained(path):
        target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all."""
    with written(path) as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Writes a value as indented UTF-8 JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def _explained(path: Path, *own: Path) -> Iterator[None]:
    """Turns the system's refusal to write `path` into an error for a person.

    Args:
        own: files and folders that are written on the way. With them, an error about another file is not about `path`.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        about = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | Path) else None
        if own and error.errno not in _FULL and not (about and any(about.is_relative_to(place) for place in own)):
            raise
        kept = " What was there before is kept." if own and (path.is_file() or path.is_dir()) else ""
        raise TuneGridError(f"{path}: cannot be written ({error.strerror or error}).{kept}") from error


def _own_descriptor(path: Path) -> int | None:
    """The open stream of this process that a path names, such as /dev/stdout; None for all others.

    A stream that leads to a file must not be opened a second time: each would write over the other from the beginning.
    """
    for _ in range(8):  # links
        place = Path(os.path.realpath(path.parent))
        if place in (Path(f"/proc/{os.getpid()}/fd"), Path("/dev/fd")) and path.name.isdecimal():
            return int(path.name)
        try:
            path = place / os.readlink(path)
        except (OSError, ValueError):
            return None
    return None


# -- folders for the user ---------------------------------------------------------------------------------------------


@contextmanager
def own_folder(folder: Path, command: str) -> Iterator[Path]:
    """A folder to fill, as `replaced_folder`, with a marker by which a later call knows that it may replace it.

    Raises:
        TuneGridError: the folder holds anything that the command did not write.
    """
    check_own_folder(folder, command)
    with replaced_folder(folder) as new:
        yield new
        write_json(new / MARKER, {"written_by": command, "files": _files_in(new)})


def check_own_folder(folder: Path, command: str) -> None:
    """Raises TuneGridError unless a folder is empty, missing, or all of it was written by this command."""
    kind = kind_of(folder)
    if kind not in ("folder", None):
        raise TuneGridError(f"{folder}: is a {kind}; name a folder.")
    if kind is None or not any(folder.iterdir()):
        return
    marker = folder / MARKER
    content = read_object(marker) if kind_of(marker) == "file" else {}
    listed = content.get("files")
    if content.get("written_by") != command or not isinstance(listed, list):
        raise TuneGridError(
            f"{folder}: holds files that `{command}` did not write (there is no {MARKER} of it), so it is not "
            "replaced. Name another folder, or remove this one yourself."
        )
    if foreign := sorted(set(_files_in(folder)) - {*map(str, listed), MARKER}):
        raise TuneGridError(
            f"{folder}: holds {foreign[0]}, which `{command}` did not write, so it is not replaced. Move "
            f"{'it' if len(foreign) == 1 else f'it and {len(foreign) - 1} more'} away, or name another folder."
        )


def _files_in(folder: Path) -> list[str]:
    """Everything in a folder but folders, as paths relative to it."""
    places = sorted(folder.rglob("*"))
    return [str(place.relative_to(folder)) for place in places if place.is_symlink() or not place.is_dir()]


# -- reading ----------------------------------------------------------------------------------------------------------


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises TuneGridError, naming the file, if it is missing, cut off or not JSON."""
    if (kind := kind_of(path)) not in ("file", None):
        raise TuneGridError(f"{path}: is a {kind}, not a JSON file.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TuneGridError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError; nested without end
        raise TuneGridError(f"{path}: not valid JSON ({error}). Delete it and run its job again.") from error


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises TuneGridError as `read_json` does, and for any other value."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise TuneGridError(
            f"{path}: expected a JSON object, found {type(content).__name__}. Delete it and run its job again."
        )
    return content
