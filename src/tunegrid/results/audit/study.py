"""The audit of our own results: a study's results as tables of scores, and the checks of them.

It has more to go by than an audit of printed tables: every number is known in full, and so are the predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import fmean
from typing import Any

from tunegrid.results.audit import records
from tunegrid.results.audit.checks import f1_below_exact_match, near_zero, out_of_range
from tunegrid.results.audit.copies import identical_rows
from tunegrid.results.audit.counts import label_counts, same_test_set, whole_counts
from tunegrid.results.audit.findings import Checked
from tunegrid.results.audit.literature import below_untuned
from tunegrid.results.audit.printed import full
from tunegrid.results.audit.table import Known, ScoreRow, ScoreTable
from tunegrid.results.expected import Expected, ExpectedTask, title
from tunegrid.results.read import Result, StudyResults

COLUMNS = "study check severity task checked rows computed numbers meaning"
PASSED = "passed"
CHECKS: dict[str, Callable[[ScoreTable], Checked]] = {
    "range": out_of_range,
    "whole-counts": whole_counts,
    "accuracy": label_counts,
    "f1-below-exact-match": f1_below_exact_match,
    "test-set": same_test_set,
    "identical-rows": identical_rows,
    "below-untuned": below_untuned,
    "failed-run": near_zero,
}


def audit_rows(study: StudyResults) -> list[dict[str, Any]]:
    """The rows of tables/audit.csv: one per finding, and one with the severity `passed` per check that found nothing.

    `checked` is how many numbers or results a check looked at, in its first row only, so that it adds up.
    """
    rows = []
    for task in study.expected.tasks:
        table = score_table(study, task)
        checks = {name: partial(check, table) for name, check in CHECKS.items()}
        checks[records.CHECK] = partial(records.records_agree, study, task)
        for name, check in checks.items():
            checked, findings = check()
            if not checked:
                continue
            first = {"check": name, "severity": PASSED, "task": task.name}
            checked_rows = [finding.row() | {"task": task.name} for finding in findings] or [first]
            checked_rows[0]["checked"] = checked
            rows += checked_rows
    return rows


def score_table(study: StudyResults, task: ExpectedTask) -> ScoreTable:
    """The results of a task that have scores, as a table to audit; its untuned models are known scores."""
    metric = task.primary.name
    rows, known, cells = [], [], {}
    for result in study.results:
        if result.task != task or result.status != "ok" or not result.metrics or not result.metrics.examples:
            continue
        scores = {name: record.value for name, record in result.metrics.metrics.items()}
        model = title(study.expected.models, result.model)
        name, values = _name(study.expected, result), {metric: full(value) for metric, value in scores.items()}
        seed = f", seed {result.seed}" if len(study.expected.seeds) > 1 and result.seed is not None else ""
        tuned = result.kind == "run"
        rows.append(ScoreRow(name + seed, values, model, result.metrics.examples, None, tuned, _predictions(result)))
        if metric in scores and result.kind == "untuned":
            known.append(Known(model, False, {metric: values[metric]}, "this study"))
        elif metric in scores and tuned:
            cells.setdefault((result.key, name, model), []).append(scores[metric])
    size = (study.data_cards.get(task.name, {}).get("rows") or {}).get("test")
    return ScoreTable(
        task.name,
        tuple(rows),
        test_size=size if isinstance(size, int) else None,
        known=tuple(known),
        primary=(metric,),
        labels=task.labels,
        cells=tuple(ScoreRow(name, {metric: full(fmean(seeds))}, model) for (_, name, model), seeds in cells.items()),
    )


def _name(expected: Expected, result: Result) -> str:
    """What a reader calls the cell, the untuned model or the baseline of a result."""
    if result.kind == "baseline":
        return f"baseline {title(result.task.baselines, result.method)}"
    model = title(expected.models, result.model)
    return f"{model}, untuned" if result.kind == "untuned" else f"{model} + {title(expected.methods, result.method)}"


def _predictions(result: Result) -> Callable[[], tuple[str, ...]]:
    return lambda: tuple(map(str, result.predictions["prediction"]))
