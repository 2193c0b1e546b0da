"""Ceilings in the report: rows of the score tables, page one, the section, and the notes below the scores."""

import json
from pathlib import Path

import pytest

from tests.support.study_on_disk import expected_study, write_json
from tunegrid.report import ceilings, tables
from tunegrid.report.summary import warnings
from tunegrid.results.tables import build_tables

EXPECTED = expected_study()
TASKS = {task.name: task for task in EXPECTED.tasks}


def frames_of(folder: Path):
    return build_tables(folder, EXPECTED, 200)


def lines(table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_ceilings_stand_between_the_baselines_and_the_models(made_up_tables):
    frames = made_up_tables
    table = tables.scores(frames, EXPECTED, TASKS["qa"])
    assert lines(table)[1:3] == [
        ["Ceiling", "Mini-T5 and Mini-Flan-T5", "99.5000%", "99.5000%"],
        ["", "Mini-BART", "100.0000%", "100.0000%"],
    ]
    assert not any(cell.bold for row in table.rows[1:3] for cell in row.cells)
    assert "Ceiling:" in table.caption
    table = tables.scores(frames, EXPECTED, TASKS["sentiment"])
    assert lines(table)[2] == ["Ceiling", "All vocabularies", *["1.0000"] * 4]


def test_without_records_the_report_is_as_it_was(own_made_up):
    for file in own_made_up.glob("tokens/*/*/ceiling.json"):
        file.unlink()
    frames = frames_of(own_made_up)
    table = tables.scores(frames, EXPECTED, TASKS["qa"])
    assert "Ceiling" not in [row[0] for row in lines(table)]
    assert "Ceiling" not in table.caption
    assert ceilings.section(frames, EXPECTED) is None
    assert warnings(frames, EXPECTED) == []


def test_the_section_shows_each_vocabulary(made_up_tables):
    (table,) = ceilings.section(made_up_tables, EXPECTED).tables
    assert lines(table)[:3] == [
        ["Question Answering"],
        ["Mini-T5", "99.5000%", "99.5000%", "2 of 120", "0", "Ö, ạ", "4", "1.40 / 2.50"],
        ["Mini-BART", "100.0000%", "100.0000%", "0 of 120", "0", "–", "0", "1.40 / 2.50"],
    ]


def test_page_one_says_what_limits_the_scores(made_up_tables, own_made_up):
    assert warnings(made_up_tables, EXPECTED) == []
    for file in own_made_up.glob("tokens/*/*/ceiling.json"):
        record = json.loads(file.read_text())
        scores = {name: 0.98 if value < 1 else value for name, value in record["written"].items()}
        write_json(file, record | {"written": scores, "within_lengths": scores})
    assert warnings(frames_of(own_made_up), EXPECTED) == [
        "Question Answering: Mini-T5 and Mini-Flan-T5 can score at most EM 98.0%: 2 of 120 test references hold what the "
        "vocabulary cannot write (Ö, ạ).",
        "Translation: Mini-T5 and Mini-Flan-T5 can score at most BLEU 0.9800: 2 of 120 test references hold what the "
        "vocabulary cannot write (Ö, ạ).",
    ]


def test_what_stands_in_for_a_baseline_and_a_metric_without_a_value_are_noted_below_the_scores(own_made_up):
    def change(method: str, **changes) -> None:
        file = own_made_up / f"baselines/sentiment/{method}/metrics.json"
        record = json.loads(file.read_text())
        record["metrics"]["precision"]["undefined"] = "no prediction is “positive”"
        write_json(file, record | changes)

    change("ngrams", note="all training rows are “negative”; “Majority class” stands in")
    change("majority")
    frames = frames_of(own_made_up)
    assert tables.scores(frames, EXPECTED, TASKS["sentiment"]).note == (
        "N-gram logistic regression: all training rows are “negative”; “Majority class” stands in. "
        "Precision of Majority class and N-gram logistic regression has no value, and is given as 0: no prediction is "
        "“positive”."
    )
    assert tables.scores(frames, EXPECTED, TASKS["qa"]).note == ""
    results = frames["results"].set_index(["task", "method", "metric"])
    assert results.loc[("sentiment", "ngrams", "precision"), "undefined"] == "no prediction is “positive”"
    assert results.loc[("sentiment", "ngrams", "accuracy"), "note"].startswith("all training rows")


@pytest.mark.slow
def test_a_failed_trivial_baseline_leaves_a_report(own_made_up, tmp_path):
    import pandas as pd

    from tunegrid.report.render import render_report

    place = own_made_up / "baselines/qa/random-value"
    record = json.loads((place / "metrics.json").read_text())
    failed = {"status": "failed", "reason": "ValueError: no way", "metrics": {}, "examples": 0, "cost": None}
    write_json(place / "metrics.json", record | failed)
    pd.DataFrame({"id": [], "prediction": [], "references": []}).to_parquet(place / "predictions.parquet")
    frames = frames_of(own_made_up)
    assert lines(tables.scores(frames, EXPECTED, TASKS["qa"]))[0] == ["Baseline", "Random value", "failed", "–"]
    assert "Not all went well: 1 result failed" in warnings(frames, EXPECTED)[0]
    render_report(frames, EXPECTED, tmp_path / "report", pdf=False)
    assert "ValueError: no way" in (tmp_path / "report/report.html").read_text()
