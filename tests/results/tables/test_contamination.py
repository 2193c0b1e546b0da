"""Contamination: counts of overlap.parquet, and what is published about the models' training."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.support.study_on_disk import expected_study
from tunegrid.common.errors import TuneGridError
from tunegrid.common.package_data import datasets_file, pretraining_file
from tunegrid.models.shape import known_config
from tunegrid.report import contamination as report
from tunegrid.results.tables import contamination
from tunegrid.results.tables.frames import frame_of

DATA = {"qa": "rajpurkar/squad", "translation": "wmt/wmt16 de-en", "sentiment": "stanfordnlp/imdb"}
MODELS = {
    "mini-t5": "google-t5/t5-base",
    "mini-bart": "facebook/bart-base",
    "mini-flan-t5": "google/flan-t5-small",
}


def papers_study():
    expected = expected_study()
    return replace(
        expected,
        tasks=tuple(replace(task, hub_id=DATA[task.name]) for task in expected.tasks),
        models=tuple(replace(model, hub_id=MODELS[model.name]) for model in expected.models),
    )


def write_overlap(folder: Path, **columns) -> Path:
    path = folder / "data" / "qa" / "overlap.parquet"
    path.parent.mkdir(parents=True)
    pd.DataFrame(columns).to_parquet(path)
    return path


def frames(folder: Path, expected) -> dict:
    rows = {
        "contamination": contamination.contamination_rows(folder, expected),
        "pretraining": contamination.pretraining_rows(expected),
    }
    return {name: frame_of(name, contamination.COLUMNS[name], rows[name]) for name in rows}


def test_rows_are_counted(tmp_path: Path) -> None:
    write_overlap(tmp_path, ngrams=[10, 10, 9, 0, 0], seen=[0, 5, 4, 0, 0], same=[False, False, False, True, False])
    (row,) = contamination.contamination_rows(tmp_path, expected_study())
    assert row == {
        "task": "qa",
        "ngram": 13,
        "test_rows": 5,
        "same": 1,
        "too_short": 2,
        "overlapping": 2,
        "mostly_overlapping": 1,
        "ngrams": 29,
        "ngrams_seen": 9,
    }


@pytest.mark.parametrize("damage", ["cut", "column"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = write_overlap(tmp_path, ngrams=[1], seen=[0], **({} if damage == "column" else {"same": [True]}))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TuneGridError, match=r"overlap\.parquet: .*Delete it"):
        contamination.contamination_rows(tmp_path, expected_study())


def test_what_the_papers_models_were_trained_on() -> None:
    relations = {(row["task"], row["model"]): row["relation"] for row in contamination.pretraining_rows(papers_study())}
    trained, texts = "trained on it", "read its texts"
    assert relations == {
        ("qa", "mini-t5"): trained,
        ("qa", "mini-bart"): texts,
        ("qa", "mini-flan-t5"): trained,
        ("translation", "mini-t5"): trained,
        ("translation", "mini-bart"): "not named",
        ("translation", "mini-flan-t5"): trained,
        ("sentiment", "mini-t5"): "not named",
        ("sentiment", "mini-bart"): "not named",
        ("sentiment", "mini-flan-t5"): trained,
    }


def test_nothing_is_claimed_of_models_and_data_from_elsewhere(tmp_path: Path) -> None:
    assert {row["relation"] for row in contamination.pretraining_rows(expected_study())} == {"not known"}
    assert report.section(frames(tmp_path, expected_study()), expected_study()) is None


def test_the_file_names_each_known_model_once_and_known_data_only() -> None:
    entries = yaml.safe_load(pretraining_file().read_text()).values()
    models = [model for entry in entries for model in entry["models"]]
    assert len(models) == len(set(models))
    known = yaml.safe_load(datasets_file().read_text()).keys()
    for entry in entries:
        assert entry.keys() <= {"models", "text", "tasks", "texts", "source"}
        assert entry["source"]
        assert entry["text"]
        assert {*entry.get("tasks", {}), *entry.get("texts", {})} <= known
    # Every architecture that the package knows is of a model that the file knows.
    shapes = [file.stem.replace("--", "/") for file in (pretraining_file().parent / "architectures").glob("*.json")]
    assert [model for model in shapes if known_config(model) and model not in models] == []


def test_the_report_says_it_beside_the_scores(tmp_path: Path) -> None:
    write_overlap(tmp_path, ngrams=[10, 10], seen=[0, 5], same=[False, True])
    expected = papers_study()
    tables = frames(tmp_path, expected)
    qa, _, sentiment = expected.tasks
    assert report.note(tables, expected, qa) == (
        "Test rows with the same words as a training row: 1 of 2; with 13 words in a row of one: 1. "
        "Trained on this data set before this study: Mini-T5, Mini-Flan-T5."
    )
    assert report.note(tables, expected, sentiment) == "Trained on this data set before this study: Mini-Flan-T5."
    counts, known = report.section(tables, expected).tables
    assert [cell.text for cell in counts.rows[0].cells] == ["Question Answering", "2", "1", "1", "1", "0", "25.0%"]
    texts = [" | ".join(cell.text for cell in row.cells) for row in known.rows]
    assert any("Mini-BART" in text and "not named" in text and "Lewis et al. 2020" in text for text in texts)
