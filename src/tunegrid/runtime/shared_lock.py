"""A lock file in a folder that is open to other users, such as one in /tmp.

filelock's own file lock opens its file to create it. Linux refuses that in a sticky folder where the file is another
user's (`fs.protected_regular`), and a folder that is not sticky lets anybody take a lock's file away.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path


class SharedLock:
    """A lock that any user may hold; the system frees it when its process ends."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Tries to get the lock, and writes who holds it into the file; False: another process holds it.

        Raises:
            OSError: the file cannot be opened, or is a link or a device: somebody's trap.
        """
        descriptor = self._open()
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
                raise PermissionError(f"{self.file} is no lock file")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            holder = f"process {os.getpid()} of user {os.getuid()}\n".encode()
            os.ftruncate(descriptor, os.pwrite(descriptor, holder, 0))  # never empty for those who read it
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        with suppress(FileNotFoundError):
            return os.open(self.file, flags)
        try:
            descriptor = os.open(self.file, flags | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:  # another process was faster
            return os.open(self.file, flags)
        os.fchmod(descriptor, 0o666)  # whatever the umask: other users lock it too
        return descriptor
