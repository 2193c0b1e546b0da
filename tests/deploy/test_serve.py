"""`tunegrid serve-model`: the answers of the evaluation over HTTP, under load and until it is told to stop."""

import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.extras import needs_server
from tests.support.predict_command import cell_options
from tests.support.winners import CELLS, CONFIG, predictions
from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.study.cells import Cell

CLIENTS = 8
REQUESTS = 200
QA = Cell("qa", "flan-t5", "lora")
TOKEN = "from-the-environment-1"


@contextmanager
def served(cell: Cell, folder: Path, **environment: str):
    """(process, port) of a server of the study in a folder; it is ended if it still runs."""
    command = [sys.executable, "-m", "tunegrid", "serve-model", *CONFIG, *cell_options(cell), "--port", "0"]
    server = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
    try:
        for line in server.stderr:
            if match := re.fullmatch(r"http://127\.0\.0\.1:(\d+)/ answers\. Ctrl-C ends\.\n", line):
                break
        else:
            raise AssertionError("the server does not start")
        yield server, int(match[1])
    finally:
        server.kill()
        server.communicate()


def ask(port: int, content: object, **headers: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        body = json.dumps(content)
        connection.request("POST", "/predict", body, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def rows_of(cell: Cell) -> list[dict]:
    lines = Path(f"rows/{cell.task}-test.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def stopped(server: subprocess.Popen) -> str:
    server.send_signal(signal.SIGTERM)
    _, rest = server.communicate(timeout=60)
    assert server.returncode == 0
    assert "Traceback" not in rest
    return rest


class Asked:
    """A running server that several tests ask, and the statuses of its answers to rows."""

    def __init__(self, server: subprocess.Popen, port: int) -> None:
        self.process, self.port, self.statuses = server, port, []

    def rows(self, rows: list[dict]) -> list[str]:
        """The predictions for rows."""
        status, content = ask(self.port, {"rows": rows}, Authorization=f"Bearer {TOKEN}")
        self.statuses.append(status)
        assert status == 200
        return [one["prediction"] for one in content["predictions"]]


@pytest.fixture(
    scope="module", params=[QA, pytest.param(Cell("sentiment", "bart", "full"), marks=pytest.mark.slow)], ids=str
)
def asked(trained, request):
    """(server, its cell); at its end it says that it answered all that it accepted, and nothing of its token."""
    with served(request.param, trained, TUNEGRID_TOKEN=TOKEN) as (server, port):
        asked = Asked(server, port)
        yield asked, request.param
        said = stopped(server)
    accepted = asked.statuses.count(200)
    assert f"Of {accepted} requests that were accepted, {accepted} were answered." in said
    assert TOKEN not in said


@needs_server
def test_every_answer_under_load_is_that_of_the_evaluation(study, asked):
    server, cell = asked
    expected, rows, draw = predictions(study, cell)["prediction"].tolist(), rows_of(cell), random.Random(1)
    chosen = [[draw.randrange(len(rows)) for _ in range(draw.choice([1, 1, 1, 5]))] for _ in range(REQUESTS)]

    def right(indices: list[int]) -> bool:
        return server.rows([rows[index] for index in indices]) == [expected[index] for index in indices]

    with ThreadPoolExecutor(CLIENTS) as clients:
        assert all(clients.map(right, chosen))


@needs_server
def test_an_answer_on_a_kept_connection_waits_for_no_acknowledgement(asked):
    connection, seconds = http.client.HTTPConnection("127.0.0.1", asked[0].port, timeout=60), []
    for _ in range(40):
        began = time.perf_counter()
        connection.request("GET", "/health")
        assert connection.getresponse().read()
        seconds.append(time.perf_counter() - began)
    connection.close()
    assert min(seconds[20:]) < 0.03  # where small packets are held back each takes 40 ms, but for the first few


@needs_server
def test_told_to_stop_under_load_it_answers_what_it_has_accepted(study):
    expected, rows = predictions(study, QA)["prediction"].tolist(), rows_of(QA)
    outcomes, begun = Counter(), threading.Event()

    def client(number: int) -> None:
        for turn in range(100_000):
            index = (number + turn * CLIENTS) % len(rows)
            try:
                status, content = ask(port, rows[index])
            except (ConnectionError, http.client.HTTPException):
                return  # it listens no more, or had read nothing of the request
            outcomes[status, status != 200 or content["prediction"] == expected[index]] += 1
            if sum(outcomes.values()) > 30:
                begun.set()

    with served(QA, Path()) as (server, port):
        clients = [threading.Thread(target=client, args=[number]) for number in range(CLIENTS)]
        for thread in clients:
            thread.start()
        assert begun.wait(60)
        said = stopped(server)
        for thread in clients:
            thread.join(60)
    assert outcomes.keys() <= {(200, True), (503, True)}
    accepted, answered = map(
        int, re.search(r"Of (\d+) requests that were accepted, (\d+) were answered\.", said).groups()
    )
    assert accepted == answered == outcomes[200, True]


@needs_server
def test_a_token_of_the_environment_is_asked_for_and_shown_nowhere(study, asked):
    server, cell = asked
    (row, *_) = rows_of(cell)
    assert ask(server.port, row)[0] == 401
    assert server.rows([row])
    assert TOKEN not in Path(f"/proc/{server.process.pid}/cmdline").read_text()  # nor in what it says: see `asked`


@needs_server
def test_what_cannot_be_served_is_said(study, tmp_path, capsys):
    import socket

    def refused(*options: str) -> str:
        assert main(["serve-model", *CONFIG, *cell_options(CELLS[0]), *options]) == 1
        return capsys.readouterr().err

    (tmp_path / "token").write_text("short\n")
    assert "a token has at least 16 characters" in refused("--token-file", str(tmp_path / "token"))
    assert "the token cannot be read" in refused("--token-file", str(tmp_path / "none"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}: cannot listen there" in refused("--port", str(port))


def test_a_token_comes_from_the_file_before_the_environment(tmp_path, monkeypatch):
    from tunegrid.deploy import serve

    assert serve.read_token(None) is None
    monkeypatch.setenv(serve.TOKEN, "x" * 16)
    assert serve.read_token(None) == "x" * 16
    (tmp_path / "token").write_text("y" * 20 + "\n")
    assert serve.read_token(tmp_path / "token") == "y" * 20
    for wrong in ("", "x" * 15, "with space in the middle", "ü" * 20):
        monkeypatch.setenv(serve.TOKEN, wrong)
        with pytest.raises(TuneGridError, match="the environment's TUNEGRID_TOKEN: a token has"):
            serve.read_token(None)


def test_without_its_packages_there_is_a_sentence(study, capsys, monkeypatch):
    from tunegrid.study import engine

    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    assert main(["serve-model", *CONFIG, *cell_options(CELLS[0])]) == 1
    assert "The server's packages are not installed. Type: make setup EXTRAS=serve" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--port", "65536"), ("--port", "-1"), ("--port", "８０"), ("--timeout", "0"), ("--timeout", "9" * 400), ("--queue-rows", "1e3")],
)  # fmt: skip
def test_numbers_that_no_server_can_have_are_wrong_usage(option, value, capsys):
    with pytest.raises(SystemExit) as end:
        main(["serve-model", "any.yaml", "--task", "qa", f"{option}={value}"])
    assert end.value.code == 2
    assert f"argument {option}: '{value[:20]}" in capsys.readouterr().err


def test_a_host_that_is_no_text_is_refused():
    from tunegrid.common.errors import TuneGridError
    from tunegrid.deploy.serve import _listen

    with pytest.raises(TuneGridError, match="cannot listen there"):
        _listen("\udcff", 0)
