"""Runs the server of a run until it is told to stop; requests that were accepted by then are answered."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from tunegrid.common.errors import TuneGridError
from tunegrid.deploy.choose import Winner
from tunegrid.deploy.form import Layout
from tunegrid.deploy.predict import Answerer
from tunegrid.deploy.server import LOOPBACK, Limits, Served, create_app
from tunegrid.study.evaluation_settings import Engine
from tunegrid.study.study import Study

TOKEN = "TUNEGRID_TOKEN"  # variable of the environment
CONNECTIONS = 1000  # more get 503
SHORTEST_TOKEN = 16


def served(study: Study, winner: Winner, answerer: Answerer, engine: Engine, form: str | None = None) -> Served:
    """A run with its words and its card; `form`: of its weights, where they are not as they were trained."""
    cell = winner.run.cell
    run = {
        "task": study.title_of("tasks", cell.task),
        "model": study.title_of("models", cell.model),
        "method": study.title_of("methods", cell.method),
        "seed": str(winner.run.seed),
        "engine": {"transformers": "transformers", "ctranslate2": "CTranslate2"}[engine],
        "study": study.name,
    } | ({"form": form} if form else {})
    return Served(answerer.task, answerer.answer, run, _card(study, winner, answerer))


def _card(study: Study, winner: Winner, answerer: Answerer) -> str:
    """The model card without the front matter, which is for the Hub."""
    from transformers import AutoConfig

    from tunegrid.deploy.card import model_card
    from tunegrid.deploy.export import hub_name
    from tunegrid.models.generate import generation_config

    cell = winner.run.cell
    config = AutoConfig.from_pretrained(study.paths.model(cell.model), local_files_only=True, trust_remote_code=False)
    generation = study.task(cell.task).settings.generation
    settings = generation_config(SimpleNamespace(config=config), answerer.tokenizer, generation)
    layout = Layout("transformers", "", None, hub_name(study, cell.model))
    return model_card(study, winner, layout, settings).split("---\n", 2)[2].lstrip()


def read_token(file: Path | None) -> str | None:
    """The token that requests have to bring: of a file, else of the environment; None: there is none.

    Raises:
        TuneGridError: it cannot be read, or is too short or no plain text.
    """
    if file is not None:
        try:
            token, where = file.read_text(encoding="utf-8").strip(), str(file)
        except (OSError, UnicodeDecodeError) as error:
            raise TuneGridError(f"{file}: the token cannot be read ({error}).") from None
    elif (value := os.environ.get(TOKEN)) is not None:
        token, where = value.strip(), f"the environment's {TOKEN}"
    else:
        return None
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise TuneGridError(
            f"{where}: a token has at least {SHORTEST_TOKEN} characters of ASCII without spaces. "
            "python -c 'import secrets; print(secrets.token_urlsafe())' makes one."
        )
    return token


def serve(what: Served, limits: Limits, *, host: str, port: int, token: str | None) -> None:
    """Listens until SIGTERM or SIGINT. Raises TuneGridError if the address cannot be had."""
    import uvicorn

    is_local = _is_loopback(host)
    if not is_local and token is None:
        print(f"tunegrid: whoever reaches {host}:{port} can ask; --token-file FILE asks for a token.", file=sys.stderr)
    listener = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    app = create_app(what, limits, token=token, hosts=list(LOOPBACK) if is_local else None)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, limit_concurrency=CONNECTIONS, server_header=False, ws="none",
        timeout_keep_alive=15,
    )  # fmt: skip
    print(f"http://{shown}:{listener.getsockname()[1]}/ answers. Ctrl-C ends.", file=sys.stderr, flush=True)
    with _heedless_of_signals():
        uvicorn.Server(config).run(sockets=[listener])
    batcher = app.state.batcher
    given_up = f", {batcher.given_up} were given up by those who asked" if batcher.given_up else ""
    print(
        f"Stopped. Of {batcher.accepted} requests that were accepted, {batcher.answered} were answered{given_up}.",
        file=sys.stderr,
        flush=True,
    )


@contextmanager
def _heedless_of_signals() -> Iterator[None]:
    """The server, having stopped because of a signal, raises it again: that must not end the process."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its protocol asyncio knows that it may send the parts of an answer at once; without it a client that keeps its
    # connection waits 40 ms for each.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, TypeError, UnicodeError) as error:  # the last two of a name that is no text
        listener.close()
        raise TuneGridError(
            f"{host}:{port}: cannot listen there ({getattr(error, 'strerror', None) or error})."
        ) from None
    return listener
