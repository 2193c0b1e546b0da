"""Compressed forms as candidates of the recommendation: their scores, ties, costs, and how they are named."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.study_on_disk import expected_study, render_study, write_json, write_study
from tunegrid.report import summary, tables
from tunegrid.results.tables import build_tables
from tunegrid.study.limits import Recommend

FORMS = ("int8", "prune-80")
CELLS = expected_study()
CELLS = replace(CELLS, tasks=CELLS.tasks[:1], models=CELLS.models[:1], forms=FORMS)
MERGING = tuple(("qa", "mini-t5", method) for method in ("full", "lora"))
BYTES = {"int8": 260_000, "prune-80": 1_000_000}
EXAMPLES = 400


def candidates(**settings):
    return replace(CELLS, formed=MERGING, recommend=Recommend(**settings))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LoRA and full fine-tuning; int8 changes 1 answer of 400 for the worse, prune-80 half of them."""
    root = write_study(tmp_path_factory.mktemp("forms"), CELLS, EXAMPLES)
    for _, model, method in MERGING:
        for seed in CELLS.seeds:
            for form, wrong in zip(FORMS, (1, EXAMPLES // 2), strict=True):
                _write_form(root / f"runs/qa/{model}/{method}/seed-{seed}", form, wrong)
    return root


def _write_form(run: Path, form: str, wrong: int) -> None:
    """The results of a run in a form in which the first right answers are wrong; it answers in half of the time."""
    place = run / "variants" / form
    place.mkdir(parents=True, exist_ok=True)
    frame, record = pd.read_parquet(run / "predictions.parquet"), json.loads((run / "metrics.json").read_text())
    changed = np.flatnonzero(frame["exact_match"] == 1)[:wrong]
    frame.loc[changed, ["exact_match", "f1"]] = 0.0
    frame.loc[changed, "prediction"] = "wrong"
    frame.to_parquet(place / "predictions.parquet")
    for name in ("exact_match", "f1"):
        record["metrics"][name]["value"] = frame[name].mean()
    record["form"] = {"name": form, "saved_bytes": BYTES[form], "plain_bytes": 1_000_000, "saves": "Bytes."}
    record["cost"]["inference"]["unmerged"]["latency_seconds"] = 0.008
    record["cost"]["inference"] |= {"merged": None, "merge": "converted"}
    write_json(place / "metrics.json", record)


def recommended(folder: Path, **settings):
    return build_tables(folder, candidates(**settings), 2_000)["recommendation"].iloc[0]


def test_by_default_forms_are_no_candidates(folder):
    row = recommended(folder)
    assert row.form is None
    assert "int8" not in f"{row.tied} {row.rationale} {row.left_out}"


def test_other_tables_are_the_same_with_forms_as_candidates(folder):
    without, within = (
        build_tables(folder, candidates(forms=forms), 500) for forms in (["plain"], ["plain", "int8", "prune-80"])
    )
    for name in without:
        if name != "recommendation":
            pd.testing.assert_frame_equal(without[name], within[name], obj=name)


def test_scores_over_tasks_are_of_the_weights_as_they_were_trained(tmp_path):
    study = replace(expected_study(), models=CELLS.models, forms=("int8",))
    root = write_study(tmp_path, study, 50)
    for run in sorted(root.glob("runs/*/*/full/seed-*")):
        place = shutil.copytree(run, tmp_path / "copy" / run.relative_to(root))
        record = json.loads((place / "metrics.json").read_text())
        form = {"name": "int8", "saved_bytes": 1, "plain_bytes": 2, "saves": "Bytes."}
        write_json(place / "metrics.json", record | {"form": form})
        shutil.copytree(place, run / "variants" / "int8")
    formed = tuple((task.name, "mini-t5", "full") for task in study.tasks)
    settings = Recommend(forms=["plain", "int8"])
    without, within = (
        build_tables(root, expected, 200) for expected in (study, replace(study, formed=formed, recommend=settings))
    )
    assert len(within["forms"]) == 3
    for name in ("over_tasks", "profiles"):
        pd.testing.assert_frame_equal(without[name], within[name], obj=name)


def test_a_form_that_ties_is_recommended_for_its_latency(folder):
    row = recommended(folder, forms=["plain", "int8", "prune-80"], cost="latency")
    assert row.form == "int8"
    assert " as int8" in row.tied
    assert "prune-80" not in row.tied
    assert "answers in 0.008 s" in row.rationale
    plain = build_tables(folder, candidates(), 500)["cells"].query("kind == 'run' and metric == 'exact_match'")
    own = plain[(plain.model == row.model) & (plain.method == row.method)].iloc[0]
    assert row.score == pytest.approx(own["mean"] - 1 / EXAMPLES)


def test_of_forms_that_cost_the_same_to_train_the_smaller_is_the_cheaper(folder):
    expected = replace(candidates(forms=["plain", "prune-80", "int8"]), cells=MERGING[:1], formed=MERGING[:1])
    row = build_tables(folder, expected, 500)["recommendation"].iloc[0]
    assert (row.method, row.form) == ("full", "int8")
    assert "the best is Mini-T5 + Full Finetuning, " in row.rationale


def test_bytes_of_a_form_are_its_own(folder):
    row = recommended(folder, forms=["int8", "prune-80"], cost="saved_bytes", max_saved_bytes=300_000)
    assert row.form == "int8"
    assert (
        "as prune-80 (not recommended: 1,000,000 bytes of weights, recommend.max_saved_bytes is 300000)" in row.left_out
    )
    assert "Adapters (its weights do not merge, so they have no other form)" in row.left_out
    assert "saves 0.26 MB" in row.rationale


def test_only_the_test_rows_tell_the_forms_of_a_cell_apart(folder):
    """The loss against the cell itself has the interval of the table of forms, in which seeds are taken as they are."""
    expected = replace(candidates(forms=["plain", "int8"], cost="latency"), cells=MERGING[:1], formed=MERGING[:1])
    frames = build_tables(folder, expected, 2_000)
    row, form = frames["recommendation"].iloc[0], frames["forms"].set_index("form").loc["int8"]
    assert (row.method, row.form, row.best_method, row.best_form) == ("full", "int8", "full", None)
    assert row.loss == pytest.approx(form.difference)
    assert (row.loss_low, row.loss_high) == pytest.approx((form.difference_low, form.difference_high), abs=5e-4)


def test_a_form_without_each_seed_of_its_cell_is_left_out(folder, tmp_path):
    import shutil

    copy = Path(shutil.copytree(folder, tmp_path / CELLS.study))
    shutil.rmtree(copy / "runs/qa/mini-t5/full/seed-2/variants/int8")
    expected = candidates(forms=["plain", "int8"], cost="latency")
    frames = build_tables(copy, expected, 500)
    out = frames["recommendation"].iloc[0].left_out
    assert "Mini-T5 + Full Finetuning as int8 (not of each seed of its cell: seed 2: missing, no result)" in out
    shutil.rmtree(copy / "runs/qa/mini-t5/full/seed-1/variants/int8")
    frames = build_tables(copy, expected, 500)
    assert "as int8 (missing: no result)" in frames["recommendation"].iloc[0].left_out
    row = frames["forms"].set_index(["method", "form"]).loc[("full", "int8")]
    assert (row.status, row.reason) == ("missing", "no result")


def test_the_report_names_the_form(folder, tmp_path, without_figures):
    expected = candidates(forms=["plain", "int8"], cost="latency")
    frames = build_tables(folder, expected, 500)
    shown = tables.recommendation(frames, expected)
    assert shown.rows[0].cells[1].text.endswith(" as int8")
    glance = summary.glance(frames, expected).rows[0].cells
    assert " as int8: EM " in glance[2].text
    assert "; as int8 254 KiB, answers in 0.008 s" in glance[5].text
    render_study(folder, expected, tmp_path / "report")
    assert "as int8" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
