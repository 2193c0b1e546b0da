"""The page of examples: what its files hold, and what Chromium shows of them, where there is one."""

import base64
import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest

from tests.support.study_on_disk import expected_study, write_study
from tunegrid.report.examples import pages
from tunegrid.report.examples.pages import write_examples
from tunegrid.report.links import key_of, link_to
from tunegrid.report.render import render_report
from tunegrid.results.expected import Expected
from tunegrid.results.read import read_results
from tunegrid.results.tables import build_tables

EXPECTED = expected_study(seeds=(1, 2))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
HOSTILE = [
    '<img src=x onerror="document.title=1">',
    "</script><script>document.title='2'</script>",
    "a & b < c > d \"quoted\" 'too' \\ back",
    "first line\nsecond\tline\r\n third",
    "مرحبا \u202ereversed\u202c שלום",
    "line\u2028separator \u0000 zero " + "x" * 5000,
    "",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ß İ 👩‍👩‍👧",
]


def page(results: Path, folder: Path, frames: dict[str, pd.DataFrame], expected: Expected = EXPECTED) -> Path:
    write_examples(read_results(results, expected), frames, folder)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a failed run, a missing cell, and texts that try to be more than text."""
    folder = write_study(tmp_path_factory.mktemp("results"), EXPECTED, examples=40)
    path = folder / "data/qa/test.parquet"
    frame = pd.read_parquet(path)
    frame["question"] = [HOSTILE[number % len(HOSTILE)] for number in range(40)]
    frame.to_parquet(path)
    for file in folder.glob("*/qa/**/predictions.parquet"):
        answers = pd.read_parquet(file)
        answers["references"] = [["right"]] * 40
        answers["prediction"] = np.where(answers["exact_match"] > 0, "right", frame["question"])
        answers.to_parquet(file)
    shutil.rmtree(folder / "runs/qa/mini-bart/adapters")
    failed = folder / "runs/qa/mini-t5/full/seed-2"
    record = json.loads((failed / "train.json").read_text())
    record |= {"status": "diverged", "reason": "the loss was <nan>"}
    (failed / "train.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(scope="module")
def frames(results: Path) -> dict[str, pd.DataFrame]:
    """The tables of the study; not to be changed."""
    return build_tables(results, EXPECTED, resamples=50)


@pytest.fixture(scope="module")
def examples(results: Path, frames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page(results, tmp_path_factory.mktemp("page") / "examples", frames)


def call(file: Path, name: str) -> list:
    """The arguments of the one call in a script."""
    text = file.read_text(encoding="utf-8")
    assert text.startswith(f"{name}(")
    assert text.endswith(")\n")
    return json.loads(f"[{text[len(name) + 1 : -2]}]")


def contents(folder: Path, task: str) -> tuple[dict, list]:
    """(index of a task, all its rows in the order of the page)."""
    (index,) = call(folder / task / "index.js", "tunegridTask")
    rows = []
    for number, file in enumerate(sorted((folder / task).glob("rows-*.js"))):
        name, part, some = call(file, "tunegridRows")
        assert (name, part, index["starts"][number]) == (task, number, len(rows))
        rows += some
    return index, rows


def array(text: str, kind: str, rows: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind).reshape(-1, rows)


def test_every_answer_to_every_row_is_there(results: Path, examples: Path) -> None:
    for task in EXPECTED.tasks:
        index, rows = contents(examples, task.name)
        study = read_results(results, EXPECTED)
        answered = [result for result in study.results if result.task == task and result.status == "ok"]
        assert len(rows) == index["rows"] == 40
        (order,) = array(index["order"], "<u4", 40)
        answers, scores = array(index["answers"], "u1", 40), array(index["scores"], "u1", 40)
        assert len(answers) == len(index["results"]) == len(answered)
        data = pd.read_parquet(results / "data" / task.name / "test.parquet")
        for place, (identifier, _sources, references, distinct, unknown, seen) in enumerate(rows):
            row = int(order[place])
            assert identifier == data["id"][row]
            assert (unknown, seen) == ({}, None)
            assert len(set(distinct)) == len(distinct)
            for number, result in enumerate(answered):
                predictions = result.predictions
                assert distinct[answers[number, place]] == predictions["prediction"][row]
                assert references == list(predictions["references"][row])
                score = predictions[{"qa": "exact_match", "translation": "chrf", "sentiment": "correct"}[task.kind]][
                    row
                ]
                assert abs(scores[number, place] / 200 - score) <= 1 / 200
        if task.name == "qa":
            assert [sources[0] for _, sources, *_ in rows] == [HOSTILE[row % len(HOSTILE)] for row in order]


def test_columns_of_the_source_have_titles(examples: Path) -> None:
    titles = {task.name: contents(examples, task.name)[0]["columns"] for task in EXPECTED.tasks}
    assert titles == {"qa": ["Question", "Context"], "translation": ["Source"], "sentiment": ["Text"]}


def test_rows_that_most_runs_get_wrong_come_first(examples: Path) -> None:
    for task in EXPECTED.tasks:
        index, _ = contents(examples, task.name)
        runs = [number for group in index["groups"] if group["kind"] == "run" for number in group["results"]]
        scores = array(index["scores"], "u1", 40)[runs]
        wrong = (scores < 200 * index["judge"]["from"]).sum(axis=0).tolist()
        assert wrong == sorted(wrong, reverse=True)
        assert wrong[0] > wrong[-1]


def test_results_without_answers_are_listed_with_the_reason(examples: Path) -> None:
    index, _ = contents(examples, "qa")
    assert index["missing"] == [
        "Mini-T5 · Full Finetuning, seed 2: diverged (the loss was <nan>)",
        "Mini-BART · Adapters, seed 1: missing (no result)",
        "Mini-BART · Adapters, seed 2: missing (no result)",
    ]
    groups = {group["key"]: group for group in index["groups"]}
    assert len(groups["run/mini-t5/full"]["results"]) == 1
    assert "run/mini-bart/adapters" not in groups


def test_files_of_rows_are_bounded(results: Path, frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "FILE_LETTERS", 1_000)
    folder = page(results, tmp_path / "examples", frames)
    for task in EXPECTED.tasks:
        files = sorted((folder / task.name).glob("rows-*.js"))
        assert len(files) > 2
        assert len(contents(folder, task.name)[1]) == 40
        assert max(file.stat().st_size for file in files[1:]) < 20_000


def test_the_same_results_give_the_same_files(results: Path, examples: Path, tmp_path: Path) -> None:
    again = page(results, tmp_path / "examples", build_tables(results, EXPECTED, resamples=50))
    files = sorted(file.relative_to(again) for file in again.rglob("*.*"))
    assert files == sorted(file.relative_to(examples) for file in examples.rglob("*.*"))
    assert [file for file in files if (again / file).read_bytes() != (examples / file).read_bytes()] == []


def test_the_page_asks_no_other_machine(examples: Path) -> None:
    text = (examples / "index.html").read_text()
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a namespace, not an address
    assert "default-src 'none'" in text


def test_a_title_cannot_end_the_script_it_stands_in(results: Path, frames, tmp_path: Path) -> None:
    expected = replace(EXPECTED, title="</script><script>alert(1)</script>")
    text = (page(results, tmp_path / "examples", frames, expected) / "index.html").read_text()
    assert text.count("</script>") == 2
    study = re.search(r'<script id="study" type="application/json">(.*?)</script>', text).group(1)
    assert json.loads(study)["title"] == expected.title


@pytest.mark.usefixtures("without_figures")
def test_each_score_in_the_report_leads_to_its_rows(frames, examples: Path, tmp_path: Path) -> None:
    render_report(frames, EXPECTED, tmp_path, pdf=False)
    text = (tmp_path / "report.html").read_text()
    links = {html.unescape(link) for link in re.findall(r'href="(examples/index\.html#[^"]*)"', text)}
    cells = frames["cells"]
    assert links == {link_to(row) for row in cells[cells["status"] == "ok"].itertuples()}
    keys = {
        (task.name, group["key"]) for task in EXPECTED.tasks for group in contents(examples, task.name)[0]["groups"]
    }
    assert {(row.task, key_of(row)) for row in cells[cells["status"] == "ok"].itertuples()} == keys
    for file in (tmp_path / "tables").glob("*.html"):  # Snakemake's own report shows them by themselves
        assert "href" not in file.read_text(), file


def test_a_study_without_any_result_has_a_page(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "made-up")
    for part in ("runs", "untuned", "baselines"):
        shutil.rmtree(folder / part)
    index, rows = contents(
        page(folder, tmp_path / "examples", build_tables(folder, EXPECTED, resamples=50)), "sentiment"
    )
    assert (len(rows), index["groups"], index["results"]) == (40, [], [])
    assert len(index["missing"]) == 23


# -- in Chromium ------------------------------------------------------------------------------------------------------


def shown(folder: Path, **state: object) -> str:
    """The page's HTML after its scripts have run, for an address with this state."""
    address = f"{(folder / 'index.html').as_uri()}#{urlencode(state, doseq=True)}"
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=20000",
        "--dump-dom",
    ]
    profile = folder.parent / "profile"
    done = subprocess.run(
        [*command, f"--user-data-dir={profile}", address], capture_output=True, timeout=120, check=True
    )
    text = done.stdout.decode("utf-8")  # line ends as they are
    assert 'aria-busy="false"' in text
    assert 'id="problem" class="warning" role="alert" hidden=""' in text, text[:3000]
    return text


def ids(text: str) -> list[str]:
    return re.findall(r'<article class="row" data-id="([^"]*)"', text)


def counted(text: str) -> int:
    return int(re.search(r'id="count">([\d,]+) of', text).group(1).replace(",", ""))


@pytest.mark.slow
@needs_chromium
def test_texts_are_shown_as_they_are(examples: Path) -> None:
    text = shown(examples, task="qa", sort="data")
    assert ids(text) == [str(number) for number in range(25)]
    assert "<title>Test rows and answers: A made-up study of the report</title>" in text
    main = text[text.index("<main") : text.index("</main>")]
    assert "<img" not in main
    assert "<script" not in main
    for hostile in HOSTILE:
        if len(hostile) < 900:
            assert f">{html.escape(hostile, quote=False)}<" in main or not hostile
    (longest,) = (len(hostile) for hostile in HOSTILE if len(hostile) > 900)
    assert f"show all {longest:,} characters" in main
    assert "(empty)" in main


@pytest.mark.slow
@needs_chromium
def test_filters_show_the_rows_that_pass_them(results: Path, examples: Path) -> None:
    def right(*place: str) -> pd.Series:
        return pd.read_parquet(results.joinpath(*place, "predictions.parquet"))["correct"] == 1

    first, second = (right("runs/sentiment/mini-t5/lora", f"seed-{seed}") for seed in (1, 2))
    other = right("untuned/sentiment/mini-bart")
    a, b = "run/mini-t5/lora", "untuned/mini-bart/untuned"
    negative = pd.Series([number % 2 == 1 for number in range(40)])
    expectations = [
        ({"a": a, "is": "wrong"}, ~first & ~second),
        ({"a": a, "is": "mixed"}, first ^ second),
        ({"a": f"{a}/2", "is": "right"}, second),
        ({"a": a, "b": b, "is": "better"}, first & second & ~other),
        ({"a": f"{a}/1", "b": b, "is": "differ"}, first ^ other),
        ({"a": f"{a}/1", "is": "wrong", "slice": ["Label:negative"]}, ~first & negative),
        (
            {"text": "TEXT WORD WORD 2"},
            pd.Series([f"text {'word ' * (i % 9)}{i}".startswith("text word word 2") for i in range(40)]),
        ),
    ]
    for state, mask in expectations:
        text = shown(examples, task="sentiment", sort="data", **state)
        wanted = [str(number) for number in np.flatnonzero(mask)]
        assert counted(text) == len(wanted), state
        assert ids(text) == wanted[:25], state


@pytest.mark.slow
@needs_chromium
def test_pages_slices_and_labels_are_shown(examples: Path) -> None:
    assert ids(shown(examples, task="translation", sort="data", page=2)) == [str(number) for number in range(25, 40)]
    slices = shown(examples, task="sentiment", view="slices")
    assert "<h2>Label</h2>" in slices
    assert "slice=Label%3Anegative" in slices
    labels = shown(examples, task="sentiment", view="labels", a="run/mini-t5/lora")
    assert "Expected calibration error: seed 1 0." in labels
    assert "What other thresholds would do" in labels
    assert "NaN" not in labels
    gone = shown(examples, task="qa")
    assert "3 results without answers" in gone
