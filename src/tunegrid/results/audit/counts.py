"""Whole numbers behind scores of full precision: of right answers, of true and false positives, of test examples.

Nothing has to be searched for, as it has behind printed scores: a mean of zeros and ones times the number of examples
is a whole number, and the scores of a classifier give back the counts that they were computed from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from tunegrid.common.words import listed
from tunegrid.results.audit import grim
from tunegrid.results.audit.findings import Checked, Finding
from tunegrid.results.audit.table import WHOLE, ScoreRow, ScoreTable, names, word

_CLOSE = 1e-9  # between a number and what it has to be


def whole_counts(table: ScoreTable) -> Checked:
    """Means of zeros and ones that no whole number of ones gives."""
    scored = [(row, metric, row.values[metric]) for metric in WHOLE for row in table.with_scores(metric)]
    findings = []
    for row, metric, value in scored:
        size = row.examples or 0
        if grim.roundings(value, size):
            continue
        count = round(float(value.value * size), 6)
        computed = f"{word(metric)} of {row.name} is {value}: {count!r} of {size:,} examples."
        meaning = "A mean of zeros and ones over the examples has a whole number of ones: one of the two is wrong."
        numbers = {"metric": metric, "value": value.text, "examples": size}
        findings.append(Finding("whole-counts", "error", table.title, (row.name,), computed, meaning, numbers))
    return len(scored), findings


def label_counts(table: ScoreTable) -> Checked:
    """Rows whose precision, recall, F1 and accuracy no counts give, or counts with other positives than the rest."""
    metrics = ("accuracy", "precision", "recall", "f1")
    rows = table.with_scores(*metrics) if table.labels == 2 else []
    findings: list[Finding] = []
    positives: list[tuple[ScoreRow, int]] = []
    for row in rows:
        size = row.examples or 0
        confusion = counts(*(float(row.values[metric].value) for metric in metrics), size)
        if confusion is None:
            scores = listed(f"{word(metric)} {row.values[metric]}" for metric in metrics)
            computed = f"No counts of {size:,} examples give the scores of {row.name}: {scores}."
            meaning = "These four scores are not of one set of predictions."
            numbers = {"examples": size}
            findings.append(Finding("accuracy", "error", table.title, (row.name,), computed, meaning, numbers))
        elif min(confusion) >= 0:
            positives.append((row, confusion[0] + confusion[2]))
    usual = _usual(number for _, number in positives)
    others = [(row, number) for row, number in positives if number != usual]
    if others:
        differing = listed(f"{number:,} in {row.name}" for row, number in others)
        computed = (
            f"The scores imply {usual:,} positive examples in {len(positives) - len(others)} results, but {differing}."
        )
        meaning = "The results were not all scored on the same test set."
        which = names(row for row, _ in others)
        findings.append(Finding("share-of-positives", "error", table.title, which, computed, meaning, {"usual": usual}))
    return len(rows), findings


def counts(accuracy: float, precision: float, recall: float, f1: float, size: int) -> tuple[int, int, int] | None:
    """The true positives, false positives and false negatives behind the scores of a classifier with two labels.

    None: no counts give these scores. Without a true positive, or without an error, several do; then the false ones, or
    the true positives, are given as -1. Precision, recall and F1 are 0 where they are not defined.
    """
    wrong = round((1 - accuracy) * size)
    if not precision or not recall or not f1:
        return (0, -1, -1) if not (precision or recall or f1) else None
    if not wrong:
        return (-1, 0, 0) if min(precision, recall, f1) > 1 - _CLOSE else None
    per_true = 1 / precision + 1 / recall - 2  # errors per true positive
    true = round(wrong / per_true) if per_true > _CLOSE / size else 0
    if not true:
        return None
    false, missed = round(true / precision) - true, round(true / recall) - true
    given = (accuracy, precision, recall, f1)
    computed = (1 - (false + missed) / size, true / (true + false), true / (true + missed))
    computed += (2 * true / (2 * true + false + missed),)
    fits = all(math.isclose(*pair, abs_tol=_CLOSE) for pair in zip(given, computed, strict=True))
    return (true, false, missed) if fits and true + false + missed <= size else None


def same_test_set(table: ScoreTable) -> Checked:
    """Rows that were scored on another number of examples than the test set has."""
    size = table.test_size or _usual(row.examples or 0 for row in table.rows)
    others = [row for row in table.rows if row.examples != size]
    if not others:
        return len(table.rows), []
    scored = listed(f"{row.name} ({row.examples:,})" for row in others)
    computed = f"The test set has {size:,} examples, but others were scored in {scored}."
    meaning = "Scores of different test sets cannot be compared: evaluate these again."
    finding = Finding("test-set", "error", table.title, names(others), computed, meaning, {"examples": size})
    return len(table.rows), [finding]


def _usual(numbers: Iterable[int]) -> int:
    """The most frequent number, the first of several; 0 if there is none."""
    return max(Counter(numbers).items(), key=lambda item: item[1], default=(0, 0))[0]
