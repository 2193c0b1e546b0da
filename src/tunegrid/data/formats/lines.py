"""Lines of text files, compressed ones too."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from tunegrid.common.errors import TuneGridError

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
BLOCK = 1 << 16  # bytes
LFS_POINTER = b"version https://git-lfs.github.com/spec/"

# A file, or lines that come from elsewhere; `str` of it stands in messages.
Place = Path | Iterable[bytes]


def binary_lines(place: Place) -> Iterator[bytes]:
    """Yields lines with their ends, which are LF, CRLF or, where a file has no LF, CR alone (as of old Macs).

    Raises:
        TuneGridError: a file cannot be read or decompressed.
    """
    if not isinstance(place, Path):
        yield from place
        return
    try:
        refuse_pointer(place)
        with _opened(place) as file:
            head = file.read(BLOCK)
        with _opened(place) as file:
            yield from _ending_in_cr(file) if b"\r" in head and b"\n" not in head else file
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise TuneGridError(f"{place}: cannot be read: {error}") from None


def refuse_pointer(place: Path) -> None:
    """Raises TuneGridError if a file only says that Git LFS has its content."""
    with place.open("rb") as file:
        start = file.read(len(LFS_POINTER))
    if start == LFS_POINTER:
        raise TuneGridError(
            f"{place}: is a pointer of Git LFS, not the file itself. Run `git lfs pull` in the repository that it is "
            "from."
        )


def numbered_lines(place: Place) -> Iterator[tuple[int, str]]:
    """Yields (number from 1, line) of UTF-8 text, without a byte order mark.

    Raises:
        TuneGridError: a line is not valid UTF-8, or the file cannot be read.
    """
    for number, line in enumerate(binary_lines(place), start=1):
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise TuneGridError(
                f"{place}, line {number}: not valid UTF-8 (byte {error.start + 1} of the line). "
                "Save the file as UTF-8 and run again."
            ) from None


def _opened(path: Path) -> BinaryIO:
    match path.suffix.lower():
        case ".gz":
            return cast("BinaryIO", gzip.open(path))
        case ".bz2":
            return bz2.open(path)
        case ".xz":
            return lzma.open(path)
        case ".zst":
            import pyarrow

            return io.BufferedReader(pyarrow.input_stream(path, compression="zstd"))
    return path.open("rb")


def _ending_in_cr(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while block := file.read(BLOCK):
        *lines, rest = (rest + block).split(b"\r")
        yield from (line + b"\r" for line in lines)
    if rest:
        yield rest
