"""A process that has imported the heavy libraries once, and forks for every job that asks.

Importing torch, transformers, peft and adapters takes seconds; a small study has a hundred jobs that compute for about
as long. The workflow starts `tunegrid warm` for studies on the CPU and names its socket in `TUNEGRID_WARM`. A command
that finds it hands its arguments and output streams over and waits; without it, a command does its work itself. Results
are the same bit for bit: a fork has the same code and its own memory.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

from tunegrid.common.errors import TuneGridError
from tunegrid.runtime import parent
from tunegrid.runtime.supervisor import CRASHED, EXPLAINED, End, exit_with

TYPE_CHECKING = False  # `typing` itself would be a tenth of a client's start
if TYPE_CHECKING:
    from pathlib import Path
    from typing import NoReturn

VARIABLE = "TUNEGRID_WARM"
STARTED, END = struct.Struct("!q"), struct.Struct("!qq")  # messages to a client: process id; wait status and peak bytes
LONGEST_MESSAGE = 1 << 20  # bytes


class Worker:
    """A process that the warm process forked for this command. It ends if the command ends, or the warm process."""

    ends_with_snakemake = True  # for the warm process does

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection, self.pid = connection, pid

    def fileno(self) -> int:
        """Readable when the process has ended."""
        return self._connection.fileno()

    def end(self) -> End | None:
        """Waits for the end; None: the warm process is gone as well."""
        with self._connection:
            return None if (answer := _receive(self._connection, END)) is None else End.from_status(*answer)


def start(arguments: list[str]) -> Worker | None:
    """Has the warm process run a command; None where there is no warm process."""
    if not (address := os.environ.get(VARIABLE)):
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
        if not _is_ours(connection):  # its process would get the open streams, and answer for the work
            raise PermissionError
        message = os.fsencode("\0".join([os.getcwd(), *arguments]))
        socket.send_fds(connection, [message], [1, 2])
        answer = _receive(connection, STARTED)
    except OSError:
        answer = None
    if answer is None:
        connection.close()
        return None
    return Worker(connection, *answer)


def ask(arguments: list[str]) -> int | None:
    """Has the warm process run a command; returns its exit code, or None where there is no warm process."""
    if (worker := start(arguments)) is None:
        return None
    end = worker.end()
    if end is None or end.code is None:
        print("tunegrid: error: the job's process died (killed, or out of memory)", file=sys.stderr)
        return 1
    return 1 if end.code in (CRASHED, EXPLAINED) else end.code


def listen(address: Path, import_everything: Callable[[], None], run: Callable[[list[str]], int]) -> None:
    """Listens at a socket and forks for each request, until the process that started this one is gone.

    Args:
        import_everything: imports what the requests need; called once, when requests can already arrive.
        run: runs a command in the fork; returns its exit code.
    """
    starter, this, clients = os.getppid(), os.getpid(), {}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the jobs; this process ends with its parent
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker)  # a child's end ends the wait below
    if address.is_socket():
        address.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.bind(str(address))
        except OSError as error:
            raise TuneGridError(f"{address}: no socket can be made there ({error.strerror or error}).") from error
        server.listen(64)  # from here on jobs can ask; they wait until the imports are done
        import_everything()
        gc.freeze()  # a fork's garbage collector need not look through all this, nor copy its pages
        try:
            while os.getppid() == starter:
                ready, _, _ = select.select([server, woken], [], [], parent.POLL_SECONDS)
                if woken in ready:
                    os.read(woken, 4096)
                _report(clients)
                if server in ready:
                    connection, _ = server.accept()
                    if not _is_ours(connection):
                        connection.close()
                        continue
                    if (pid := os.fork()) == 0:
                        signal.set_wakeup_fd(-1)
                        for inherited in (server, *clients.values()):
                            inherited.close()
                        _child(connection, run, this)
                    clients[pid] = connection
                    with suppress(OSError):
                        connection.sendall(STARTED.pack(pid))
        finally:
            address.unlink(missing_ok=True)


def _report(clients: dict[int, socket.socket]) -> None:
    """Tells each client how its process ended."""
    while clients:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if pid == 0:
            return
        with clients.pop(pid) as connection, suppress(OSError):
            connection.sendall(END.pack(status, usage.ru_maxrss * 1024))


def _child(connection: socket.socket, run: Callable[[list[str]], int], server: int) -> NoReturn:
    """Runs one request in a forked process, which ends here."""

    def work() -> int:
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        message, streams, _, _ = socket.recv_fds(connection, LONGEST_MESSAGE, 2)
        for number, stream in zip((1, 2), streams, strict=True):
            os.dup2(stream, number)
            os.close(stream)
        # A command that is killed while it waits takes this work with it.
        parent.stop_when_gone(lambda: os.getppid() == server and not _hung_up(connection))
        folder, *arguments = os.fsdecode(message).split("\0")
        os.chdir(folder)
        return run(arguments)

    exit_with(work)


def _is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end is this user's: a socket may lie in a folder that is open to others."""
    if not hasattr(socket, "SO_PEERCRED"):  # not Linux
        return True
    user = struct.Struct("3i").unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    return user in (os.geteuid(), 0)


def _hung_up(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(1)


def _receive(connection: socket.socket, form: struct.Struct) -> tuple[int, ...] | None:
    """Receives a message of this form; None: the other side is gone."""
    try:
        answer = connection.recv(form.size, socket.MSG_WAITALL)
    except OSError:
        return None
    return form.unpack(answer) if len(answer) == form.size else None
