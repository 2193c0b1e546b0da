"""Checks of classifiers' scores against a claimed test set: its size, alone or with its positives."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tunegrid.common.words import plural
from tunegrid.results.audit.classification import Interval, LabelScores, shares
from tunegrid.results.audit.findings import Finding, Severity
from tunegrid.results.audit.printed import ONE_UNIT
from tunegrid.results.audit.search import fitting
from tunegrid.results.audit.search_time import Check, OutOfTime, SearchTime
from tunegrid.results.audit.table import ScoreRow, ScoreTable, names

ANY_SHARE = (Fraction(0), Fraction(1))  # of positives


def check_claims(table: ScoreTable, rows: Sequence[ScoreRow], time: SearchTime) -> list[Finding]:
    """Findings on rows that the claimed test size, with the claimed positives or with any, does not allow."""
    try:
        return _misfits(table, rows, time)
    except OutOfTime:
        return [no_answer("claimed-positives", table, time, "whether the rows can be of the claimed test set")]


def _misfits(table: ScoreTable, rows: Sequence[ScoreRow], time: SearchTime) -> list[Finding]:
    findings = []
    for size, positives in sorted({_claim(table, row) for row in rows} - {(0, 0)}):
        part = [row for row in rows if _claim(table, row) == (size, positives)]
        given = (Fraction(positives, size), Fraction(positives, size)) if positives else None
        time.search(f"counts of {size:,} examples")
        needed = [(row, _needed(label_scores(row), size, given, time.check)) for row in part]
        misfits = [row for row, units in needed if units > 0.5]
        if not misfits:
            continue
        far = [row for row, units in needed if units > 1]
        test_set = f"{size:,} examples" + (f" with {positives:,} positives" if positives else "")
        data = f" ({table.data})" if table.data and size == table.test_size else ""
        fits = len(part) - len(misfits)
        computed = (
            f"{fits or 'None'} of {plural(len(part), 'row')} can be of {test_set}{data} with correctly rounded scores, "
            f"{len(misfits) - len(far) or 'none'} more within one unit of the last digit."
        )
        meaning = f"These rows were not scored on {test_set}."
        if not far:
            meaning = f"These rows are not rounded correctly, or were not scored on {test_set}."
        numbers = {"size": size, "positives": positives, "fitting": fits, "within_one_unit": len(misfits) - len(far)}
        severity: Severity = "error" if far else "warning"
        findings.append(Finding("claimed-positives", severity, table.title, names(misfits), computed, meaning, numbers))
    return findings


def _claim(table: ScoreTable, row: ScoreRow) -> tuple[int, int]:
    if row.examples:
        return row.examples, row.positives or 0
    return table.test_size or 0, (row.positives or table.positives or 0) if table.test_size else 0


def _needed(scores: LabelScores, size: int, given: Interval | None, check: Check) -> float:
    """Units of the last digit that a row needs to be of a test: 0.5, 1, or 2 for more than that."""
    between = given or shares([scores], ONE_UNIT) or ANY_SHARE
    fits = (units for units in (0.5, 1.0) if next(fitting([scores], size, between, units, check), None))
    return next(fits, 2.0)


def is_counted(table: ScoreTable, row: ScoreRow) -> bool:
    """Whether claimed positives tie a row's scores to counts, although accuracy, precision or recall is missing.

    F1 beside exact match is that of words. Accuracy alone is checked as a mean of zeros and ones.
    """
    scores = row.values.keys()
    return bool(
        "exact_match" not in scores and _claim(table, row)[1] and ("recall" in scores or {"accuracy", "f1"} <= scores)
    )


def claims_positives(table: ScoreTable, rows: Sequence[ScoreRow]) -> bool:
    return any(_claim(table, row)[1] for row in rows)


def no_answer(check: str, table: ScoreTable, time: SearchTime, what: str) -> Finding:
    computed = f"No answer within {time.limit_text()} to the question {what}."
    meaning = "This is not known; `tunegrid audit --time-limit` sets how long is searched."
    return Finding(check, "note", table.title, (), computed, meaning, {"seconds": round(time.share, 1)})


def label_scores(row: ScoreRow) -> LabelScores:
    return LabelScores(*(row.values.get(metric) for metric in ("accuracy", "precision", "recall", "f1")))
