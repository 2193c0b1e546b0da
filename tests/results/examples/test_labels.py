"""Confusion, calibration and thresholds, held against scikit-learn and against formulas written out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from tests.support.rows_of_tasks import make_task
from tests.support.study_on_disk import expected_study, write_study
from tunegrid.results.examples.labels import THRESHOLDS, calibration, confusion, label_tables, thresholds
from tunegrid.results.examples.read import read_examples
from tunegrid.results.read import read_results


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def test_confusion_is_scikit_learns(generator: np.random.Generator) -> None:
    names = np.array(["b", "a", "c"], dtype=object)
    references, predictions = generator.choice(names, 200), generator.choice(names, 200)
    rows = confusion(references, predictions)
    matrix = confusion_matrix(references, predictions, labels=["a", "b", "c"])
    assert {(row["reference"], row["prediction"]): row["rows"] for row in rows} == {
        (x, y): matrix["abc".index(x), "abc".index(y)] for x in "abc" for y in "abc"
    }


def test_pairs_that_do_not_occur_are_left_out() -> None:
    labels = np.array(["a", "a", "b"], dtype=object)
    assert [row["rows"] for row in confusion(labels, labels)] == [2, 1]


def test_calibration_error_is_the_mean_distance_of_confidence_and_accuracy(generator: np.random.Generator) -> None:
    confidence = generator.uniform(0.5, 1, 500)
    right = generator.random(500) < 0.7
    rows = calibration(confidence, right)
    expected = 0.0
    for low in np.arange(0, 1, 0.1):
        inside = [i for i, value in enumerate(confidence) if low + 1e-12 < value <= low + 0.1 + 1e-12]
        if inside:
            expected += abs(sum(right[i] for i in inside) - sum(confidence[i] for i in inside)) / 500
    assert rows[0]["ece"] == pytest.approx(expected)
    assert sum(row["rows"] for row in rows) == 500
    assert all(row["bin_low"] < row["confidence"] <= row["bin_high"] for row in rows)


def test_certain_and_right_is_calibrated() -> None:
    (row,) = calibration(np.ones(4), np.ones(4, bool))
    assert row == {"bin_low": 0.9, "bin_high": 1.0, "rows": 4, "confidence": 1.0, "accuracy": 1.0, "ece": 0.0}


def test_thresholds_give_scikit_learns_scores(generator: np.random.Generator) -> None:
    actual = generator.random(300) < 0.4
    chances = np.clip(0.3 * actual + generator.random(300) * 0.6, 0, 1)
    rows = thresholds(chances, actual)
    assert [row["threshold"] for row in rows] == list(THRESHOLDS)
    for row in rows:
        predicted = chances >= row["threshold"]
        assert row["accuracy"] == pytest.approx(accuracy_score(actual, predicted))
        assert row["recall"] == pytest.approx(recall_score(actual, predicted))
        assert row["f1"] == pytest.approx(f1_score(actual, predicted))
        if predicted.any():
            assert row["precision"] == pytest.approx(precision_score(actual, predicted))
        else:
            assert row["precision"] is None
    assert not (chances >= rows[-1]["threshold"]).any()


def test_thresholds_are_of_the_positive_label_where_there_is_one(tmp_path: Path) -> None:
    expected = expected_study(seeds=(1,))
    sentiment = expected.tasks[-1]
    expected = replace(expected, tasks=(sentiment,))
    examples = read_examples(read_results(write_study(tmp_path, expected, examples=20), expected), sentiment)
    tables = label_tables(examples)
    assert {row["label"] for row in tables["thresholds"]} == {"positive"}
    metrics = make_task("classification", labels=["negative", "positive"]).metrics
    topics = replace(examples, task=replace(sentiment, kind="classification", own_metrics=metrics))
    assert label_tables(topics) == tables | {"thresholds": []}
