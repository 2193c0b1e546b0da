"""What the benchmarks make of their measurements."""

import importlib.util
import math
import sys

import pytest

from tests.support import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "peers"]:
        del sys.modules[name]


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_ratio_is_the_median_of_pairs_with_the_t_interval_of_their_geometric_mean():
    from peers.ratios import ratio

    # Logarithms to the base 2: 1, 2, 3. Mean 2, deviation 1, error 1 / sqrt(3); t of 2 degrees of freedom: 4.302653.
    middle, low, high = ratio([(1.0, 2.0), (2.0, 8.0), (5.0, 40.0)])
    assert middle == pytest.approx(4)
    half = 4.302653 / math.sqrt(3)
    assert (low, high) == (pytest.approx(2 ** (2 - half), rel=1e-5), pytest.approx(2 ** (2 + half), rel=1e-5))
    assert [math.isnan(bound) for bound in ratio([(1.0, 3.0)])[1:]] == [True, True]


def measured(side: str, repeat: int, seconds: float, peak: int, **more) -> dict:
    about = {"part": "training", "size": "real", "precision": "fp32", "task": "qa", "model": "t5", "method": "full"}
    numbers = {"seconds": seconds, "wall": 2 * seconds, "peak_bytes": peak, "tokens": 600, "rows": 30}
    return about | {"side": side, "repeat": repeat} | numbers | more


def test_each_side_is_compared_with_ours_of_the_same_turn():
    from peers.ratios import compared, table

    rows = [
        measured("tunegrid", 0, 10, 2**30), measured("script", 0, 20, 2**31),
        measured("tunegrid", 1, 20, 2**30), measured("script", 1, 40, 2**31),
        measured("script", 2, 99, 2**31),  # its other half is missing
        measured("tunegrid", 0, 1, 2**30, method="lora"), measured("script", 0, 1, 2**30, method="lora"),
    ]  # fmt: skip
    full, lora = compared(rows)
    assert (full["method"], full["pairs"], full["speed"], full["memory"]) == ("full", 2, pytest.approx(2), 2)
    assert (full["low"], full["high"]) == (pytest.approx(2), pytest.approx(2))
    assert (full["tokens_per_second"], full["rows_per_second"], full["peak_gib"]) == (45, 2.25, 1)
    assert lora["pairs"] == 1
    text = table([*rows, {"part": "peak", "side": "tunegrid", "precision": "fp32", "gflops": 123.4}])
    assert (
        "| training | real | qa | t5 | full | fp32 | script | 2.00 [2.00, 2.00] | 2.00 | 45 | 2.2 | 1.00 | – |" in text
    )
    # 1e12 operations in 20 s and 10 s: 50 and 100 of 123.4 GFLOP/s; their median is 75.
    with_flops = [row | {"flops": 1e12} for row in rows]
    text = table([*with_flops, {"part": "peak", "side": "tunegrid", "precision": "fp32", "gflops": 123.4}])
    assert "| 45 | 2.2 | 1.00 | 61% |" in text
    assert "| fp32 | tunegrid | 123 |" not in text
    assert "| tunegrid | fp32 | 123 |" in text


def test_the_slope_of_a_cost_that_grows_with_the_square_is_two():
    growth = script("growth")
    rows = [{"size": size, "seconds": 3.0 * size**2} for size in (64, 128, 512)]
    assert growth.slope(rows, "seconds") == pytest.approx(2)


def test_rows_have_the_length_that_is_asked_for():
    from peers.work import made_up_rows

    rows = list(made_up_rows("sentiment", 5, seed=0, words=(40, 0.0)))
    assert [len(row["text"].split()) for row in rows] == [40] * 5
    question = next(iter(made_up_rows("qa", 1, seed=0, words=(40, 0.0))))
    start, [answer] = question["answers"]["answer_start"][0], question["answers"]["text"]
    assert question["context"][start : start + len(answer)] == answer


def test_computing_is_summed_over_the_records_of_a_study(tmp_path):
    from peers.whole_study import computed

    for name, text in {
        "models/t5/card.json": '{"seconds": 5}',
        "models/bart/card.json": '{"pretraining": {"seconds": 7}}',  # elsewhere and earlier
        "runs/qa/t5/full/seed-1/train.json": '{"cost": {"optimisation_seconds": 2, "evaluation_seconds": 1}}',
        "runs/qa/t5/full/seed-1/metrics.json": '{"cost": {"prediction_seconds": 4}}',
        "baselines/qa/random/metrics.json": '{"cost": {"prediction_seconds": null}}',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert computed(tmp_path) == {"pretraining": 5, "training": 3, "prediction": 4}


def test_free_texts_of_the_script_are_scored_as_labels_and_what_is_none_is_wrong():
    from types import SimpleNamespace

    from peers.quality import score

    from tunegrid.study.load import load_study

    rows = [{"id": str(n), "text": "…", "label": label} for n, label in enumerate(["positive", "negative"] * 2)]
    one = SimpleNamespace(loaded=load_study("config/mini.yaml"), task="sentiment", model="t5", rows=lambda split: rows)
    assert score(one, ["positive", "negative", "positive negative", "positive"]) == 0.5


def test_probes_find_a_planted_bias_and_no_other_in_simulated_studies():
    level = script("probe_level")
    excluded, stars, held, estimate = level.simulate(10, 3, 1, 0.0, 20, cells=3)
    assert excluded <= 0.1
    assert stars <= 0.15
    assert abs(estimate) < 0.01
    excluded, stars, held, estimate = level.simulate(10, 3, 1, -0.15, 20, cells=3)
    assert excluded > 0.9
    assert held >= 0.9
    assert estimate == pytest.approx(-0.15, abs=0.02)


@pytest.fixture
def echo():
    """A server that answers a row with its text, the second row with another, and the third with 429."""
    import json
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread
    from types import SimpleNamespace

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["source"]
            body = json.dumps({"prediction": "other" if text == "row 1" else text, "error": "full"}).encode()
            self.send_response(429 if text == "row 2" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(port=server.server_port)
    server.shutdown()
    server.server_close()


def test_clients_count_what_is_wrong_and_what_is_lost(echo):
    serving = script("serving")
    texts = [f"row {number}" for number in range(10)]
    rows = [{"source": text} for text in texts]
    got = serving.Asking(echo, rows, texts, clients=4, requests=40, until=math.inf).run()
    assert (len(got.seconds), got.wrong, got.lost) == (36, 4, ["429: full"] * 4)
    assert 0 < got.quantile(0.5) <= got.quantile(0.95) <= max(got.seconds) <= got.wall
    assert not serving.Asking(echo, rows, texts, clients=2, requests=40, until=0).run().seconds
    slower = serving.Answers(seconds=[0.1] * 10, wall=2.0)
    faster = serving.Answers(seconds=[0.01] * 9 + [0.5], wrong=1, wall=0.5)
    text = serving.table({("merged", 8): [faster], ("pipeline", 8): [slower]})
    assert "| 8 | transformers, LoRA merged | 10.0 | 500.0 | 20.0 | 4.00 | 1 of 10 | 0 |" in text
    assert "| 100.0 | 100.0 | 5.0 | 1.00 | 0 of 10 | 0 |" in text
