"""Of tasks with labels: confusion matrix, calibration, and what another threshold would do.

A label's probability is that of its words among the words of all labels: the softmax of the log-probabilities that
predictions.parquet has in its columns `score_<label>`.
"""

from collections import Counter
from typing import Any

import numpy as np

from tunegrid.results.examples.read import TaskExamples
from tunegrid.results.read import Result
from tunegrid.tasks.metrics.label_counts import LabelCounts

_RESULT = "study kind task model method seed"
COLUMNS = {
    "confusion": f"{_RESULT} reference prediction rows",
    "calibration": f"{_RESULT} bin_low bin_high rows confidence accuracy ece",
    "thresholds": f"{_RESULT} label threshold precision recall f1 accuracy",
}
BINS = 10
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
PREFIX = "score_"


def label_tables(examples: TaskExamples) -> dict[str, list[dict[str, Any]]]:
    """Rows of `confusion`, `calibration` and `thresholds` of a task; none where it has no labels.

    Thresholds are of the positive label, where the task has one.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    if examples.task.labels is None:
        return rows
    # F1 of each label, which is not printed, makes no label the positive one.
    positive = next((metric.positive for metric in examples.task.metrics if isinstance(metric, LabelCounts)), None)
    for result in examples.answered:
        references = np.array([texts[0] for texts in result.predictions["references"]], dtype=object)
        predictions = result.predictions["prediction"].to_numpy(dtype=object)
        rows["confusion"] += [result.names | row for row in confusion(references, predictions)]
        labels, probabilities = label_probabilities(result)
        if not labels:
            continue
        right = np.array(labels, dtype=object)[probabilities.argmax(axis=1)] == references
        rows["calibration"] += [result.names | row for row in calibration(probabilities.max(axis=1), right)]
        if positive in labels:
            chances = probabilities[:, labels.index(positive)]
            points = thresholds(chances, references == positive)
            rows["thresholds"] += [result.names | {"label": positive} | row for row in points]
    return rows


def label_probabilities(result: Result) -> tuple[list[str], np.ndarray]:
    """(labels, their probabilities [rows, labels]); no labels where the result has no scores of them (a baseline)."""
    columns = [name for name in result.predictions.columns if str(name).startswith(PREFIX)]
    if not columns:
        return [], np.zeros((len(result.predictions), 0))
    scores = result.predictions[columns].to_numpy(dtype=np.float64)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return [name.removeprefix(PREFIX) for name in columns], odds / odds.sum(axis=1, keepdims=True)


def confusion(references: np.ndarray, predictions: np.ndarray) -> list[dict[str, Any]]:
    """The number of rows of each pair of labels that occurs."""
    pairs = Counter(zip(references, predictions, strict=True))
    return [{"reference": pair[0], "prediction": pair[1], "rows": count} for pair, count in sorted(pairs.items())]


def calibration(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    """Rows in bins of equal width by the probability of the predicted label; empty bins are left out.

    `ece`, the same in all rows, is the expected calibration error (Guo et al. 2017, arXiv 1706.04599): the mean over
    the rows of the distance between the accuracy and the mean confidence of their bin.
    """
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)  # ends of a bin belong to it at the top
    rows = []
    for number in range(BINS):
        inside = bins == number
        if inside.any():
            row = {"bin_low": number / BINS, "bin_high": (number + 1) / BINS, "rows": int(inside.sum())}
            rows.append(row | {"confidence": float(confidence[inside].mean()), "accuracy": float(right[inside].mean())})
    error = sum(row["rows"] * abs(row["accuracy"] - row["confidence"]) for row in rows) / len(right)
    return [row | {"ece": error} for row in rows]


def thresholds(chances: np.ndarray, actual: np.ndarray) -> list[dict[str, Any]]:
    """Scores of a label if it were predicted from a threshold of its probability on.

    Precision, recall and F1 are missing where they are 0 / 0.
    """
    rows = []
    for threshold in THRESHOLDS:
        predicted = chances >= threshold
        hits, claims, cases = int((predicted & actual).sum()), int(predicted.sum()), int(actual.sum())
        row: dict[str, Any] = {"threshold": threshold, "accuracy": float((predicted == actual).mean())}
        row["precision"] = hits / claims if claims else None
        row["recall"] = hits / cases if cases else None
        row["f1"] = 2 * hits / (claims + cases) if claims + cases else None
        rows.append(row)
    return rows
