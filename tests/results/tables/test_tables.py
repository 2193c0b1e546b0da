"""From a results folder to tidy tables: what is there, what is missing, what is broken."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support import study_on_disk
from tests.support.study_on_disk import expected_study, write_json
from tunegrid.common.errors import TuneGridError
from tunegrid.report import summary
from tunegrid.results.read import read_results
from tunegrid.results.tables import COLUMNS, build_tables, write_tables
from tunegrid.study.limits import Recommend

EXPECTED = expected_study()
RESAMPLES = 300
RUN = Path("runs/qa/mini-t5/lora/seed-1")


def change(path: Path, **changes) -> None:
    write_json(path, json.loads(path.read_text()) | changes)


def cell(frames: dict[str, pd.DataFrame], method: str, metric: str = "exact_match") -> pd.Series:
    cells = frames["cells"]
    found = cells[
        (cells.task == "qa") & (cells.model == "mini-t5") & (cells.method == method) & (cells.metric == metric)
    ]
    assert len(found) == 1
    return found.iloc[0]


def test_every_result_has_its_rows(made_up_tables) -> None:
    results = made_up_tables["results"]
    assert len(results[results.primary.astype(bool)]) == 27 * 2 + 9 + 4
    assert (results.status == "ok").all()
    assert len(made_up_tables["pairs"]) == 3 * 36
    assert len(made_up_tables["costs"]) == 54
    assert len(made_up_tables["recommendation"]) == 3
    assert {name: list(frame.columns) for name, frame in made_up_tables.items()} == {
        k: v.split() for k, v in COLUMNS.items()
    }


def test_a_cell_is_the_mean_over_its_seeds(made_up: Path, made_up_tables) -> None:
    values = [
        json.loads((made_up / f"runs/qa/mini-t5/lora/seed-{seed}/metrics.json").read_text())["metrics"]["exact_match"]
        for seed in (1, 2)
    ]
    first, second = (value["value"] for value in values)
    row = cell(made_up_tables, "lora")
    assert row["mean"] == pytest.approx((first + second) / 2)
    assert row.sd == pytest.approx(abs(first - second) / 2**0.5)
    assert row.ci_low < row["mean"] < row.ci_high
    baseline = made_up_tables["cells"].query("method == 'random-value' and metric == 'exact_match'").iloc[0]
    assert row.difference == pytest.approx(row["mean"] - baseline["mean"])
    assert row.difference_low < row.difference < row.difference_high


def test_tests_of_one_seed_are_about_runs(made_up: Path, made_up_tables) -> None:
    """Two seeds tell of the methods; one tells of two trained models, and every table and page one say so."""
    two, one = made_up_tables, expected_study(seeds=(1,))
    frames = build_tables(made_up, one, RESAMPLES)
    for name in ("pairs", "recommendation"):
        assert set(two[name]["about"]) == {"methods"}
        assert set(frames[name]["about"]) == {"runs"}
    assert frames["recommendation"]["rationale"].str.startswith("By one run of each cell").all()
    assert not two["recommendation"]["rationale"].str.contains("one run of each").any()
    assert frames["cells"]["next_low"].isna().all()
    assert two["cells"].query("kind == 'run'")["next_low"].notna().all()  # chrF's too: it needs no interval for that
    assert summary.sentences(frames, one)[0].startswith(
        "One seed per cell: scores, intervals and tests are about these"
    )
    assert summary.sentences(two, EXPECTED)[0].startswith("Two seeds per cell")
    tied = [row.cells[3].text for row in summary.glance(frames, one).rows]
    assert tied == ["–"] * 3
    assert "–" not in [row.cells[3].text for row in summary.glance(two, EXPECTED).rows]


def test_a_collapsed_seed_is_in_every_table_and_its_cell_is_not_compared(
    own_made_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(study_on_disk.GAIN, "lora", -0.65)
    study_on_disk.write_result(
        own_made_up / RUN, "run", EXPECTED.tasks[0], "mini-t5", "lora", 1, np.random.default_rng(1), examples=120
    )
    frames = build_tables(own_made_up, EXPECTED, RESAMPLES)
    collapsed = frames["results"][frames["results"].collapse.fillna("") != ""]
    assert collapsed[["task", "model", "method", "seed"]].values.tolist() == [["qa", "mini-t5", "lora", 1]]
    row = cell(frames, "lora")
    assert (row.collapsed, row.collapse_rate, row["median"]) == (1, 0.5, pytest.approx(row["mean"]))
    assert row.collapse_rate_low < 0.5 < row.collapse_rate_high
    pairs = frames["pairs"].query("task == 'qa'")
    assert pairs.collapsed.sum() == 8  # of its pairs with the eight other cells
    over_tasks = frames["over_tasks"].set_index(["model", "method"]).collapsed
    assert (over_tasks["mini-t5", "lora"], over_tasks.sum()) == (1, 1)
    recommendation = frames["recommendation"].set_index("task").loc["qa"]
    assert "Mini-T5 + LoRA (not recommended: 1 of 2 seeds collapsed" in recommendation.left_out
    assert "Mini-T5 + LoRA" not in recommendation.tied
    assert recommendation.loss <= 0
    assert any(text.startswith("Collapsed: 1 run of 54 (") for text in summary.warnings(frames, EXPECTED))


def test_corpus_chrf_has_no_interval_for_it_is_no_mean(made_up_tables) -> None:
    chrf = made_up_tables["cells"].query("metric == 'chrf'")
    assert chrf["mean"].notna().all()
    assert chrf.ci_low.isna().all()


def test_csv_files_hold_the_same_numbers(made_up: Path, made_up_tables, tmp_path: Path) -> None:
    paths = write_tables(made_up, EXPECTED, tmp_path, RESAMPLES)
    assert {path.name for path in paths} == {f"{name}.csv" for name in COLUMNS}
    cells = pd.read_csv(tmp_path / "cells.csv")
    assert cells["mean"].tolist() == made_up_tables["cells"]["mean"].tolist()


def test_file_times_do_not_matter(made_up_tables, own_made_up: Path) -> None:
    import os

    for path in own_made_up.rglob("*"):
        os.utime(path, (0, 0))
    after = build_tables(own_made_up, EXPECTED, RESAMPLES)
    for name in COLUMNS:
        pd.testing.assert_frame_equal(made_up_tables[name], after[name])


def test_missing_results_are_rows(own_made_up: Path) -> None:
    shutil.rmtree(own_made_up / "runs/qa/mini-t5/lora")
    (own_made_up / "runs/qa/mini-t5/full/seed-2/metrics.json").unlink()
    frames = build_tables(own_made_up, EXPECTED, RESAMPLES)
    assert cell(frames, "lora").status == "missing"
    assert cell(frames, "lora").reason == "no result"
    full = cell(frames, "full")
    assert (full.status, full.seeds_ok, full.seeds_expected) == ("ok", 1, 2)
    assert full.reason == "seed 2: missing, trained, but not evaluated"
    assert len(frames["costs"]) == 54
    assert "Mini-T5 + LoRA (missing: no result)" in frames["recommendation"].set_index("task").left_out["qa"]


def test_results_of_before_a_metric_was_added_are_means_without_it(own_made_up: Path) -> None:
    metrics = json.loads((own_made_up / RUN / "metrics.json").read_text())["metrics"]
    change(own_made_up / RUN / "metrics.json", metrics={name: score for name, score in metrics.items() if name != "f1"})
    frames = build_tables(own_made_up, EXPECTED, RESAMPLES)
    assert cell(frames, "lora", "f1").seeds_ok == 1
    assert cell(frames, "lora").seeds_ok == 2


def test_a_diverged_cell_is_a_row_with_its_reason(own_made_up: Path) -> None:
    for seed in (1, 2):
        run = own_made_up / f"runs/qa/mini-t5/lora/seed-{seed}"
        change(run / "metrics.json", status="diverged", reason="the loss was not finite", metrics={}, examples=0)
        (run / "predictions.parquet").unlink()
    frames = build_tables(own_made_up, EXPECTED, RESAMPLES)
    assert cell(frames, "lora").status == "diverged"
    assert cell(frames, "lora").reason == "the loss was not finite"
    assert len(frames["pairs"].query("task == 'qa'")) == 28
    assert "diverged: the loss was not finite" in frames["recommendation"].set_index("task").left_out["qa"]


def test_a_limit_excludes_the_best_cell_and_the_rule_goes_on_without_it(made_up_tables, own_made_up: Path) -> None:
    chosen = made_up_tables["recommendation"].set_index("task").loc["qa"]
    for record in own_made_up.glob(f"runs/qa/{chosen.model}/{chosen.method}/*/train.json"):
        change(record, cost=json.loads(record.read_text())["cost"] | {"saved_bytes": 10**15})
    limited = replace(EXPECTED, recommend=Recommend(max_saved_bytes=10**14))
    other = build_tables(own_made_up, limited, RESAMPLES)["recommendation"].set_index("task").loc["qa"]
    assert (other.model, other.method) != (chosen.model, chosen.method)
    assert other.method in ("full", "lora", "adapters")
    assert "recommend.max_saved_bytes is 100000000000000" in other.left_out


def test_nothing_there_yet(tmp_path: Path) -> None:
    frames = build_tables(tmp_path, EXPECTED, RESAMPLES)
    assert (frames["results"].status == "missing").all()
    assert frames["recommendation"].model.isna().all()
    with pytest.raises(TuneGridError, match="no such folder"):
        build_tables(tmp_path / "other", EXPECTED)


def test_what_was_cut_is_counted(made_up_tables) -> None:
    cuts = made_up_tables["cuts"].set_index(["task", "model", "split"])
    assert cuts.loc[("qa", "mini-t5", "train"), ["sources_cut", "windows", "windows_without_answer"]].tolist() == [
        3,
        5,
        3,
    ]
    assert cuts.loc[("translation", "mini-t5", "test"), ["sources_cut", "windows"]].tolist() == [3, 0]
    unfinished = made_up_tables["results"].groupby(["task", "kind"])["predictions_cut"].sum()
    assert unfinished["qa", "untuned"] == 2 * 3 * 2  # two predictions, three models, two metrics
    assert unfinished["sentiment", "run"] == 0


def test_answers_without_text_are_counted_where_none_can_be_right(own_made_up: Path) -> None:
    file = own_made_up / RUN / "predictions.parquet"
    answers = pd.read_parquet(file)
    answers.loc[:6, "prediction"] = ["", " ", "\n", "", "", "", "."]
    answers.to_parquet(file)

    def counts() -> pd.DataFrame:
        results = build_tables(own_made_up, EXPECTED, RESAMPLES)["results"]
        return (
            results[results["primary"]]
            .set_index(["task", "kind", "model", "method", "seed"])["predictions_empty"]
            .sort_index()
        )

    before = counts()
    assert before["qa", "run", "mini-t5", "lora"].tolist() == [6, 0]
    assert before["sentiment"].isna().all()
    assert before.xs("baseline", level="kind").isna().all()
    answers.at[9, "references"] = [""]  # a question that the context does not answer
    answers.to_parquet(file)
    assert pd.isna(counts()["qa", "run", "mini-t5", "lora", 1])


def test_the_account_of_older_results_still_reads(own_made_up: Path) -> None:
    path = own_made_up / "tokens/qa/mini-t5/stats.json"
    old = {
        split: {"rows": 9, "sources_cut": 4, "targets_cut": 0, "answers_lost": 0, "unknown_tokens": 0}
        for split in ("train", "validation", "test")
    }
    write_json(path, {"splits": old})
    change(own_made_up / RUN / "metrics.json", predictions_cut=None)
    frames = build_tables(own_made_up, EXPECTED, RESAMPLES)
    row = frames["cuts"].set_index(["task", "model", "split"]).loc["qa", "mini-t5", "test"]
    assert (row["sources_cut"], row["share_cut"]) == (4, 4 / 9)
    assert pd.isna(row["windows"])


def test_excluded_cells_are_no_rows(made_up: Path) -> None:
    cells = tuple((task.name, "mini-t5", "lora") for task in EXPECTED.tasks)
    frames = build_tables(made_up, expected_study(cells=cells), RESAMPLES)
    assert len(frames["costs"]) == 6
    assert len(read_results(made_up, expected_study(cells=cells)).unexpected) == 48


@pytest.mark.parametrize("name", ["metrics.json", "train.json", "predictions.parquet"])
def test_half_written_files_are_named(own_made_up: Path, name: str) -> None:
    path = own_made_up / RUN / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(TuneGridError, match=f"{RUN / name}"):
        build_tables(own_made_up, EXPECTED, RESAMPLES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "full"}, "belongs elsewhere"),
        ({"surprise": 1}, "surprise: unknown key"),
        ({"status": "failed"}, "needs a reason"),
        ({"metrics": {}}, "lacks the primary metric 'exact_match'"),
        ({"examples": 7}, "says 7"),
        ({"seed": "1"}, "seed: Input should be a valid integer"),
    ],
)
def test_records_that_cannot_be_right(own_made_up: Path, changes: dict, message: str) -> None:
    change(own_made_up / RUN / "metrics.json", **changes)
    with pytest.raises(TuneGridError, match=message) as error:
        build_tables(own_made_up, EXPECTED, RESAMPLES)
    assert str(RUN) in str(error.value)


def test_a_score_that_the_predictions_do_not_give(own_made_up: Path) -> None:
    path = own_made_up / RUN / "metrics.json"
    metrics = json.loads(path.read_text())["metrics"]
    metrics["exact_match"]["value"] = 0.123
    change(path, metrics=metrics)
    with pytest.raises(TuneGridError, match=r"metrics.json says exact_match 0.123000, but the scores"):
        build_tables(own_made_up, EXPECTED, RESAMPLES)


def test_predictions_of_other_examples_are_not_compared(own_made_up: Path) -> None:
    path = own_made_up / RUN / "predictions.parquet"
    frame = pd.read_parquet(path)
    frame["id"] = frame["id"].to_numpy()[::-1]
    frame.to_parquet(path)
    with pytest.raises(TuneGridError, match="not of the same test examples"):
        build_tables(own_made_up, EXPECTED, RESAMPLES)


def test_main_effects_are_means_of_the_cells_differences(
    made_up_tables, own_made_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, effects = made_up_tables["cells"].query("kind == 'run' and primary"), made_up_tables["effects"]
    means = cells.pivot_table(index=["task", "model"], columns="method", values="mean")
    difference = means["full"] - means["adapters"]
    rows = effects.query("kind == 'method' and first == 'full' and second == 'adapters'").set_index("task")
    (overall,) = (row for task, row in rows.iterrows() if not isinstance(task, str))
    assert overall.difference == pytest.approx(difference.groupby("task").mean().mean())
    assert (overall.blocks, overall.blocks_ahead, overall.left_out_blocks) == (9, (difference > 0).sum(), 0)
    assert rows.loc["qa"].difference == pytest.approx(difference["qa"].mean())
    assert overall.ci_low < overall.difference < overall.ci_high
    assert len(effects) == 2 * 3 * 4
    shutil.rmtree(own_made_up / "runs/qa/mini-t5/full")
    monkeypatch.setitem(study_on_disk.GAIN, "full", -0.65)
    fallen = own_made_up / "runs/qa/mini-bart/full/seed-1"
    study_on_disk.write_result(
        fallen, "run", EXPECTED.tasks[0], "mini-bart", "full", 1, np.random.default_rng(1), examples=120
    )
    gaps = build_tables(own_made_up, EXPECTED, RESAMPLES)["effects"].query("first == 'full' and task == 'qa'")
    assert gaps.blocks.tolist() == [1, 1]
    assert gaps.left_out_blocks.tolist() == [1, 1]


def test_what_a_study_can_find_is_a_row_per_task(made_up_tables) -> None:
    frame = made_up_tables["detectable"]
    assert frame.task.tolist() == [task.name for task in EXPECTED.tasks]
    assert (frame.smallest_low <= frame.smallest).all()
    assert (frame.smallest <= frame.smallest_high).all()
    assert (frame.smallest_alone < frame.smallest).all()
    assert ((frame.rows_needed > 0) ^ frame.rows_limit.notna()).all()
    assert (frame.difference >= 0).all()


def test_scores_over_tasks_are_of_normalised_runs(made_up_tables) -> None:
    from scipy.stats import trim_mean

    results, table = made_up_tables["results"].query("primary"), made_up_tables["over_tasks"]
    trivial = {task.name: results.query(f"method == '{task.trivial}'").value.iloc[0] for task in EXPECTED.tasks}
    runs = results.query("kind == 'run' and model == 'mini-bart' and method == 'lora'")
    scores = [(row.value - trivial[row.task]) / (1 - trivial[row.task]) for row in runs.itertuples()]
    row = table.query("model == 'mini-bart' and method == 'lora'").iloc[0]
    assert (row.runs, row.tasks, len(table)) == (6, 3, 9)
    assert row.iqm == pytest.approx(trim_mean(scores, 0.25))
    assert row["mean"] == pytest.approx(np.mean(scores))
    assert row.iqm_low < row.iqm < row.iqm_high
    profiles = made_up_tables["profiles"].query("model == 'mini-bart' and method == 'lora'").set_index("threshold")
    assert profiles.loc[0.5].share == np.mean(np.array(scores) > 0.5)
    assert (profiles.share_low <= profiles.share_high).all()
