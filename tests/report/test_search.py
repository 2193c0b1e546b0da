"""The search in the tables and in the report: every trial a row, the choice bold, the cost, the edge, what is missing."""

import json
import re
from pathlib import Path

import pytest

from tests.support.records_on_disk import provenance, train_record
from tests.support.study_on_disk import expected_study, render_study, write_json, write_study
from tunegrid.common.errors import TuneGridError
from tunegrid.report.search import table, warnings
from tunegrid.results.tables import build_tables
from tunegrid.study.search_settings import Search

SEARCH = Search(factors=[1.0, 0.5, 4.0], seed=9)
CELLS = (("qa", "mini-t5", "lora"), ("qa", "mini-t5", "full"), ("sentiment", "mini-bart", "full"))
EXPECTED = expected_study(seeds=(1,), cells=CELLS, search=SEARCH)
RESAMPLES = 300
SCORES = {"0.5": 0.25, "1": 0.75, "4": 0.5}


def write_search(folder: Path, cell: tuple[str, str, str], chosen: str | None = "1", **scores: float | None) -> None:
    """The trials of a cell, 10 seconds each, of which 4 optimise; those without a score diverged."""
    task, model, method = cell
    place = folder / "search" / task / model / method
    place_of = {"task": task, "model": model, "method": method, "metric": {"qa": "exact_match"}.get(task, "accuracy")}
    common = place_of | {"schema_version": 1, "configuration_hash": "c"}
    for factor, score in (SCORES | scores).items():
        ok = score is not None
        cost = {"optimisation_seconds": 4.0, "evaluation_seconds": 1.0, "prediction_seconds": 3.0} if ok else {}
        record = common | {
            "status": "ok" if ok else "diverged",
            "reason": None if ok else "the loss is nan",
            "factor": float(factor),
            "learning_rate": 2e-3 * float(factor),
            "seed": 9,
            "score": score,
            "validation_loss": 1.5 if ok else None,
            "train_rows": 400,
            "validation_rows": 100,
            "configuration": {},
            "cost": dict.fromkeys(
                ("optimisation_seconds", "evaluation_seconds", "prediction_seconds", "steps", "examples", "tokens")
            )
            | {"total_seconds": 10.0, "peak_memory_bytes": 2**20}
            | cost,
            "provenance": provenance(task, model),
        }
        write_json(place / f"factor-{factor}.json", record)
    choice = {
        "status": "ok" if chosen else "failed",
        "reason": None if chosen else "nothing was left",
        "factor": float(chosen) if chosen else None,
        "learning_rate": 2e-3 * float(chosen) if chosen else None,
        "configured_learning_rate": 2e-3,
        "score": (SCORES | scores)[chosen] if chosen else None,
        "edge": {"0.5": "lowest", "4": "highest"}.get(chosen or ""),
        "trials": 3,
        "search_seconds": 30.0,
    }
    write_json(place / "choice.json", common | choice)


def train_with(folder: Path, cell: tuple[str, str, str], rate: float) -> None:
    record = train_record(*cell, 1)
    record["configuration"]["training"]["learning_rate"] = rate
    write_json(folder / "runs" / "/".join(cell) / "seed-1" / "train.json", record)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_study(tmp_path, EXPECTED)
    for cell in CELLS:
        write_search(folder, cell)
    return folder


def test_every_trial_is_a_row(folder: Path) -> None:
    frame = build_tables(folder, EXPECTED, RESAMPLES)["search"]
    assert len(frame) == 9
    first = frame[(frame.task == "qa") & (frame.method == "lora")].set_index("factor")
    assert first.score.to_dict() == {0.5: 0.25, 1.0: 0.75, 4.0: 0.5}
    assert first.chosen.to_dict() == {0.5: False, 1.0: True, 4.0: False}
    assert first.learning_rate.to_dict() == {0.5: 0.001, 1.0: 0.002, 4.0: 0.008}
    assert (frame.total_seconds.sum(), frame.optimisation_seconds.sum()) == (90.0, 36.0)
    assert set(frame.study) == {"made-up"}


@pytest.mark.usefixtures("without_figures")
def test_the_trials_count_among_what_was_computed_with_which_code(folder: Path) -> None:
    file = folder / "search/qa/mini-t5/lora/factor-4.json"
    record = json.loads(file.read_text())
    record["provenance"]["code_version"] = "another"
    write_json(file, record)
    frames = build_tables(folder, EXPECTED, RESAMPLES)
    trials = frames["provenance"].query("stage == 'search'")
    assert (len(trials), set(trials.seed), set(trials.kind)) == (9, {9}, {"trial"})
    render_study(folder, EXPECTED, folder / "report", resamples=RESAMPLES)
    assert "2 versions of TuneGrid" in (folder / "report/report.html").read_text()


def test_trials_that_are_missing_or_diverged_are_rows(folder: Path) -> None:
    write_search(folder, CELLS[0], **{"4": None})
    (folder / "search/qa/mini-t5/full/factor-0.5.json").unlink()
    (folder / "search/qa/mini-t5/full/choice.json").unlink()
    frames = build_tables(folder, EXPECTED, RESAMPLES)
    frame = frames["search"].set_index(["task", "method", "factor"])
    assert frame.loc[("qa", "lora", 4.0), ["status", "reason"]].tolist() == ["diverged", "the loss is nan"]
    assert frame.loc[("qa", "full", 0.5), "status"] == "missing"
    assert not frame.loc[("qa", "full")].chosen.any()
    texts = [[cell.text for cell in row.cells] for row in table(frames, EXPECTED).rows]
    assert ["Mini-T5", "Full Finetuning", "missing", "0.002: 75.0%", "0.008: 50.0%", "–", "20.0"] in texts
    assert ["", "LoRA", "0.001: 25.0%", "0.002: 75.0%", "0.008: diverged", "–", "30.0"] in texts


@pytest.mark.usefixtures("without_figures")
def test_the_report_shows_what_was_tried_chosen_and_spent(folder: Path) -> None:
    write_search(folder, CELLS[2], chosen="4", **{"4": 0.95})
    train_with(folder, CELLS[2], 0.008)
    render_study(folder, EXPECTED, folder / "report", resamples=RESAMPLES)
    tex, html = (folder / "report/tables/search.tex").read_text(), (folder / "report/report.html").read_text()
    assert r"\textbf{0.002: 75.0\%}" in tex
    assert r"\textbf{0.008: 0.9500} & highest" in tex
    assert tex.count(r"\textbf{0.00") == 3
    assert "<b>0.008: 0.9500</b>" in html
    for text in (html, (folder / "report/report.tex").read_text()):
        text = " ".join(text.split())
        assert "The search took 90.0 seconds (9 of 9 trials), of which 36.0 were optimisation." in text
        assert re.search(r"0\.5, 1 and 4 times the learning rate", text)
        assert "in 1 of 3 cells the chosen one is the lowest or highest that was tried" in text
        assert "Sentiment Classification, Mini-BART + Full Finetuning (highest)" in text
    # The cost of training is the training's alone, and its learning rate is the one that was used.
    assert "21.5" in (folder / "report/tables/costs-training.tex").read_text()
    assert "Mini-BART & Full Finetuning & 0.008 &" in (folder / "report/tables/settings.tex").read_text()


def test_a_run_with_another_rate_than_the_chosen_one_is_said(folder: Path) -> None:
    assert warnings(build_tables(folder, EXPECTED, RESAMPLES), EXPECTED) == []
    train_with(folder, CELLS[0], 0.5)
    said = warnings(build_tables(folder, EXPECTED, RESAMPLES), EXPECTED)
    assert len(said) == 1
    assert "run them again: Question Answering, Mini-T5 + LoRA" in said[0]


@pytest.mark.usefixtures("without_figures")
def test_a_study_without_a_search_has_an_empty_table_and_no_section(folder: Path) -> None:
    expected = expected_study(seeds=(1,), cells=CELLS)
    frames = build_tables(folder, expected, RESAMPLES)
    assert len(frames["search"]) == 0
    assert not (frames["provenance"].stage == "search").any()
    render_study(folder, expected, folder / "report", resamples=RESAMPLES)
    assert not (folder / "report/tables/search.tex").exists()
    assert "search" not in (folder / "report/report.html").read_text().lower()


@pytest.mark.parametrize(("file", "changes", "says"), [
    ("factor-4.json", {"task": "sentiment"}, "is the record of task sentiment, which belongs elsewhere"),
    ("factor-4.json", {"factor": 2.0}, "is the record of factor 2.0, which belongs elsewhere"),
    ("factor-4.json", {"score": None}, "has score None"),
    ("factor-4.json", {"score": 1.5}, "score: Input should be less than"),
    ("choice.json", {"learning_rate": None}, "names what was chosen"),
    ("choice.json", {"method": "full"}, "is the record of method full, which belongs elsewhere"),
])  # fmt: skip
def test_records_that_cannot_be_right(folder: Path, file: str, changes: dict, says: str) -> None:
    path = folder / "search/qa/mini-t5/lora" / file
    write_json(path, json.loads(path.read_text()) | changes)
    with pytest.raises(TuneGridError, match=says) as caught:
        build_tables(folder, EXPECTED, RESAMPLES)
    assert f"search/qa/mini-t5/lora/{file}" in str(caught.value)


def test_the_json_schemas_agree_with_the_records(folder: Path) -> None:
    from jsonschema import Draft202012Validator

    from tunegrid.results.records import json_schemas

    for name, file in (("trial.json", "factor-4.json"), ("choice.json", "choice.json")):
        validator = Draft202012Validator(json_schemas()[name])
        record = json.loads((folder / "search/qa/mini-t5/lora" / file).read_text())
        validator.validate(record)
        assert list(validator.iter_errors({**record, "surprise": 1}))
