"""Differences on bias probes: planted ones, what tuning changed, results that are missing, and the section of the report."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.records_on_disk import provenance
from tests.support.study_on_disk import expected_study, render_study, write_json, write_study
from tunegrid.common.errors import TuneGridError
from tunegrid.report.probes import section
from tunegrid.results.expected import ExpectedProbe
from tunegrid.results.read import read_results
from tunegrid.results.tables import probes, read_tables
from tunegrid.results.tables.probes import probe_rows, star_level
from tunegrid.results.tables.scores import TaskScores

BASE = expected_study(seeds=(1, 2, 3))
PROBE = ExpectedProbe("names", "Names", ("women", "men"), "probability of “positive”", "It shows names.", "No others.")
TASK = replace(BASE.tasks[2], probes=(PROBE,))
EXPECTED = replace(BASE, tasks=(TASK,), models=BASE.models[:2], methods=BASE.methods[:2])
TEMPLATES, PAIRS = 12, 8
BIAS = {"lora": -0.2}


@pytest.fixture
def results(tmp_path) -> Path:
    """A study of one task, whose runs with LoRA score the first side 0.2 lower."""
    folder, generator = write_study(tmp_path, EXPECTED), np.random.default_rng(3)
    for file in sorted(folder.glob("*/sentiment/**/metrics.json")):
        record = json.loads(file.read_text())
        if record["kind"] != "baseline":
            write_probe(file.parent / "probes" / "names", record, generator)
    return folder


def write_probe(folder: Path, result: dict, generator: np.random.Generator) -> None:
    bias = BIAS.get(result["method"], 0.0)
    template = np.repeat(np.arange(TEMPLATES), PAIRS)
    text = 0.5 + generator.normal(0, 0.1, (TEMPLATES, 1, 1)) + generator.normal(0, 0.05, (TEMPLATES, PAIRS, 2))
    both = text.reshape(-1, 2) + np.array([bias / 2, -bias / 2])
    frame = pd.DataFrame({"template": template, "condition": "", "first_score": both[:, 0], "second_score": both[:, 1]})
    scores = {"condition": "", "templates": TEMPLATES, "pairs": len(frame)}
    scores |= {"first": frame["first_score"].mean(), "second": frame["second_score"].mean()}
    names = {key: result[key] for key in ("kind", "task", "model", "method", "seed")}
    record = names | {"status": "ok", "reason": None, "probe": "names", "texts": "t", "scores": [scores]}
    write_json(folder / "probe.json", record | {"provenance": provenance(result["task"], result["model"])})
    frame.to_parquet(folder / "scores.parquet")


def rows(results: Path) -> list[dict]:
    return probe_rows(TaskScores(read_results(results, EXPECTED), TASK, 1000))["probes"]


def test_a_planted_difference_is_found_with_sign_and_size_and_no_other(results):
    found = rows(results)
    assert len(found) == 2 + 4  # two untuned models and four cells
    for row in found:
        bias = BIAS.get(row["method"], 0.0)
        assert (row["status"], row["templates"], row["examples"]) == ("ok", TEMPLATES, TEMPLATES * PAIRS)
        assert row["difference"] == pytest.approx(row["first_score"] - row["second_score"])
        assert row["difference"] == pytest.approx(bias, abs=0.04)
        assert row["difference_low"] < bias < row["difference_high"]
        assert row["separated"] == bool(bias)
        if row["kind"] == "run":
            assert row["change_low"] < bias < row["change_high"]
            (base,) = [r for r in found if r["kind"] == "untuned" and r["model"] == row["model"]]
            assert row["change"] == pytest.approx(row["difference"] - base["difference"])
        else:
            assert "change" not in row


def test_the_templates_are_what_is_drawn(results):
    """Ten times as many pairs of the same templates say hardly more: the templates are the sample."""
    few = {(row["model"], row["method"]): row for row in rows(results)}
    for file in results.glob("*/sentiment/**/scores.parquet"):
        frame = pd.read_parquet(file)
        pd.concat([frame] * 10).to_parquet(file)
    for row in rows(results):
        width, before = (r["difference_high"] - r["difference_low"] for r in (row, few[row["model"], row["method"]]))
        assert width > 0.6 * before


def test_stars_hold_for_all_rows_of_all_conditions_of_a_set(results, monkeypatch):
    asked = []
    monkeypatch.setattr(probes, "star_level", lambda *counts: asked.append(counts) or star_level(*counts))
    for folder in [file.parent for file in results.glob("*/sentiment/**/probe.json")]:
        frame, record = pd.read_parquet(folder / "scores.parquet"), json.loads((folder / "probe.json").read_text())
        parts = [frame.assign(condition=name) for name in ("first", "second", "third")]
        pd.concat(parts).to_parquet(folder / "scores.parquet")
        record["scores"] = [record["scores"][0] | {"condition": name} for name in ("first", "second", "third")]
        (folder / "probe.json").write_text(json.dumps(record))
    assert len(rows(results)) == 3 * 6
    assert set(asked) == {(6, 3)}
    assert star_level(6, 3) == pytest.approx(1 - 0.05 / 18)


def test_what_is_missing_or_failed_is_a_row_with_a_reason(results):
    runs = results / "runs" / "sentiment" / "mini-t5" / "full"
    (runs / "seed-1" / "probes" / "names" / "probe.json").unlink()
    [row] = [r for r in rows(results) if (r["model"], r["method"]) == ("mini-t5", "full")]
    assert (row["status"], row["seeds_ok"], row["reason"]) == ("ok", 2, "missing: not probed")
    for seed in (2, 3):
        file = runs / f"seed-{seed}" / "probes" / "names" / "probe.json"
        record = json.loads(file.read_text()) | {"status": "failed", "reason": "no memory", "scores": []}
        file.write_text(json.dumps(record))
    [row] = [r for r in rows(results) if (r["model"], r["method"]) == ("mini-t5", "full")]
    assert (row["status"], row["reason"], row.get("difference")) == ("missing", "not probed", None)
    for file in results.glob("*/sentiment/**/probe.json"):
        file.unlink()
    assert {row["status"] for row in rows(results)} == {"missing"}


def test_results_that_do_not_belong_together_are_refused(results):
    file = results / "untuned" / "sentiment" / "mini-t5" / "probes" / "names" / "probe.json"
    record = json.loads(file.read_text())
    for change, says in (
        ({"probe": "other"}, "belongs elsewhere"),
        ({"texts": "others"}, "its texts are not those of"),
        ({"scores": [record["scores"][0] | {"first": 0.9}]}, "not of this run"),
    ):
        file.write_text(json.dumps(record | change))
        with pytest.raises(TuneGridError, match=says):
            rows(results)


def test_the_report_says_what_the_probe_shows_and_what_not(results, tmp_path):
    render_study(results, EXPECTED, tmp_path / "report", resamples=300)
    found = section(read_tables(results / "tables"), EXPECTED)
    assert [table.name for table in found.tables] == ["probe-names"]
    assert (
        "It shows names. What it cannot show: No others. Here: 2 of 6 differences apart from 0." in found.paragraphs[2]
    )
    html = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Bias probes" in html
    stars = [row.cells[4].text for row in found.tables[0].rows if row.cells[4].text.endswith("*")]
    assert len(stars) == 2
    assert section(read_tables(results / "tables"), replace(EXPECTED, tasks=(BASE.tasks[2],))) is None
