"""Files of the tests in memory, where there is room: thousands of small ones are made there in a fraction of a disk's time."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

MEMORY = Path("/dev/shm")
ROOM = 10 << 30  # bytes that have to be free, in that file system and in the machine


def room() -> bool:
    """Whether files, programs among them, can be in memory here; containers often give 64 MB, and no programs."""
    if sys.platform != "linux" or not os.access(MEMORY, os.W_OK | os.X_OK):
        return False
    flags = os.statvfs(MEMORY).f_flag
    return not flags & os.ST_NOEXEC and min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) > ROOM


class InMemory:
    """Has all processes of the tests make their temporary files in memory; removes them at the end, unless a test failed."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tg-", dir=MEMORY))  # short: the paths of sockets are
        os.environ["TMPDIR"] = tempfile.tempdir = str(self._folder)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == 0:
            shutil.rmtree(self._folder, ignore_errors=True)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        if exitstatus != 0:
            terminalreporter.write_line(
                f"{self._folder}: files of the tests that failed, in memory until you remove them"
            )
