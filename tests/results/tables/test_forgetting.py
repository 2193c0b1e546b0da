"""Changes of the pretraining loss: planted ones, missing ones, tests between methods, the paper's claims, their level."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.records_on_disk import provenance
from tests.support.study_on_disk import expected_study, render_study, write_json, write_study
from tunegrid.common.errors import TuneGridError
from tunegrid.report import claims
from tunegrid.report.forgetting import section
from tunegrid.results.read import read_results
from tunegrid.results.statistics.effects import contrast
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.tables import read_tables
from tunegrid.results.tables.forgetting import SCALE, _loss, forgetting_rows
from tunegrid.results.tables.scores import TaskScores

BASE = expected_study(seeds=(1, 2, 3))
TASK = BASE.tasks[2]
EXPECTED = replace(
    BASE, tasks=(TASK,), models=BASE.models[:2], methods=BASE.methods, forgetting="hidden spans of a text"
)
DOCUMENTS = 80
RISE = {"untuned": 0.0, "full": 0.8, "lora": 0.2, "adapters": 0.2}  # nats per token


@pytest.fixture
def results(tmp_path) -> Path:
    folder, generator = write_study(tmp_path, EXPECTED), np.random.default_rng(4)
    tokens = generator.integers(5, 30, DOCUMENTS)
    level = {
        model.name: 2 + number + generator.normal(0, 0.3, DOCUMENTS) for number, model in enumerate(EXPECTED.models)
    }
    for model in EXPECTED.models:
        names = {"kind": "untuned", "task": None, "model": model.name, "method": "untuned", "seed": None}
        write_loss(folder / "forgetting" / "untuned" / model.name, names, level[model.name], tokens, generator)
        for method in EXPECTED.methods:
            for seed in EXPECTED.seeds:
                names = {"kind": "run", "task": TASK.name, "model": model.name, "method": method.name, "seed": seed}
                place = folder / "runs" / TASK.name / model.name / method.name / f"seed-{seed}"
                write_loss(place, names, level[model.name], tokens, generator)
    return folder


def write_loss(
    folder: Path, names: dict, level: np.ndarray, tokens: np.ndarray, generator: np.random.Generator
) -> None:
    seed = generator.normal(0, 0.02) if names["kind"] == "run" else 0.0
    nats = tokens * (level + RISE[names["method"]] + seed + generator.normal(0, 0.05, len(tokens)))
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"nats": nats, "tokens": tokens}).to_parquet(folder / "forgetting.parquet")
    facts = {"status": "ok", "reason": None, "documents": len(tokens), "tokens": int(tokens.sum())}
    facts |= {"loss": nats.sum() / tokens.sum(), "provenance": provenance("sentiment", names["model"])}
    write_json(folder / "forgetting.json", names | facts)


def rows(results: Path) -> dict[str, list[dict]]:
    return forgetting_rows(TaskScores(read_results(results, EXPECTED), TASK, 500))


def test_a_planted_rise_is_found_in_each_cell_and_of_each_method(results):
    found = rows(results)
    assert len(found["forgetting"]) == 6
    for row in found["forgetting"]:
        rise = RISE[row["method"]]
        assert row["change"] == pytest.approx(row["loss"] - row["untuned_loss"])
        assert row["change_low"] < rise < row["change_high"]
        assert row["change_low"] > 0
        assert row["change_high"] - row["change_low"] < 0.3
    methods = {row["method"]: row for row in found["forgetting_methods"]}
    assert {name: row["models"] for name, row in methods.items()} == {"full": 2, "lora": 2, "adapters": 2}
    for name, row in methods.items():
        cells = [cell["change"] for cell in found["forgetting"] if cell["method"] == name]
        assert row["change"] == pytest.approx(np.mean(cells))
        assert row["change_low"] < RISE[name] < row["change_high"]


def test_methods_that_forget_alike_are_not_separated_and_others_are(results):
    pairs = rows(results)["forgetting_pairs"]
    assert len(pairs) == 6  # three of each model, none between models
    for pair in pairs:
        apart = "full" in (pair["first_method"], pair["second_method"])
        assert pair["separated"] == apart
        assert pair["p_holm"] >= pair["p_value"]
        assert pair["difference"] == pytest.approx(RISE[pair["first_method"]] - RISE[pair["second_method"]], abs=0.1)


def test_missing_failed_and_foreign_results(results):
    run = results / "runs" / TASK.name / "mini-t5" / "lora"
    for seed in (1, 2):
        (run / f"seed-{seed}" / "forgetting.json").unlink()
    file = run / "seed-3" / "forgetting.json"
    record = json.loads(file.read_text())
    [row] = [r for r in rows(results)["forgetting"] if (r["model"], r["method"]) == ("mini-t5", "lora")]
    assert (row["status"], row["seeds_ok"], row["reason"]) == ("ok", 1, "missing: not measured")
    file.write_text(json.dumps(record | {"status": "failed", "reason": "no memory", "loss": None}))
    [row] = [r for r in rows(results)["forgetting"] if (r["model"], r["method"]) == ("mini-t5", "lora")]
    assert (row["status"], row.get("change")) == ("missing", None)
    file.write_text(json.dumps(record | {"loss": record["loss"] + 1}))
    with pytest.raises(TuneGridError, match="not of this run"):
        rows(results)
    file.write_text(json.dumps(record | {"model": "mini-bart"}))
    with pytest.raises(TuneGridError, match="belongs elsewhere"):
        rows(results)
    other = record["provenance"] | {"data_fingerprint": "another text"}
    file.write_text(json.dumps(record | {"provenance": other}))
    with pytest.raises(TuneGridError, match="its text is not that of"):
        rows(results)


def test_the_report_judges_the_paper_s_claims(results, tmp_path):
    render_study(results, EXPECTED, tmp_path / "report", resamples=300)
    frames = read_tables(results / "tables")
    outcomes = {v.claim.kind: (v.outcome, v.evidence) for v in claims.verdicts(frames, EXPECTED) if v.claim.retention}
    assert outcomes == {
        "full": ("supported", "2 of 2 cells for it, 0 against"),
        "adapters": ("supported", "2 of 2 pairs for it, 0 against"),
        "lora": ("supported", "2 of 2 pairs for it, 0 against"),
        "prefix": ("not tested", "not in this study"),
        "prompt": ("not tested", "not in this study"),
    }
    found = section(frames, EXPECTED)
    assert [table.name for table in found.tables] == ["forgetting-sentiment", "forgetting-methods", "claims-forgetting"]
    html = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Forgetting" in html
    assert section(frames, replace(EXPECTED, forgetting="")) is None
    # Where LoRA forgets more, the claim is not supported.
    pairs = frames["forgetting_pairs"].assign(difference=-frames["forgetting_pairs"]["difference"])
    turned = {
        v.claim.kind: v for v in claims.verdicts(frames | {"forgetting_pairs": pairs}, EXPECTED) if v.claim.retention
    }
    assert (turned["lora"].outcome, turned["lora"].evidence) == ("not supported", "0 of 2 pairs for it, 2 against")


def test_intervals_of_changes_cover_the_truth():
    generator, covered = np.random.default_rng(0), []
    for _ in range(120):
        tokens = generator.integers(5, 30, 60).astype(float)
        level = 2 + generator.normal(0, 0.4, 60)
        base = np.stack([tokens * (level + generator.normal(0, 0.2, 60)), tokens], axis=1)[None]
        blocks = [ExampleStatistics(base, _loss, seeded=False)]
        for _ in range(3):  # cells whose loss rises by 0.3, by seeds that differ by 0.05
            runs = [tokens * (level + 0.3 + generator.normal(0, 0.05) + generator.normal(0, 0.2, 60)) for _ in range(3)]
            blocks.append(ExampleStatistics(np.stack([np.stack([run, tokens], axis=1) for run in runs]), _loss))
        resampled = resample_scores(blocks, None, 300)
        for row in (1, 2, 3):
            low, high = (SCALE * end for end in contrast(resampled, [row], [0]).interval())
            covered.append(low <= 0.3 <= high)
    assert 0.92 <= np.mean(covered) <= 0.995
