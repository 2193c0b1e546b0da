"""A process that has imported the heavy libraries once, and forks for every job that asks.

Importing torch, transformers, peft and adapters takes seconds; a small study has a hundred jobs that compute for about
as long. The workflow starts `tunegrid serve` for studies on the CPU and names its socket in `TUNEGRID_WARM`; a command
that finds it there hands its arguments and its output streams over and waits, and does its work itself where it does
not. Results are the same bit for bit: a fork has the same code and its own memory.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

VARIABLE = "TUNEGRID_WARM"
LONGEST_MESSAGE = 1 << 20  # bytes
MODULES = (
    "adapters",
    "peft",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
    "tunegrid.evaluate",
    "tunegrid.inference",
    "tunegrid.metrics.bleu",
    "tunegrid.metrics.chrf",
    "tunegrid.metrics.classification",
    "tunegrid.metrics.cosine",
    "tunegrid.metrics.squad",
    "tunegrid.models.stage",
    "tunegrid.prediction",
    "tunegrid.search",
    "tunegrid.tokenise",
    "tunegrid.train",
    "tunegrid.training.trainer",
)


def ask(arguments: list[str]) -> int | None:
    """Has the warm process run a command; returns its exit code, or None where there is no warm process."""
    if not (address := os.environ.get(VARIABLE)):
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:
        return None
    message = json.dumps({"arguments": arguments, "folder": os.getcwd()}).encode()
    with connection:
        socket.send_fds(connection, [message], [1, 2])
        answer = connection.recv(1)
    if not answer:
        print("tunegrid: error: the job's process died (killed, or out of memory)", file=sys.stderr)
        return 1
    return answer[0]


def serve(address: Path, run: Callable[[list[str]], int]) -> None:
    """Listens at a socket and forks for each request, until the process that started this one is gone."""
    parent = os.getppid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children here
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen(64)  # from here on jobs can ask; they wait until the imports are done
        server.settimeout(1.0)
        _import_everything()
        try:
            while os.getppid() == parent:
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    if os.fork() == 0:
                        server.close()
                        _child(connection, run)
        finally:
            address.unlink(missing_ok=True)


def _child(connection: socket.socket, run: Callable[[list[str]], int]) -> None:
    """Runs one request in a forked process, which ends here."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection.setblocking(True)
        message, streams, _, _ = socket.recv_fds(connection, LONGEST_MESSAGE, 2)
        for number, stream in zip((1, 2), streams, strict=True):
            os.dup2(stream, number)
            os.close(stream)
        threading.Thread(target=_end_with_the_client, args=(connection,), daemon=True).start()
        request = json.loads(message)
        os.chdir(request["folder"])
        code = run(request["arguments"])
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.send(bytes([code]))
        os._exit(code)


def _end_with_the_client(connection: socket.socket) -> None:
    """Whoever kills the command that waits means the work that it waits for."""
    if not connection.recv(1):
        os.kill(os.getpid(), signal.SIGTERM)


def _import_everything() -> None:
    """What the jobs import. Nothing here may start a thread: it would not live on in a fork."""
    for module in MODULES:
        importlib.import_module(module)
    import transformers

    # This library loads its models on first use.
    for name in (
        "AutoModelForSeq2SeqLM",
        "AutoTokenizer",
        "BartForConditionalGeneration",
        "T5ForConditionalGeneration",
    ):
        getattr(transformers, name)
