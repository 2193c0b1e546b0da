"""The HTTP interface: answers, bounds, tokens, and that no request, however bad, is a fault of the server."""

import json
import random
import re
import shutil
import subprocess
import threading
import time

import pytest

from tests.support.extras import needs_server
from tests.support.served import QA, SENTIMENT, asked, packaged, talk

pytestmark = needs_server
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
ROW = {"question": "Where does Anna live?", "context": "Anna lives in Paris. Ben lives in Rome."}
TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def served():
    return {settings["kind"]: packaged(settings) for settings in (QA, SENTIMENT)}


@pytest.fixture
def app(served):
    from tunegrid.deploy.server import Limits, create_app

    def make(kind: str = "qa", limits: dict | None = None, **options):
        return create_app(served[kind], Limits(**limits or {}), **options)

    return make


def test_a_row_and_many_rows_get_the_answers_of_the_model(app, served):
    rows = [ROW, {"question": "Where does Ben live?", "context": ROW["context"] * 12, "id": "x", "answers": "not read"}]
    expected = served["qa"].answer([{key: row[key] for key in ROW} for row in rows])
    single, many = talk(app(), asked(rows[0]), asked({"rows": rows}))
    assert (single.status_code, many.status_code) == (200, 200)
    assert single.json()["prediction"] == expected[0]["prediction"]
    assert [answer["prediction"] for answer in many.json()["predictions"]] == [one["prediction"] for one in expected]
    assert many.json()["predictions"][1]["window"] == expected[1]["window"]


def test_labels_come_with_their_scores(app, served):
    (response,) = talk(app("sentiment"), asked({"text": "A clever film."}))
    (expected,) = served["sentiment"].answer([{"text": "A clever film."}])
    assert response.json() == pytest.approx(expected)
    assert {"score_positive", "score_negative"} < expected.keys()


def test_requests_that_arrive_together_are_batched_and_counted(app):
    application = app()
    rows = [{**ROW, "question": f"Where does {name} live?"} for name in ("Anna", "Ben", "Carl", "Dora", "Emil", "Fred")]
    responses = talk(application, *map(asked, rows), asked({}))
    assert [response.status_code for response in responses] == [200] * 6 + [422]
    (metrics,) = talk(application, {"method": "GET", "url": "/metrics"})
    values = dict(re.findall(r"^(tunegrid\S+) (\S+)$", metrics.text, re.MULTILINE))
    assert values['tunegrid_requests_total{status="200"}'] == "6.0"
    assert values['tunegrid_requests_total{status="422"}'] == "1.0"
    assert (values["tunegrid_rows_total"], values["tunegrid_waiting_rows"]) == ("6.0", "0.0")
    assert float(values["tunegrid_batch_rows_sum"]) == 6
    assert float(values["tunegrid_batch_rows_count"]) < 6


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        ({"content": b"x" * 3000}, 413, "more than 2,000 bytes"),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "Content-Type must be application/json"),
        ({"content": b"not JSON"}, 422, "The body is no JSON"),
        ({"content": b'{"question": "\xff"}'}, 422, "The body is no JSON"),
        ({"content": b'{"question": NaN}'}, 422, "NaN is no JSON"),
        ({"content": b'{"question": "a", "context": "b", "question": "c"}'}, 422, "The key 'question' stands twice"),
        ({"content": b'{"rows": [], "rows": [{"question": "a", "context": "b"}]}'}, 422, "The key 'rows' stands twice"),
        ({"content": b'{"question": ' + b"9" * 1900 + b"}"}, 422, "lacks context"),
        ({"content": b"[" * 1900}, 422, "The body is no JSON|nested too deeply"),
        ({"content": b'{"question": "\\ud800", "context": "b"}'}, 422, "lone surrogate"),
        ({"json": [ROW]}, 422, "The body must be an object"),
        ({"json": {"question": "Who?"}}, 422, "the row: lacks context. It has: question"),
        ({"json": {**ROW, "context": " "}}, 422, "the row: .*context"),
        ({"json": {**ROW, "context": {"a": 1}}}, 422, "the row: .*context"),
        ({"json": {"rows": []}}, 422, "rows is empty"),
        ({"json": {"rows": ROW}}, 422, "rows must be a list"),
        ({"json": {"rows": [ROW, 3]}}, 422, "row 2: must be an object with question, context"),
        ({"json": {"rows": [ROW] * 5}}, 413, "5 rows; a request has 4 at most"),
        ({"json": {**ROW, "context": "x" * 600}}, 422, "the row: 621 characters; 500 at most"),
    ],
)
def test_what_cannot_be_answered_is_said(app, request_, status, says):
    limits = {"body_bytes": 2000, "request_rows": 4, "row_characters": 500}
    headers = {"Content-Type": "application/json"} | request_.get("headers", {})
    (response,) = talk(app(limits=limits), {"method": "POST", "url": "/predict", **request_, "headers": headers})
    assert response.status_code == status
    assert re.search(says, response.json()["error"])


def test_a_body_that_is_longer_than_its_header_says_is_cut_off(app):
    async def chunks():
        for _ in range(100):
            yield b" " * 100

    request = {
        "method": "POST",
        "url": "/predict",
        "content": chunks(),
        "headers": {"Content-Type": "application/json"},
    }
    (response,) = talk(app(limits={"body_bytes": 2000}), request)
    assert response.status_code == 413


def spoilt(draw: random.Random) -> dict:
    """A request that cannot be answered."""
    body = json.dumps({"rows": [ROW]} if draw.random() < 0.5 else ROW).encode()
    values = [None, True, -1, 1e300, [], {}, [[]], {"a": {}}, "", " \t", "\u0000", ["x", 1]]
    kind = draw.randrange(7)
    if kind == 0:
        body = body[: draw.randrange(len(body))]
    elif kind == 1:
        place = draw.randrange(len(body))
        body = body[:place] + bytes([draw.choice([0, 1, 0x7B, 0x5D, 0xC0, 0xFF])]) + body[place + 1 :]
        if _is_fine(body):
            body = b"\xff" + body
    elif kind == 2:
        body = json.dumps({**ROW, draw.choice([*ROW]): draw.choice([None, [], {}, "", " \t", ["x", {}]])}).encode()
    elif kind == 3:
        body = json.dumps({"rows": draw.choice([*values, [draw.choice([*values])]])}).encode()
    elif kind == 4:
        body = json.dumps(draw.choice(values)).encode()
    elif kind == 5:
        body = json.dumps({draw.choice(["q", "QUESTION", "", "context "]): "x"}).encode()
    else:
        body = bytes(draw.randrange(256) for _ in range(draw.randrange(200)))
    path = "/predict" if draw.random() < 0.9 else draw.choice(["/predict/", "/../predict", "/none", "/card"])
    headers = {"Content-Type": "application/json"}
    if draw.random() < 0.1:
        headers = draw.choice([{}, {"Content-Type": "multipart/form-data"}, {"Content-Type": "application/json\t;;;"}])
    return {
        "method": draw.choice(["POST", "POST", "POST", "PUT", "DELETE"]),
        "url": path,
        "content": body,
        "headers": headers,
    }


def _is_fine(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def test_five_hundred_bad_requests_are_the_client_s_fault_each(app):
    """An error of the application would be raised here; a redirect is no fault of anybody."""
    draw = random.Random(5)
    application = app(limits={"body_bytes": 4000})
    responses = [r for _ in range(5) for r in talk(application, *(spoilt(draw) for _ in range(100)))]
    assert len(responses) == 500
    assert {response.status_code // 100 for response in responses} <= {3, 4}
    assert sum(response.status_code >= 400 for response in responses) >= 490
    (after,) = talk(application, asked(ROW))
    assert after.status_code == 200


def test_a_full_queue_is_429_and_a_slow_model_504(served):
    from dataclasses import replace

    from tunegrid.deploy.server import Limits, create_app

    let = threading.Event()

    def slow(rows):
        assert let.wait(20)
        return served["qa"].answer(rows)

    application = create_app(replace(served["qa"], answer=slow), Limits(queue_rows=2, batch_rows=1, seconds=0.5))
    responses = talk(application, *[asked(ROW)] * 6)
    statuses = [response.status_code for response in responses]
    assert set(statuses) == {429, 504}
    assert statuses.count(429) in (3, 4), "two wait and no more, beside the one that is computed"
    full = next(response for response in responses if response.status_code == 429)
    assert "2 may. Try again later" in full.json()["error"]
    assert full.headers["retry-after"]
    let.set()
    for _ in range(50):
        (response,) = talk(application, asked(ROW))
        if response.status_code == 200:
            return
        time.sleep(0.1)
    pytest.fail("the server does not answer after its queue was full")


@pytest.mark.parametrize("given", [None, "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"bearer {TOKEN}"])
def test_with_a_token_nobody_else_is_answered(app, given):
    application = app(token=TOKEN)
    headers = {} if given is None else {"Authorization": given}
    paths = [asked(ROW), {"method": "GET", "url": "/metrics"}, {"method": "GET", "url": "/card"}]
    for response in talk(application, *({**request, "headers": headers} for request in paths)):
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
    right = {"headers": {"Authorization": f"Bearer {TOKEN}"}}
    assert [response.status_code for response in talk(application, *({**one, **right} for one in paths))] == [200] * 3
    (health,) = talk(application, {"method": "GET", "url": "/health"})
    assert health.json()["status"] == "ok"


def test_a_server_of_this_machine_only_goes_by_no_other_name(app):
    from tunegrid.deploy.server import LOOPBACK

    application = app(hosts=list(LOOPBACK))
    requests = [{"method": "GET", "url": "/health", "headers": {"Host": host}} for host in
                ("localhost", "127.0.0.1:8000", "evil.example", "evil.example:8000")]  # fmt: skip
    assert [response.status_code for response in talk(application, *requests)] == [200, 200, 400, 400]


def test_pages_load_nothing_from_elsewhere_and_escape_what_they_show(app):
    page, docs, openapi, card = talk(
        app(), *({"method": "GET", "url": url} for url in ("/", "/docs", "/openapi.json", "/card"))
    )
    for response in (page, docs):
        assert response.status_code == 200
        assert "//" not in re.sub(r"http://localhost|// [^\n]*", "", response.text), "an address of another server"
        assert "T5 &lt;mini&gt;" in response.text
        assert "default-src 'none'" in response.headers["content-security-policy"]
    assert {"/predict", "/health", "/metrics", "/card"} == openapi.json()["paths"].keys()
    schema = openapi.json()["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["oneOf"][0]["required"] == ["question", "context"]
    assert "curl -s http://localhost/predict -H 'Content-Type" in docs.text
    assert "429" in docs.text
    assert card.text.startswith("# The card")


@pytest.fixture
def running(app):
    """(the address of a server in a thread, for a kind of task)."""
    import uvicorn

    servers = []

    def start(kind: str) -> str:
        server = uvicorn.Server(uvicorn.Config(app(kind), port=0, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run)
        thread.start()
        servers.append((server, thread))
        for _ in range(200):
            if server.started:
                return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            time.sleep(0.05)
        raise AssertionError("the server does not start")

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join(20)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("kind", ["qa", "sentiment"])
def test_the_page_asks_and_shows_answer_scores_time_and_card(running, served, tmp_path, kind):
    example = served[kind].task.example
    (expected,) = served[kind].answer([dict(example)])
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
               "--virtual-time-budget=20000", "--dump-dom", f"{running(kind)}/?ask"]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    answer = re.search(r'<output id="answer"[^>]*>(.*?)</output>', shown, re.DOTALL)[1]
    assert answer == expected["prediction"]
    assert re.search(r"Answered in \d+ ms\.", shown)
    assert "With &lt;tags&gt; &amp; more." in shown
    shares = re.findall(r"([\d.]+) %</td>", shown)
    assert sum(map(float, shares)) == pytest.approx(100 if kind == "sentiment" else 0, abs=0.2)
