"""Accuracy, precision, recall and F1 of labels, worked by hand and against scikit-learn."""

import evaluate
import numpy as np
import pytest

from tunegrid.tasks.metrics.evaluate_metric import as_evaluate
from tunegrid.tasks.metrics.label_counts import Accuracy, LabelF1, Precision, Recall


def label_scores(predictions: list[str], references: list[str], positive: str = "positive") -> dict[str, float]:
    metrics = [Accuracy(), Precision(positive), Recall(positive), LabelF1(positive)]
    return evaluate.combine([as_evaluate(metric) for metric in metrics]).compute(
        predictions=predictions, references=references
    )


@pytest.mark.parametrize(
    ("predictions", "references", "expected"),
    [
        # 3 true positives, 1 false positive, 2 false negatives, 4 true negatives
        ("pppp nn nnnn", "pppn pp nnnn", {"accuracy": 7 / 10, "precision": 3 / 4, "recall": 3 / 5, "f1": 2 / 3}),
        ("nnnn", "pnpn", {"accuracy": 0.5, "precision": 0, "recall": 0, "f1": 0}),  # positive is never predicted
        ("pppp", "nnnn", {"accuracy": 0, "precision": 0, "recall": 0, "f1": 0}),
        ("ppp", "ppp", {"accuracy": 1, "precision": 1, "recall": 1, "f1": 1}),
        ("pxn", "pnx", {"accuracy": 1 / 3, "precision": 1, "recall": 1, "f1": 1}),  # three classes
    ],
)
def test_precision_recall_and_f1_worked_by_hand(predictions, references, expected):
    names = {"p": "positive", "n": "negative", "x": "mixed"}
    predicted, gold = ([names[letter] for letter in text.replace(" ", "")] for text in (predictions, references))
    scores = label_scores(predicted, gold)
    assert scores == pytest.approx(expected)


def test_the_positive_class_is_a_setting():
    scores = label_scores(["bad", "bad", "good"], ["bad", "good", "good"], "bad")
    assert (scores["precision"], scores["recall"]) == (0.5, 1)


@pytest.mark.parametrize("cases", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_classification_scores_are_scikit_learns(cases):
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    generator = np.random.default_rng(0)
    for _ in range(cases):
        size, names = generator.integers(1, 40), np.array(["positive", "negative", "mixed"][: generator.integers(2, 4)])
        gold, predicted = (generator.choice(names, size) for _ in range(2))
        expected = precision_recall_fscore_support(
            gold == "positive", predicted == "positive", average="binary", zero_division=0
        )[:3]
        table = {"prediction": predicted.tolist(), "references": [[label] for label in gold.tolist()]}
        assert [metric.score(table) for metric in (Precision(), Recall(), LabelF1())] == pytest.approx(expected)
        table |= Accuracy().examples(table["prediction"], table["references"])
        assert Accuracy().score(table) == pytest.approx(accuracy_score(gold, predicted))
