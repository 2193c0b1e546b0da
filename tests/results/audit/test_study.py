"""The audit of our own results: honest results pass every check, and every inconsistency is found, shown and fails."""

import csv
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.support.study_on_disk import expected_study, render_study, write_json
from tunegrid.results.audit.counts import counts
from tunegrid.results.audit.study import PASSED, audit_rows
from tunegrid.results.expected import Named
from tunegrid.results.read import read_results
from tunegrid.results.tables import write_tables
from tunegrid.stages.summary import summarise
from tunegrid.study.cells import Cell, Run
from tunegrid.study.paths import Paths

EXPECTED = expected_study()
RESAMPLES = 300


def change(result: Path, examples: int | None = None, **values: float) -> None:
    path = result / "metrics.json"
    record = json.loads(path.read_text())
    record["examples"] = examples or record["examples"]
    for name, value in values.items():
        record["metrics"][name]["value"] = value
    write_json(path, record)


def audited(folder: Path, **changes) -> pd.DataFrame:
    """What the audit finds in a folder, without the other tables."""
    frame = pd.DataFrame(audit_rows(read_results(folder, replace(EXPECTED, **changes))))
    # Tests change metrics.json alone, which `records` notices each time (tests/cli/test_damaged_results.py).
    return frame[(frame["severity"] != PASSED) & (frame["check"] != "records")]


def test_honest_results_pass_every_check(made_up_tables) -> None:
    audit = made_up_tables["audit"]
    assert set(audit["severity"]) == {PASSED}
    checked = audit.set_index(["check", "task"])["checked"]
    results = {"qa": 18 + 3 + 1, "translation": 18 + 3 + 1, "sentiment": 18 + 3 + 2}
    assert checked["whole-counts", "qa"] == results["qa"]
    assert checked["accuracy", "sentiment"] == results["sentiment"]
    assert checked["f1-below-exact-match", "qa"] == results["qa"]
    assert checked["below-untuned", "qa"] == 9  # cells
    assert {(check, task) for check, task in checked.index if check == "test-set"} == {("test-set", t) for t in results}
    assert ("whole-counts", "translation") not in checked  # no mean of zeros and ones


RUN = Path("runs/sentiment/mini-t5/lora/seed-1")
ANSWERS = Path("runs/qa/mini-t5/lora/seed-1")
BREAK = {  # what is changed, the check that finds it, the start of its sentence
    "F1 of other precision and recall": ({RUN: {"f1": 0.5}}, "accuracy", "No counts of 120 examples give the scores of Mini-T5 + LoRA, seed 1"),
    "a precision that no counts give": ({RUN: {"precision": 0.9999}}, "accuracy", "No counts"),
    "F1 below exact match": ({ANSWERS: {"f1": 0.1}}, "f1-below-exact-match", "F1 of Mini-T5 + LoRA, seed 1 is 0.100000, below its exact match"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "check", "says"), BREAK.values(), ids=BREAK.keys())
def test_an_inconsistency_is_an_error(own_made_up: Path, changes: dict, check: str, says: str) -> None:
    for result, values in changes.items():
        change(own_made_up / result, **values)
    (row,) = audited(own_made_up).itertuples()
    assert (row.check, row.severity) == (check, "error")
    assert row.computed.startswith(says)
    assert "seed 1" in row.rows


def test_a_share_that_is_no_count_is_an_error(own_made_up: Path) -> None:
    # The predictions have the same score as metrics.json, so that nothing else finds the error.
    result = own_made_up / "runs/qa/mini-t5/lora/seed-1"
    frame = pd.read_parquet(result / "predictions.parquet")
    frame.loc[0, "exact_match"] = 0.5
    frame.loc[0, "f1"] = 1.0
    frame.to_parquet(result / "predictions.parquet")
    change(result, exact_match=float(frame["exact_match"].mean()), f1=float(frame["f1"].mean()))
    (row,) = audited(own_made_up).itertuples()
    assert (row.check, row.severity) == ("whole-counts", "error")
    assert ".5 of 120 examples" in row.computed


def test_positives_that_differ_are_an_error(own_made_up: Path) -> None:
    # 90 of 120 right with 64 positives instead of 60: 49 found, 15 missed, 15 false
    values = {"precision": 49 / 64, "recall": 49 / 64, "f1": 49 / 64, "accuracy": 90 / 120}
    assert counts(*(values[name] for name in ("accuracy", "precision", "recall", "f1")), 120) == (49, 15, 15)
    frame = pd.read_parquet(own_made_up / RUN / "predictions.parquet")
    frame["correct"] = [1] * 90 + [0] * 30
    frame.to_parquet(own_made_up / RUN / "predictions.parquet")
    change(own_made_up / RUN, **values)
    (row,) = audited(own_made_up).itertuples()
    assert (row.check, row.severity) == ("share-of-positives", "error")
    assert "imply 60 positive examples in 22 results, but 64 in Mini-T5 + LoRA, seed 1" in row.computed


def test_results_of_a_part_of_the_test_set_are_an_error(own_made_up: Path) -> None:
    card = own_made_up / "data/translation/card.json"
    write_json(card, json.loads(card.read_text()) | {"rows": {"train": 4000, "validation": 200, "test": 130}})
    (row,) = audited(own_made_up).itertuples()
    assert (row.check, row.severity, row.task) == ("test-set", "error", "translation")
    assert row.computed.startswith("The test set has 130 examples, but others were scored in")


def test_more_than_two_labels_have_no_such_counts(own_made_up: Path) -> None:
    change(own_made_up / RUN, f1=0.5)
    tasks = tuple(replace(task, labels=3) if task.kind == "sentiment" else task for task in EXPECTED.tasks)
    assert audited(own_made_up, tasks=tasks).empty


def copy_result(source: Path, target: Path) -> None:
    names = ("task", "model", "method", "seed", "kind")
    record, old = (json.loads((place / "metrics.json").read_text()) for place in (source, target))
    write_json(target / "metrics.json", record | {name: old[name] for name in names})
    shutil.copy(source / "predictions.parquet", target / "predictions.parquet")


def test_the_same_predictions_twice_are_a_warning(own_made_up: Path) -> None:
    copy_result(own_made_up / ANSWERS, own_made_up / "runs/qa/mini-bart/full/seed-2")
    (row,) = audited(own_made_up).itertuples()
    assert (row.check, row.severity) == ("identical-rows", "warning")
    assert row.rows == "Mini-T5 + LoRA, seed 1; Mini-BART + Full Finetuning, seed 2"


def test_the_same_scores_of_other_predictions_are_no_finding(own_made_up: Path) -> None:
    other = own_made_up / "runs/qa/mini-bart/full/seed-2"
    copy_result(own_made_up / ANSWERS, other)
    frame = pd.read_parquet(other / "predictions.parquet")
    frame["prediction"] = [f"other {text}" for text in frame["prediction"]]
    frame.to_parquet(other / "predictions.parquet")
    assert audited(own_made_up).empty


def test_a_model_worse_than_untuned_is_a_warning(own_made_up: Path) -> None:
    copy_result(own_made_up / "runs/qa/mini-t5/full/seed-1", own_made_up / "untuned/qa/mini-t5")
    rows = audited(own_made_up)
    assert set(rows["check"]) == {"identical-rows", "below-untuned"}  # the untuned model now answers like a tuned one
    row = rows[rows["check"] == "below-untuned"].iloc[0]
    assert row.severity == "warning"
    assert "Mini-T5 + Adapters" in row.rows


def test_a_run_that_gives_no_answers_is_a_warning(own_made_up: Path) -> None:
    for seed in (1, 2):
        result = own_made_up / f"runs/translation/mini-t5/lora/seed-{seed}"
        frame = pd.read_parquet(result / "predictions.parquet")
        frame["bleu_statistics"] = [[9, 9, 0, 0, 0, 0, 9, 8, 7, 6]] * len(frame)
        frame.to_parquet(result / "predictions.parquet")
        change(result, bleu=0.0)
    rows = audited(own_made_up)
    assert set(rows["check"]) == {"failed-run", "below-untuned"}
    assert set(rows["severity"]) == {"warning"}


def test_counts_are_those_that_the_scores_come_from() -> None:
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    for true, false, missed, rest in itertools.product((0, 1, 2, 9), repeat=4):
        size = true + false + missed + rest
        if not size:
            continue
        gold = [1] * true + [0] * false + [1] * missed + [0] * rest
        predicted = [1] * true + [1] * false + [0] * missed + [0] * rest
        precision, recall, f1, _ = precision_recall_fscore_support(
            gold, predicted, labels=[1], average=None, zero_division=0.0
        )
        scores = (float(accuracy_score(gold, predicted)), float(precision[0]), float(recall[0]), float(f1[0]))
        computed = counts(*scores, size)
        if not true:
            assert computed == (0, -1, -1)
        elif not false and not missed:
            assert computed == (-1, 0, 0)
        else:
            assert computed == (true, false, missed)
            assert counts(scores[0], scores[1], scores[2], scores[3] + 1e-6, size) is None
            assert counts(scores[0], scores[1] * 0.99, scores[2], scores[3], size) is None


def test_a_large_test_set_is_counted_exactly() -> None:
    true, false, missed, size = 12_345, 678, 155, 25_000
    scores = (
        1 - (false + missed) / size,
        true / (true + false),
        true / (true + missed),
        2 * true / (2 * true + false + missed),
    )
    assert counts(*scores, size) == (true, false, missed)
    assert counts(scores[0] + 1 / size, *scores[1:], size) is None


# Where it shows ------------------------------------------------------------------------------------------------------


def study_of(folder: Path) -> SimpleNamespace:
    """The attributes of a study that `tunegrid summary` reads."""
    runs = [Run(Cell(*cell), seed) for cell in itertools.product(["qa"], ["mini-t5"], ["lora"]) for seed in (1, 2)]
    nothing = SimpleNamespace(tasks=[], models=[], methods=[])
    return SimpleNamespace(
        name=folder.name, title="Made up", description="", runs=lambda: runs, paths=Paths(folder.name, folder.parent),
        grid=nothing, seeds=[1, 2], recommend=None, search=None, compress=(), forgetting=None,
        cells=lambda: [],
    )  # fmt: skip


def test_the_summary_fails_on_an_error_and_shows_warnings(own_made_up: Path) -> None:
    write_tables(own_made_up, EXPECTED, own_made_up / "tables", RESAMPLES)
    assert summarise(study_of(own_made_up)) == ("Made up: 2 of 2 runs are done", True)
    copy_result(own_made_up / ANSWERS, own_made_up / "runs/qa/mini-bart/full/seed-2")
    write_tables(own_made_up, EXPECTED, own_made_up / "tables", RESAMPLES)
    text, complete = summarise(study_of(own_made_up))
    assert complete
    assert "  audit, warning: qa: The predictions are the same in Mini-T5 + LoRA, seed 1" in text
    change(own_made_up / ANSWERS, f1=0.1)
    write_tables(own_made_up, EXPECTED, own_made_up / "tables", RESAMPLES)
    text, complete = summarise(study_of(own_made_up))
    assert not complete
    assert "  audit, error: qa: F1 of Mini-T5 + LoRA, seed 1 is 0.100000" in text
    with (own_made_up / "tables/audit.csv").open(newline="") as file:
        row, edited = (row for row in csv.DictReader(file) if row["severity"] == "error")
    assert edited["check"] == "records"
    assert (row["study"], row["check"], row["rows"]) == ("made-up", "f1-below-exact-match", "Mini-T5 + LoRA, seed 1")


@pytest.mark.usefixtures("without_figures")
def test_the_report_shows_findings_on_page_one_and_in_a_section(
    made_up_report: Path, own_made_up: Path, tmp_path: Path
) -> None:
    html = (made_up_report / "report.html").read_text()
    assert "checks on 67 results: nothing found." in html
    assert "Contradictions in the paper" not in html  # the study is not about the paper
    change(own_made_up / ANSWERS, f1=0.1)
    titles = (Named("mini-t5", "T5-base"), *EXPECTED.models[1:])
    render_study(own_made_up, replace(EXPECTED, models=titles), tmp_path / "wrong", resamples=RESAMPLES)
    html = (tmp_path / "wrong/report.html").read_text()
    assert "The audit finds 2 contradictions in these numbers" in html
    assert "checks on 67 results: 2 errors." in html
    assert "below its exact match" in (tmp_path / "wrong/tables/audit.tex").read_text()
    assert "10,570" in (tmp_path / "wrong/tables/published-audit.tex").read_text()
