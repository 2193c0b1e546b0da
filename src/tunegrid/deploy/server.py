"""The HTTP interface of a run: requests are checked, queued and answered in batches.

| path | what |
| --- | --- |
| `POST /predict` | answers one row (an object) or many (`{"rows": [...]}`) |
| `GET /health` | which run answers, and that it does |
| `GET /metrics` | counts and times for Prometheus |
| `GET /card` | the run's model card, Markdown |
| `GET /docs`, `/openapi.json` | the interface, for people and for programs |
| `GET /` | a page to try it |

With a token, `/predict`, `/metrics` and `/card` want it: `Authorization: Bearer TOKEN`.

FastAPI is an extra, so it is imported where the application is made; it reads the annotations of its functions, which
therefore are no strings here.
"""

import asyncio
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunegrid import __version__
from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats import RawRow
from tunegrid.deploy.batching import Batcher, QueueFull, Stopped
from tunegrid.deploy.page import docs_page, security_headers, try_page
from tunegrid.tasks import Row, RowError, Task
from tunegrid.tasks.rows import unlabelled_row

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # upper bounds of the histogram of requests
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # and of that of batches


@dataclass(frozen=True)
class Limits:
    """Bounds of what a server takes.

    Attributes:
        body_bytes: of a request.
        request_rows: of a request.
        row_characters: of a row, all its texts together.
        batch_rows: that are answered together.
        queue_rows: that wait, of all requests.
        seconds: that a request may take, from its first byte to its answer.
    """

    body_bytes: int = 1 << 20
    request_rows: int = 256
    row_characters: int = 20_000
    batch_rows: int = 64
    queue_rows: int = 512
    seconds: float = 60.0


@dataclass(frozen=True)
class Served:
    """The run that a server answers with.

    Attributes:
        answer: one answer per row; slow, and only called by one thread.
        run: what answers, in words, by its kind (`task`, `model`, `method`, `engine`, …).
        card: the model card as Markdown.
    """

    task: Task
    answer: Callable[[list[Row]], list[dict[str, Any]]]
    run: dict[str, str]
    card: str


class Refused(Exception):
    """A request that gets an error: its status and a sentence on what is wrong."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status, self.headers = status, headers


class _Measured:
    """What `/metrics` shows. `accepted` and `answered` are of rows that were queued."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        self.requests = Counter(
            "tunegrid_requests", "Requests to /predict by status.", ["status"], registry=self.registry
        )
        self.rows = Counter("tunegrid_rows", "Rows that were answered.", registry=self.registry)
        self.seconds = Histogram(
            "tunegrid_request_seconds", "Time of an answered request.", buckets=SECONDS, registry=self.registry
        )
        self.batches = Histogram("tunegrid_batch_rows", "Rows of a batch.", buckets=ROWS, registry=self.registry)
        Gauge("tunegrid_waiting_rows", "Rows in the queue.", registry=self.registry).set_function(waiting)


def create_app(
    served: Served, limits: Limits, *, token: str | None = None, hosts: list[str] | None = None
) -> "FastAPI":
    """The application; it starts and stops the thread that answers with its own life.

    Args:
        token: what `Authorization: Bearer` has to say; None: nobody is asked.
        hosts: names by which the server may be called, against pages of others that point their name at it; None: any.
    """
    from fastapi import FastAPI, Request, Response
    from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
    from prometheus_client import generate_latest
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import ClientDisconnect

    batcher = Batcher(
        served.answer,
        batch_rows=limits.batch_rows,
        queue_rows=limits.queue_rows,
        on_batch=lambda rows: measured.batches.observe(rows),
    )
    measured = _Measured(lambda: batcher.waiting_rows)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(batcher.stop)

    app = FastAPI(
        title=f"TuneGrid: {served.run['task']}",
        version=__version__,
        docs_url=None,  # the library's pages load their scripts from another server
        redoc_url=None,
        lifespan=lifespan,
    )
    if hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)

    app.state.batcher = batcher

    @app.middleware("http")
    async def secured(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call(request)
        response.headers.update(security_headers())
        return response

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"error": str(error)}, error.status, error.headers)

    def check_token(request: Request) -> None:
        if token is None:
            return
        given = request.headers.get("authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {token}".encode()):
            words = "This server wants a token: Authorization: Bearer TOKEN."
            raise Refused(401, words, **{"WWW-Authenticate": "Bearer"})

    async def answer(request: Request) -> dict[str, Any]:
        check_token(request)
        try:
            async with asyncio.timeout(limits.seconds):
                content = _parsed(await _body(request, limits.body_bytes))
                single = "rows" not in content
                rows = _rows(served.task, [content] if single else content["rows"], limits)
                answers = await asyncio.wrap_future(batcher.submit(rows))
        except TimeoutError:
            raise Refused(504, f"No answer within {limits.seconds:g} seconds.") from None
        except QueueFull:
            sentence = f"{batcher.waiting_rows} rows are waiting already, and {limits.queue_rows} may. Try again later."
            raise Refused(429, sentence, **{"Retry-After": "1"}) from None
        except Stopped:
            raise Refused(503, "The server is stopping.", **{"Retry-After": "5"}) from None
        except ClientDisconnect:
            raise Refused(400, "The request ended before its body did.") from None
        except TuneGridError as error:
            raise Refused(500, str(error)) from None
        measured.rows.inc(len(rows))
        return answers[0] if single else {"predictions": answers}

    @app.post("/predict", openapi_extra=_request_schema(served.task, limits), responses=_RESPONSES)
    async def predict(request: Request) -> JSONResponse:
        """Answers one row, or a list of rows in their order."""
        started, status = time.perf_counter(), 500
        try:
            content = await answer(request)
            status = 200
            measured.seconds.observe(time.perf_counter() - started)
            return JSONResponse(content)
        except Refused as error:
            status = error.status
            raise
        finally:
            measured.requests.labels(status=str(status)).inc()

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Which run answers."""
        return {"status": "ok", **served.run}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        """Counts and times, for Prometheus."""
        check_token(request)
        return Response(generate_latest(measured.registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/card", response_class=PlainTextResponse)
    async def card(request: Request) -> PlainTextResponse:
        """The run's model card, Markdown."""
        check_token(request)
        return PlainTextResponse(served.card, media_type="text/markdown")

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(try_page(served.task, served.run, wants_token=token is not None))

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        address = str(request.base_url).rstrip("/")
        return HTMLResponse(docs_page(app.openapi(), served.run, address, wants_token=token is not None))

    return app


async def _body(request: "Request", most: int) -> bytes:
    """The whole body. Raises Refused where it is too large, whatever its header says of it, or no JSON by its type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # a browser sends no other page's request of this type without asking
        raise Refused(415, "Content-Type must be application/json.")
    too_large = Refused(413, f"The body has more than {most:,} bytes. Send fewer rows at a time.")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > most):
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise too_large
    return bytes(body)


def _parsed(body: bytes) -> dict[str, Any]:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for name, count in Counter(name for name, _ in pairs).items():
            if count > 1:
                raise Refused(422, f"The key {name[:100]!r} stands twice in an object.")
        return dict(pairs)

    try:
        content = json.loads(body, parse_constant=refuse, object_pairs_hook=once)
        json.dumps(content, ensure_ascii=False).encode()  # a lone surrogate is no text
    except UnicodeEncodeError:
        raise Refused(422, "A text holds half a character (a lone surrogate).") from None
    except RecursionError:
        raise Refused(422, "The JSON is nested too deeply.") from None
    except ValueError as error:
        raise Refused(422, f"The body is no JSON: {str(error)[:200]}.") from None
    if not isinstance(content, dict):
        raise Refused(422, 'The body must be an object: a row, or {"rows": [row, …]}.')
    return content


def _rows(task: Task, values: Any, limits: Limits) -> list[Row]:
    """The rows of a request, cleaned. Raises Refused with what is wrong with the first that cannot be answered."""
    if not isinstance(values, list):
        raise Refused(422, "rows must be a list of rows.")
    if not values:
        raise Refused(422, "rows is empty.")
    if len(values) > limits.request_rows:
        raise Refused(413, f"{len(values):,} rows; a request has {limits.request_rows:,} at most.")
    rows = []
    for number, value in enumerate(values, start=1):
        where = f"row {number}" if len(values) > 1 else "the row"
        if not isinstance(value, dict):
            raise Refused(422, f"{where}: must be an object with {', '.join(task.source_columns)}.")
        try:
            row = unlabelled_row(task, RawRow(value, where))
        except RowError as error:
            raise Refused(422, f"{where}: {str(error)[:1000]}") from None
        characters = sum(len(row[column]) for column in task.source_columns)
        if characters > limits.row_characters:
            raise Refused(422, f"{where}: {characters:,} characters; {limits.row_characters:,} at most.")
        rows.append(row)
    return rows


_ERROR = {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": _ERROR}
    for status, words in {
        401: "No token, or another one.",
        413: "Too many bytes or rows.",
        415: "The body is not declared as JSON.",
        422: "The body is no JSON, or a row cannot be answered; the error says which and why.",
        429: "Too many rows are waiting; try again later.",
        503: "The server is stopping.",
        504: "No answer in time.",
    }.items()
}


def _request_schema(task: Task, limits: Limits) -> dict[str, Any]:
    """The request of `/predict` for the interface's description."""
    row = {
        "type": "object",
        "properties": {"id": {"type": "string"}} | {name: {"type": "string"} for name in task.source_columns},
        "required": list(task.source_columns),
        "example": {name: task.example.get(name, "A text.") for name in task.source_columns},
    }
    rows = {"type": "array", "minItems": 1, "maxItems": limits.request_rows, "items": row}
    many = {"type": "object", "properties": {"rows": rows}, "required": ["rows"]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": {"oneOf": [row, many]}}}}}
