"""A server on this machine that speaks as much of the Hub as a download needs, and fails in the ways that the Hub does.

What it answers is written down from huggingface_hub's own source: the description of a repository at a revision
(`/api/models/…/revision/…?blobs=true`), and its files (`/…/resolve/<commit>/<file>`) with the headers `X-Repo-Commit`,
`ETag`, `X-Linked-Etag`, `X-Linked-Size`, `Range`. Large files are answered by a redirect to a signed address on another
port, as the Hub answers with one of its storage.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

LARGE = (".safetensors", ".parquet", ".bin", ".h5", ".msgpack", ".model")
SIGNATURE = "Signature=c2lnbmF0dXJl"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]  # in lower case
    storage: bool  # whether it came to the address of the storage


@dataclass
class Fault:
    """A fault of the next requests whose path contains `part` (and that have this method)."""

    part: str
    act: Callable[[Handler, bytes | None], bool]  # takes the body that would be sent; returns whether it has answered
    times: int
    method: str | None


@dataclass
class Repository:
    kind: str  # models or datasets
    id: str
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Adds a commit of all these files to a branch; returns its hash."""
        commit = hashlib.sha1(f"{self.kind} {self.id} {len(self.commits)}".encode()).hexdigest()
        self.commits[commit], self.branches[branch] = dict(files), commit
        return commit


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle is what these tests are about."""


class HubServer:
    """`with HubServer() as hub:`; its address is what HF_ENDPOINT has to be."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.renamed: dict[str, str] = {}
        self.xet = True  # whether it offers the Hub's own protocol for large files, for which there is no server here
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.sent: dict[str, int] = {}  # bytes of bodies, by the name of the file
        self.lock = threading.Lock()

    def __enter__(self) -> HubServer:
        self.servers = [Server(("127.0.0.1", 0), Handler) for _ in range(2)]
        for server, storage in zip(self.servers, (False, True), strict=True):
            server.hub, server.storage = self, storage
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.address, self.storage_address = (f"http://127.0.0.1:{server.server_port}" for server in self.servers)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuses connections from here on, and closes those that clients keep open."""
        for server in self.servers:
            server.shutdown()
            server.server_close()
            for connection in server.connections:
                with suppress(OSError):  # closed already
                    connection.shutdown(socket.SHUT_RDWR)
        self.servers = []

    def add(self, kind: str, id: str, files: dict[str, bytes]) -> str:
        """Adds a repository with these files on `main`; returns the commit."""
        repository = self.repositories[kind, id] = Repository(kind, id)
        return repository.commit(files)

    def add_folder(self, kind: str, id: str, folder: Path) -> str:
        files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        return self.add(kind, id, files)

    def count(self, part: str = "", method: str | None = None) -> int:
        """Counts the requests so far whose path contains `part`."""
        return sum(part in request.path and method in (None, request.method) for request in self.requests)

    def forget(self) -> None:
        """Forgets the requests so far, so that counting starts again."""
        self.requests.clear()
        self.sent.clear()

    # -- faults -------------------------------------------------------------------------------------------------------

    def fail(
        self, status: int, part: str, times: int = 10**6, body: Any = None, method: str | None = None, **headers: str
    ) -> None:
        """Answers with an error; `headers` with `_` for `-`."""

        def act(handler: Handler, _: bytes | None) -> bool:
            content = body if isinstance(body, bytes) else json.dumps(body or {"error": "made up"}).encode()
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            handler.answer(status, {"Content-Type": "application/json", **named}, content)
            return True

        self.faults.append(Fault(part, act, times, method))

    def cut(self, part: str, after: int, times: int = 1) -> None:
        """Promises the whole body and closes the connection after so many bytes of it."""
        self.spoil(part, lambda body: body[:after], times, promised=True)

    def truncate(self, part: str, to: int, times: int = 1) -> None:
        """Sends only so many bytes and declares them to be the whole body."""
        self.spoil(part, lambda body: body[:to], times)

    def corrupt(self, part: str, times: int = 1) -> None:
        """Sends other bytes, as many as there should be."""
        self.spoil(part, lambda body: bytes(len(body)), times)

    def stall(self, part: str, after: int, seconds: float, times: int = 1) -> None:
        """Sends so many bytes, waits for some seconds, and closes the connection."""
        self.spoil(part, lambda body: body[:after], times, promised=True, seconds=seconds)

    def spoil(
        self, part: str, change: Callable[[bytes], bytes], times: int = 1, promised: bool = False, seconds: float = 0
    ) -> None:
        def act(handler: Handler, body: bytes | None) -> bool:
            if body is None:
                return False
            handler.send(body, {}, change, promised)
            handler.wfile.flush()
            time.sleep(seconds)
            handler.close_connection = True
            return True

        self.faults.append(Fault(part, act, times, "GET"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"", length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            name = unquote(urlsplit(self.path).path).rsplit("/", 1)[-1]
            try:
                self.wfile.write(body)
            except OSError:  # the client has gone
                self.close_connection = True
            with self.server.hub.lock:
                self.server.hub.sent[name] = self.server.hub.sent.get(name, 0) + len(body)

    def _serve(self) -> None:
        hub = self.server.hub
        headers = {name.lower(): value for name, value in self.headers.items()}
        with hub.lock:
            hub.requests.append(Request(self.command, self.path, headers, self.server.storage))
        path = unquote(urlsplit(self.path).path)
        body = self._body(path)
        with hub.lock:
            chosen = next(
                (f for f in hub.faults if f.times and f.part in path and f.method in (None, self.command)), None
            )
        if chosen is not None and chosen.act(self, body):
            chosen.times -= 1
            return
        for old, new in hub.renamed.items():
            if old in path:
                return self.answer(307, {"Location": self.path.replace(old, new)})
        if path.startswith("/api/"):
            self._describe(path)
        elif self.server.storage:
            self.send(body or b"", {})
        else:
            self._resolve(path)
        return None

    def _describe(self, path: str) -> None:
        match = re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/revision/(.+))?", path)
        repository = match and self._repository(match[1], match[2])
        if repository is None:
            headers = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
            return self.answer(404, headers, b'{"error": "Repository not found"}')
        commit = repository.branches.get(match[3] or "main", match[3])
        if commit not in repository.commits:
            return self.answer(404, {"X-Error-Code": "RevisionNotFound"}, b'{"error": "Invalid rev id"}')
        siblings = [described(name, content) for name, content in repository.commits[commit].items()]
        answer = {
            "id": repository.id,
            "sha": commit,
            "private": False,
            "siblings": siblings,
            "tags": [],
            "downloads": 0,
        }
        return self.answer(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def _resolve(self, path: str) -> None:
        """Sends a small file; redirects the request of a large one to the storage."""
        kind, id, commit, name = split(path)
        repository = self._repository(kind, id)
        if repository is None:
            return self.answer(404, {"X-Error-Code": "RepoNotFound"})
        if commit not in repository.commits:
            return self.answer(404, {"X-Error-Code": "RevisionNotFound"})
        content = repository.commits[commit].get(name)
        if content is None:
            return self.answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        entry = described(name, content)
        if "lfs" not in entry:
            return self.send(content, {"X-Repo-Commit": commit, "ETag": f'"{entry["blobId"]}"'})
        prefix = "" if kind == "models" else "datasets/"
        headers = {
            "X-Repo-Commit": commit,
            "X-Linked-Etag": f'"{entry["lfs"]["sha256"]}"',
            "X-Linked-Size": str(len(content)),
            "Location": f"{self.server.hub.storage_address}/{prefix}{id}/resolve/{commit}/{name}?{SIGNATURE}",
        }
        if self.server.hub.xet:
            route = f"{self.server.hub.address}/no-such-route"
            headers |= {"X-Xet-Hash": entry["lfs"]["sha256"], "X-Xet-Refresh-Route": route}
        return self.answer(302, headers)

    def send(
        self,
        content: bytes,
        headers: dict[str, str],
        change: Callable[[bytes], bytes] = lambda body: body,
        promised: bool = False,
    ) -> None:
        """Sends the content from where the client asks; `promised`: declares the length that it had before `change`."""
        status = 200
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start, status = int(asked[1]), 206
            headers = {**headers, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            content = content[start:]
        body = change(content)
        self.answer(status, {"Accept-Ranges": "bytes", **headers}, body, len(content) if promised else len(body))

    def _body(self, path: str) -> bytes | None:
        """Returns the file that a request would get from this server; None for any other request."""
        if path.startswith("/api/"):
            return None
        kind, id, commit, name = split(path)
        repository = self.server.hub.repositories.get((kind, id))
        content = repository and repository.commits.get(commit, {}).get(name)
        if content is None or (not self.server.storage and "lfs" in described(name, content)):
            return None
        return content

    def _repository(self, kind: str, id: str) -> Repository | None:
        return self.server.hub.repositories.get((kind, id))


def split(path: str) -> tuple[str, str, str, str]:
    """Splits `/datasets/<id>/resolve/<commit>/<file>` into (models or datasets, id, commit, file)."""
    match = re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
    return ("datasets" if match[1] else "models", *match.groups()[1:]) if match else ("", "", "", "")


@cache
def described(name: str, content: bytes) -> dict[str, Any]:
    """A file as the Hub lists it. Large ones are in git as a pointer."""
    entry: dict[str, Any] = {"rfilename": name, "size": len(content)}
    stored = content
    if name.endswith(LARGE):
        sha256 = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
        stored = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(content)}\n".encode()
    entry["blobId"] = hashlib.sha1(b"blob %d\0" % len(stored) + stored).hexdigest()
    return entry


def connect(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets huggingface_hub in this process take the server for the Hub: it reads HF_ENDPOINT once, when imported.

    Its own retries do not wait here: they cannot be configured, and take 23 seconds.
    """
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import _http

    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    for module in (constants, file_download):  # the latter before version 1.0
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    monkeypatch.setattr(_http, "time", SimpleNamespace(**vars(time) | {"sleep": lambda seconds: None}))
