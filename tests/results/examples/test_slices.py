"""Slices of the test rows: which rows are in which, and the scores on them."""

import functools
import operator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.study_on_disk import expected_study, write_study
from tunegrid.common.errors import TuneGridError
from tunegrid.results.examples.read import TaskExamples, read_examples
from tunegrid.results.examples.slices import FEWEST, dimensions, slice_rows
from tunegrid.results.read import read_results

EXPECTED = expected_study(seeds=(1, 2))
QA, TRANSLATION, SENTIMENT = EXPECTED.tasks


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_study(tmp_path, EXPECTED, examples=40)


def members(examples: TaskExamples, title: str) -> dict[str, list[int]]:
    """The rows of each slice of a dimension."""
    (dimension,) = [each for each in dimensions(examples) if each.title == title]
    return {name: np.flatnonzero(dimension.members == number).tolist() for number, name in enumerate(dimension.slices)}


def rows(task, **columns) -> TaskExamples:
    values = [dict(zip(columns, texts, strict=True)) for texts in zip(*columns.values(), strict=True)]
    return TaskExamples(task, (), [{"id": str(number)} | value for number, value in enumerate(values)])


def test_lengths_are_quarters_of_the_rows_in_words_of_all_source_columns() -> None:
    questions, contexts = ["a b"] * 8, ["w " * length for length in (8, 1, 2, 3, 4, 5, 6, 7)]
    assert members(rows(QA, question=questions, context=contexts), "Source length") == {
        "3–4 words": [1, 2],
        "5–6 words": [3, 4],
        "7–8 words": [5, 6],
        "9–10 words": [0, 7],
    }


def test_rows_of_one_length_have_no_slices_of_length() -> None:
    assert dimensions(rows(TRANSLATION, source=["a b"] * 5)) == []


def test_first_words_of_questions_and_the_rare_ones_together() -> None:
    first = ["What", "¿Qué", "what's", "WHO", "Is", "To", "In", "On", "At", "By", "What", "who", "…"]
    questions = [f"{word} it?" for word in first]
    questions[-1] = "…?"
    found = members(rows(QA, question=questions, context=["c"] * len(first)), "Question word")
    assert found["what"] == [0, 2, 10]
    assert found["who"] == [3, 11]
    assert len(found) == 8
    assert sorted(functools.reduce(operator.iadd, found.values(), [])) == list(range(13))
    assert {8, 12} <= {*found["other"], *found.get("at", [])}
    assert 12 in found["other"]


def test_labels_unknown_tokens_and_seen_rows(results: Path) -> None:
    tokens = results / "tokens" / "sentiment"
    for model, row in (("mini-t5", 3), ("mini-bart", 5)):
        pd.DataFrame({"unknown": [int(number == row) for number in range(40)]}).to_parquet(
            tokens / model / "unknown.parquet"
        )
    columns = {"ngrams": [9] * 40, "seen": [0, 4, 0] + [0] * 37, "same": [False, True, False, True] + [False] * 36}
    pd.DataFrame(columns).to_parquet(results / "data/sentiment/overlap.parquet")
    examples = read_examples(read_results(results, EXPECTED), SENTIMENT)
    assert members(examples, "Label")["negative"] == list(range(1, 40, 2))
    assert members(examples, "Unknown tokens")["some"] == [3, 5]
    assert members(examples, "Seen in training")["same words"] == [1, 3]
    assert "13 words in a row" not in members(examples, "Seen in training")


def test_scores_of_slices_are_those_of_their_rows(results: Path) -> None:
    study = read_results(results, EXPECTED)
    for task in EXPECTED.tasks:
        examples = read_examples(study, task)
        table = slice_rows(examples, study.units(task), resamples=50)
        groups = examples.groups
        assert {(row["kind"], row["model"], row["method"]) for row in table} == {
            (key.kind, key.model, key.method) for key in groups
        }
        for row in table:
            inside = members(examples, row["dimension"])[row["slice"]]
            key = next(
                key for key in groups if (key.kind, key.model, key.method) == (row["kind"], row["model"], row["method"])
            )
            means = [
                task.primary.score(result.predictions.iloc[inside].reset_index(drop=True)) for result in groups[key]
            ]
            assert row["rows"] == len(inside)
            assert row["mean"] == pytest.approx(np.mean(means))
            assert row["seeds_ok"] == (2 if row["kind"] == "run" else 1)
            groups_of_rows = len({number // 4 for number in inside}) if task.grouped else len(inside)
            if groups_of_rows < FEWEST:  # an interval of a handful of rows would be no more than decoration
                assert row["ci_low"] is row["ci_high"] is None
            else:
                assert row["ci_low"] <= row["mean"] <= row["ci_high"]


def test_answers_to_other_rows_are_refused(results: Path) -> None:
    path = results / "data/qa/test.parquet"
    frame = pd.read_parquet(path)
    frame[::-1].to_parquet(path)
    study = read_results(results, EXPECTED)
    with pytest.raises(TuneGridError, match=r"test\.parquet: its rows are not those"):
        read_examples(study, QA)


def test_without_the_rows_their_ids_are_known(results: Path) -> None:
    (results / "data/qa/test.parquet").unlink()
    examples = read_examples(read_results(results, EXPECTED), QA)
    assert [row["id"] for row in examples.rows] == [str(number) for number in range(40)]
    assert dimensions(examples) == []
