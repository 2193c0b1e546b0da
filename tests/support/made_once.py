"""What takes long to make, made by one of the processes that run the tests, for all of them."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` has filled, in this process or in another worker of pytest-xdist."""
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # each worker has a folder of its own there
    folder, done = place / f"shared-{name}", place / f"shared-{name}.done"
    with FileLock(place / f"shared-{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """Fails if a file of the folder, which other tests read too, is not as it was before."""
    before = _files(folder)
    yield
    assert _files(folder) == before, "the test changes files that others read: it needs a copy"


def _files(folder: Path) -> dict[Path, int]:
    """The files of a folder, with the time of their last change."""
    return {file: file.stat().st_mtime_ns for file in sorted(folder.rglob("*")) if file.is_file()}
