"""The audit of our own results: the same checks where every number is known in full and so are the predictions.

Nothing has to be searched for: a mean of zeros and ones times the number of examples is a whole number, and the scores
of a classifier give back the counts that they were computed from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from tunegrid.common.words import listed
from tunegrid.results.audit.checks import NEAR_ZERO
from tunegrid.results.audit.findings import Finding, Severity
from tunegrid.results.audit.folder import METRICS, WHOLE
from tunegrid.results.expected import Expected, ExpectedTask
from tunegrid.results.read import Result, StudyResults

COLUMNS = "study check severity task checked rows computed numbers meaning"
PASSED = "passed"
_CLOSE = 1e-9  # between a number and what it has to be

# (checked numbers or results, what was found)
Outcome = tuple[int, list[Finding]]


class _Task:
    """The results of one task that have scores, with what they are called."""

    def __init__(self, study: StudyResults, task: ExpectedTask) -> None:
        self.task, self.study = task, study
        scored = [one for one in study.results if one.task == task and one.status == "ok" and one.metrics]
        self.results = [one for one in scored if one.metrics.examples]  # type: ignore[union-attr]
        self.names = _Names(study.expected)

    def values(self, result: Result) -> dict[str, float]:
        return {name: metric.value for name, metric in result.metrics.metrics.items()}  # type: ignore[union-attr]

    def with_scores(self, *metrics: str) -> list[tuple[Result, dict[str, float]]]:
        found = [(result, self.values(result)) for result in self.results]
        return [(result, values) for result, values in found if set(metrics) <= set(values)]

    def finding(
        self, check: str, severity: Severity, results: Sequence[Result], computed: str, meaning: str, **numbers: Any
    ) -> Finding:
        rows = tuple(self.names.of(result) for result in results)
        return Finding(check, severity, self.task.name, rows, computed, meaning, numbers)


class _Names:
    """What a reader calls a result."""

    def __init__(self, expected: Expected) -> None:
        self.models = {model.name: model.title for model in expected.models}
        self.methods = {method.name: method.title for method in expected.methods}
        self.baselines = {(task.name, named.name): named.title for task in expected.tasks for named in task.baselines}
        self.several = len(expected.seeds) > 1

    def of(self, result: Result) -> str:
        seed = f", seed {result.seed}" if self.several and result.seed is not None else ""
        return self.cell(result) + seed

    def cell(self, result: Result) -> str:
        if result.kind == "baseline":
            return f"baseline {self.baselines.get((result.task.name, result.method), result.method)}"
        model = self.models[result.model or ""]
        return f"{model}, untuned" if result.kind == "untuned" else f"{model} + {self.methods[result.method]}"


def audit_rows(study: StudyResults) -> list[dict[str, Any]]:
    """The rows of tables/audit.csv: one per finding, and one with the severity `passed` per check that found nothing.

    `checked` is how many numbers or results a check looked at, in its first row only, so that it adds up.
    """
    rows = []
    for task in study.expected.tasks:
        results = _Task(study, task)
        for name, check in CHECKS.items():
            checked, findings = check(results)
            if not checked:
                continue
            first = {"check": name, "severity": PASSED, "task": task.name}
            found = [one.row() | {"task": task.name} for one in findings] or [first]
            found[0]["checked"] = checked
            rows += found
    return rows


def _range(task: _Task) -> Outcome:
    """Every score is within 0 and 1."""
    checked, findings = 0, []
    for result, values in task.with_scores():
        checked += len(values)
        for name, value in values.items():
            if not -_CLOSE <= value <= 1 + _CLOSE:
                computed = f"{_word(name)} of {task.names.of(result)} is {value!r}, outside 0 to 1."
                meaning = "No score of this kind can have this value."
                findings.append(task.finding("range", "error", [result], computed, meaning, metric=name, value=value))
    return checked, findings


def _whole(task: _Task) -> Outcome:
    """Means of zeros and ones times the number of examples are whole numbers."""
    checked, findings = 0, []
    for name in WHOLE:
        for result, values in task.with_scores(name):
            checked += 1
            size = result.metrics.examples  # type: ignore[union-attr]
            count = values[name] * size
            if abs(count - round(count)) > _CLOSE:
                computed = (
                    f"{_word(name)} of {task.names.of(result)} is {values[name]!r}: {count!r} of {size:,} examples."
                )
                meaning = (
                    "A mean of zeros and ones over the examples has a whole number of ones: one of the two is wrong."
                )
                numbers = {"metric": name, "value": values[name], "examples": size}
                findings.append(task.finding("whole-counts", "error", [result], computed, meaning, **numbers))
    return checked, findings


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
    fits = all(math.isclose(one, other, abs_tol=_CLOSE) for one, other in zip(given, computed, strict=True))
    return (true, false, missed) if fits and true + false + missed <= size else None


def _counts(task: _Task) -> Outcome:
    """Precision, recall, F1 and accuracy are of one table of counts, which has the same positives in all results."""
    scores = ("accuracy", "precision", "recall", "f1")
    results = task.with_scores(*scores) if task.task.labels == 2 else []
    findings, positives = [], {}
    for result, values in results:
        size = result.metrics.examples  # type: ignore[union-attr]
        found = counts(*(values[name] for name in scores), size)
        if found is None:
            said = listed(f"{_word(name)} {values[name]:.6f}" for name in scores)
            computed = f"No counts of {size:,} examples give the scores of {task.names.of(result)}: {said}."
            meaning = "These four scores are not of one set of predictions."
            findings.append(task.finding("accuracy", "error", [result], computed, meaning, examples=size))
        elif min(found) >= 0:
            positives[result.folder] = (result, found[0] + found[2])
    usual = max((number for _, number in positives.values()), key=[n for _, n in positives.values()].count, default=0)
    others = [(result, number) for result, number in positives.values() if number != usual]
    if others:
        said = listed(f"{number:,} in {task.names.of(result)}" for result, number in others)
        computed = (
            f"The scores imply {usual:,} positive examples in {len(positives) - len(others)} results, but {said}."
        )
        meaning = "The results were not all scored on the same test set."
        which = [result for result, _ in others]
        findings.append(task.finding("share-of-positives", "error", which, computed, meaning, usual=usual))
    return len(results), findings


def _exact_match(task: _Task) -> Outcome:
    """F1 is not below exact match."""
    results, findings = task.with_scores("exact_match", "f1"), []
    for result, values in results:
        f1, exact = values["f1"], values["exact_match"]
        if f1 < exact - _CLOSE:
            computed = f"F1 of {task.names.of(result)} is {f1:.6f}, below its exact match of {exact:.6f}."
            meaning = "An answer that matches exactly has an F1 of 1, so the mean F1 cannot be below exact match."
            findings.append(task.finding("f1-below-exact-match", "error", [result], computed, meaning))
    return len(results), findings


def _test_set(task: _Task) -> Outcome:
    """All results are of as many examples as the test set has."""
    rows = (task.study.data_cards.get(task.task.name, {}).get("rows") or {}).get("test")
    sizes = [result.metrics.examples for result in task.results]  # type: ignore[union-attr]
    if not sizes:
        return 0, []
    usual = rows if isinstance(rows, int) else max(sizes, key=sizes.count)
    others = [result for result, size in zip(task.results, sizes, strict=True) if size != usual]
    if not others:
        return len(sizes), []
    said = listed(f"{task.names.of(one)} ({one.metrics.examples:,})" for one in others)  # type: ignore[union-attr]
    computed = f"The test set has {usual:,} examples, but others were scored in {said}."
    meaning = "Scores of different test sets cannot be compared: evaluate these again."
    return len(sizes), [task.finding("test-set", "error", others, computed, meaning, examples=usual)]


def _identical(task: _Task) -> Outcome:
    """No two results have the same predictions."""
    alike: dict[Any, list[Result]] = {}
    for result, values in task.with_scores():
        alike.setdefault(tuple(sorted(values.items())), []).append(result)
    findings = []
    for results in alike.values():
        same: dict[tuple[str, ...], list[Result]] = {}
        for result in results if len(results) > 1 else ():  # predictions are read where scores do not tell them apart
            same.setdefault(tuple(map(str, result.predictions["prediction"])), []).append(result)
        for group in same.values():
            if len(group) > 1:
                computed = f"The predictions are the same in {listed(task.names.of(result) for result in group)}."
                meaning = "Models that always give the same answer do that; otherwise one result is a copy of another."
                findings.append(task.finding("identical-rows", "warning", group, computed, meaning))
    return len(task.results), findings


def _below_untuned(task: _Task) -> Outcome:
    """Tuned models score at least what they scored untuned."""
    metric = task.task.primary
    scored = task.with_scores(metric.name)
    untuned = {result.model: values[metric.name] for result, values in scored if result.kind == "untuned"}
    cells: dict[Any, list[tuple[Result, float]]] = {}
    for result, values in scored:
        if result.kind == "run" and result.model in untuned:
            cells.setdefault(result.key, []).append((result, values[metric.name]))
    under = []
    for cell in cells.values():
        mean, before = fmean(value for _, value in cell), untuned[cell[0][0].model]
        if mean < before - _CLOSE:
            under.append((cell[0][0], f"{metric.short(mean)} after {metric.short(before)}"))
    if not under:
        return len(cells), []
    said = listed(f"{task.names.cell(result)} ({scores})" for result, scores in under)
    computed = f"{metric.word} is lower than before tuning in {said}."
    meaning = "Tuning made these models worse at the task."
    rows = [result for result, _ in under]
    return len(cells), [task.finding("below-untuned", "warning", rows, computed, meaning, metric=metric.name)]


def _near_zero(task: _Task) -> Outcome:
    """Tuned models give answers."""
    metric = task.task.primary
    runs = [(result, values) for result, values in task.with_scores(metric.name) if result.kind == "run"]
    under = [result for result, values in runs if values[metric.name] < NEAR_ZERO]
    if not under:
        return len(runs), []
    computed = f"{metric.word} is below one point in {listed(task.names.of(result) for result in under)}."
    meaning = "These runs failed, whatever their status says: they are no measurement of the method."
    return len(runs), [task.finding("failed-run", "warning", under, computed, meaning, metric=metric.name)]


def _word(metric: str) -> str:
    return METRICS.get(metric, metric)


CHECKS: dict[str, Callable[[_Task], Outcome]] = {
    "range": _range,
    "whole-counts": _whole,
    "accuracy": _counts,
    "f1-below-exact-match": _exact_match,
    "test-set": _test_set,
    "identical-rows": _identical,
    "below-untuned": _below_untuned,
    "failed-run": _near_zero,
}
