"""Losses on other domains: planted ones, their coverage, results that are missing, and the section of the report."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.study_on_disk import expected_study, render_study, write_result, write_study
from tunegrid.common.errors import TuneGridError
from tunegrid.report.domains import section
from tunegrid.results.read import read_results
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.tables import read_tables
from tunegrid.results.tables.domains import _as_share, _side_by_side, domain_rows
from tunegrid.results.tables.scores import TaskScores

EXAMPLES = 400
BASE = expected_study(seeds=(1, 2))
TASK = replace(BASE.tasks[2], domains=("away",))
EXPECTED = replace(BASE, tasks=(TASK,), models=BASE.models[:2], methods=BASE.methods[:2])


@pytest.fixture
def results(tmp_path) -> Path:
    """A study of one task, each of whose results has another one on the domain `away`, with rows of other skill."""
    folder = write_study(tmp_path, EXPECTED, EXAMPLES)
    generator = np.random.default_rng(5)
    for file in sorted(folder.glob("*/sentiment/**/metrics.json")):
        record = json.loads(file.read_text())
        place = file.parent / "domains" / "away"
        # `GAIN` of tests.support says what a method adds: adapters' less is what LoRA loses here.
        method = "adapters" if record["method"] == "lora" else record["method"]
        write_result(place, record["kind"], TASK, record["model"], method, record["seed"], generator, 300)
        written = json.loads((place / "metrics.json").read_text())
        (place / "metrics.json").write_text(json.dumps(written | {"method": record["method"], "domain": "away"}))
    return folder


def rows(results: Path) -> dict[str, list[dict]]:
    study = read_results(results, EXPECTED)
    return domain_rows(TaskScores(study, TASK, 300))


def test_every_cell_has_its_score_there_and_its_loss_with_an_interval(results):
    found = rows(results)["domains"]
    assert {(row["kind"], row["model"], row["method"]) for row in found} == {
        ("baseline", None, "majority"),
        ("baseline", None, "ngrams"),
        *(("untuned", model.name, "untuned") for model in EXPECTED.models),
        *(("run", model.name, method.name) for model in EXPECTED.models for method in EXPECTED.methods),
    }
    for row in found:
        assert (row["status"], row["examples"]) == ("ok", 300)
        assert row["loss"] == pytest.approx(row["in_domain"] - row["score"])
        assert row["loss_low"] < row["loss"] < row["loss_high"]
        assert row["score_low"] < row["score"] < row["score_high"]
    planted = {row["method"]: 0.13 if row["method"] == "lora" else 0.0 for row in found}  # 0.85 + 0.08 less 0.85 - 0.05
    covered = [row["loss_low"] < planted[row["method"]] < row["loss_high"] for row in found]
    assert sum(covered) >= len(found) - 1  # intervals of 95%
    assert all(row["loss_low"] > 0 for row in found if row["method"] == "lora")


def test_methods_are_means_over_the_models(results):
    full, lora = rows(results)["transfer"]
    assert (full["method"], lora["method"], lora["models"]) == ("full", "lora", 2)
    cells = [row for row in rows(results)["domains"] if row["method"] == "lora"]
    assert lora["loss"] == pytest.approx(np.mean([row["loss"] for row in cells]))
    assert full["loss_high"] < lora["loss_low"]


def test_results_that_are_missing_or_failed_are_rows_with_a_reason(results):
    gone, failed = (
        results / "runs" / "sentiment" / "mini-t5" / "full" / f"seed-{seed}" / "domains" / "away" / "metrics.json"
        for seed in (1, 2)
    )
    gone.unlink()
    (row,) = [r for r in rows(results)["domains"] if (r["model"], r["method"]) == ("mini-t5", "full")]
    assert (row["status"], row["seeds_ok"], row["seeds_expected"]) == ("ok", 1, 2)
    assert "not evaluated" in row["reason"]
    record = json.loads(failed.read_text()) | {"status": "failed", "reason": "no memory", "metrics": {}, "examples": 0}
    failed.write_text(json.dumps(record))
    (row,) = [r for r in rows(results)["domains"] if (r["model"], r["method"]) == ("mini-t5", "full")]
    assert (row["status"], row.get("loss")) == ("missing", None)


def test_results_of_another_run_are_refused(results):
    file = results / "untuned" / "sentiment" / "mini-t5" / "domains" / "away" / "metrics.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"domain": "elsewhere"}))
    with pytest.raises(TuneGridError, match="belongs elsewhere"):
        rows(results)
    metrics = record["metrics"] | {"accuracy": record["metrics"]["accuracy"] | {"value": 0.123}}
    file.write_text(json.dumps(record | {"metrics": metrics}))
    with pytest.raises(TuneGridError, match="not of this run"):
        rows(results)


def test_the_report_has_a_table_of_each_domain_and_one_of_the_methods(results, tmp_path):
    render_study(results, EXPECTED, tmp_path / "report", resamples=100)
    frames = read_tables(results / "tables")
    found = section(frames, EXPECTED)
    assert [table.name for table in found.tables] == ["domains-sentiment-away", "transfer"]
    assert "Full Finetuning loses least and LoRA most; their intervals lie apart." in found.paragraphs[-1]
    html = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Other domains" in html
    assert section(frames, replace(EXPECTED, tasks=(BASE.tasks[2],))) is None


def test_intervals_of_losses_cover_the_truth():
    generator, covered = np.random.default_rng(0), []
    for _ in range(150):
        blocks = []
        for _ in range(3):  # cells: 0.8 at home and 0.7 away, and seeds that differ in both by 0.03
            shift = generator.normal(0, 0.03, 3)
            home, away = (
                np.stack([(generator.random((3, count)) < (skill + shift)[:, None]), np.ones((3, count))], axis=2)
                for skill, count in ((0.8, 150), (0.7, 100))
            )
            blocks.append(_side_by_side(home.astype(float), away.astype(float)))

        def mean(sums: np.ndarray) -> np.ndarray:
            return sums[..., 0] / np.maximum(sums[..., 1], 1)

        samples = [ExampleStatistics(block, lambda sums: _as_share(mean, sums, 2)) for block in blocks]
        losses = resample_scores(samples, None, 200)
        covered += [low <= 0.55 <= high for low, high in map(losses.interval, range(3))]
    assert 0.92 <= np.mean(covered) <= 0.995
