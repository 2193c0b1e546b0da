"""Checks of a classifier with two labels: do its scores belong together, and which test sets allow them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tunegrid.common.words import listed, plural
from tunegrid.results.audit.classification import (
    Interval,
    LabelScores,
    Pair,
    f1_interval,
    fitting,
    groups,
    overlap,
    pairs,
    share_interval,
    shares,
)
from tunegrid.results.audit.findings import Finding, Severity
from tunegrid.results.audit.printed import EXACT, ONE_UNIT
from tunegrid.results.audit.table import ScoreRow, ScoreTable, names

MANY_PAIRS = 20_000
SHOWN = 8  # most pairs listed in a sentence
KEPT = 50  # most pairs kept in the numbers of a finding
ANY_SHARE = (Fraction(0), Fraction(1))  # of positives


@dataclass(frozen=True)
class Group:
    """Rows of one table that can be of one test set, and the test sizes and positives that fit them all."""

    table: str
    rows: tuple[str, ...]
    pairs: tuple[Pair, ...]


def check(table: ScoreTable, largest: int) -> tuple[list[Finding], list[Group]]:
    """(findings; groups of rows that can be of one test set, with the test sizes up to `largest` that fit them)"""
    rows = table.with_scores("precision", "recall")
    rows = [row for row in rows if all(0 <= value.value <= 1 for value in row.values.values())]
    findings = _harmonic(table, [row for row in rows if "f1" in row.values])
    whole = [row for row in rows if "accuracy" in row.values]
    impossible = [row for row in whole if _empty(share_interval(_scores(row), ONE_UNIT))]
    if impossible:
        computed = (
            f"No share of positives gives the accuracy with the precision and recall of {listed(names(impossible))}."
        )
        meaning = "The scores of these rows cannot be of one set of predictions with two labels."
        findings.append(Finding("accuracy", "error", table.title, names(impossible), computed, meaning))
    whole = [row for row in whole if row not in impossible]
    bearing = [row for row in whole if share_interval(_scores(row)) is not None]
    if not bearing:
        return findings, []
    findings += _claimed(table, whole)
    if len({row.examples for row in bearing}) > 1:
        return findings, []  # rows of several test sets
    parts = _parts(bearing, EXACT)
    findings.append(_shares(table, parts, bearing))
    tested = []
    for part in parts if largest else ():
        scores = list(dict.fromkeys(_scores(row) for row in part))
        search = _search(scores, largest)
        findings.append(_fitting(table, part, scores, search))
        tested.append(Group(table.title, names(part), search.pairs))
    return findings, tested


@dataclass(frozen=True)
class _Search:
    """The test sizes and positives that fit some rows.

    Attributes:
        pairs: all pairs up to the size `listed_to` that fit within one unit.
        exact: the smallest pair that gives every row correctly rounded; None: there is none up to `searched_to`.
    """

    pairs: tuple[Pair, ...]
    listed_to: int
    exact: Pair | None
    searched_to: int


def _search(scores: Sequence[LabelScores], largest: int) -> _Search:
    fits: list[Pair] = []
    listed_to = largest
    for pair in pairs(scores, largest):
        if len(fits) >= MANY_PAIRS and pair.size > fits[-1].size:  # the larger the test, the more pairs fit
            listed_to = fits[-1].size
            break
        fits.append(pair)
    exact = next((pair for pair in fits if pair.tolerance <= 0.5), None)
    if not exact and listed_to < largest:
        exact = next(pairs(scores, largest, 0.5), None)
    return _Search(tuple(fits), listed_to, exact, largest)


def _scores(row: ScoreRow) -> LabelScores:
    return LabelScores(row.values["accuracy"], row.values["precision"], row.values["recall"], row.values.get("f1"))


def _empty(interval: Interval | None) -> bool:
    return interval is not None and interval[0] > interval[1]


def _harmonic(table: ScoreTable, rows: Sequence[ScoreRow]) -> list[Finding]:
    if not rows:
        return []
    wrong = [row for row in rows if not _is_harmonic(row, EXACT)]
    if not wrong:
        computed = f"F1 = 2 P R / (P + R) holds within rounding in {_all(rows)}."
        meaning = "F1, precision and recall belong together, row by row."
        return [Finding("f1", "note", table.title, (), computed, meaning, {"rows": len(rows)})]
    far = [row for row in wrong if not _is_harmonic(row, ONE_UNIT)]
    misfits = []
    for row in wrong:
        low, high = f1_interval(row.values["precision"], row.values["recall"])
        misfits.append(f"{row.name} prints {row.values['f1']} where {float(low):.5f} to {float(high):.5f} is possible")
    computed = f"F1 = 2 P R / (P + R) does not hold within rounding: {listed(misfits, most=6)}."
    meaning = "F1 is not of this precision and recall, or all three are averages over classes."
    if not far:
        meaning = "Numbers of these rows are cut off, not rounded, or computed from rounded ones."
    severity: Severity = "error" if far else "warning"
    return [
        Finding("f1", severity, table.title, names(wrong), computed, meaning, {"rows": len(wrong), "of": len(rows)})
    ]


def _is_harmonic(row: ScoreRow, halves: int) -> bool:
    possible = f1_interval(row.values["precision"], row.values["recall"])
    return overlap(possible, row.values["f1"].interval(halves))


def _parts(rows: Sequence[ScoreRow], halves: int) -> list[list[ScoreRow]]:
    intervals = [interval for row in rows if (interval := share_interval(_scores(row), halves)) is not None]
    return [[rows[number] for number in numbers] for numbers in groups(intervals)]


def _shares(table: ScoreTable, parts: Sequence[Sequence[ScoreRow]], rows: Sequence[ScoreRow]) -> Finding:
    texts, numbers = [], []
    for part in parts:
        low, high = shares([_scores(row) for row in part]) or ANY_SHARE
        which = plural(len(part), "row") if part is parts[0] else listed(names(part))
        texts.append(f"{float(low + high) / 2:.4f} ({float(low):.5f} to {float(high):.5f}) in {which}")
        numbers.append({"rows": list(names(part)), "low": float(low), "high": float(high)})
    computed = f"Precision, recall and accuracy imply a share of positives of {'; of '.join(texts)}."
    if len(parts) == 1:
        meaning = "All rows can be of one test set."
        return Finding("share-of-positives", "note", table.title, (), computed, meaning, {"groups": numbers})
    others = [row for part in parts[1:] for row in part]
    severity: Severity = "error" if len(_parts(rows, ONE_UNIT)) > 1 else "warning"
    meaning = "The rows were not all scored on one test set, or numbers of these are wrong."
    if severity == "warning":
        meaning = "Unless digits were cut off, not rounded, the rows were not all scored on one test set."
    return Finding("share-of-positives", severity, table.title, names(others), computed, meaning, {"groups": numbers})


def _claimed(table: ScoreTable, rows: Sequence[ScoreRow]) -> list[Finding]:
    """Findings on rows that the claimed test size, with the claimed positives or with any, does not allow."""
    findings = []
    for size, positives in sorted({_claim(table, row) for row in rows} - {(0, 0)}):
        part = [row for row in rows if _claim(table, row) == (size, positives)]
        given = (Fraction(positives, size), Fraction(positives, size)) if positives else None
        needed = [(row, _needed(_scores(row), size, given)) for row in part]
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


def _needed(scores: LabelScores, size: int, given: Interval | None) -> float:
    between = given or shares([scores], ONE_UNIT) or ANY_SHARE
    return min((pair.tolerance for pair in fitting([scores], size, between)), default=2.0)


def _fitting(table: ScoreTable, rows: Sequence[ScoreRow], scores: Sequence[LabelScores], search: _Search) -> Finding:
    fits, exact = search.pairs, search.exact
    numbers: dict[str, Any] = {"rows": list(names(rows)), "fitting": len(fits), "listed_to": search.listed_to}
    numbers["searched_to"] = search.searched_to
    if not fits:
        computed = (
            f"No test of up to {search.searched_to:,} examples gives {_all(rows)} within one unit of the last digit."
        )
        meaning = "The test set is larger, or the rows are not of one."
        return Finding("test-size-and-positives", "note", table.title, names(rows), computed, meaning, numbers)
    first = fits[0]
    numbers |= {"smallest": _plain(first), "pairs": [_plain(pair) for pair in fits[:KEPT]]}
    computed = (
        f"{first.size:,} examples with {first.positives:,} positives are the smallest test that gives {_all(rows)} "
        f"within one unit of the last digit: {_exactly(first, len(scores))}, the worst score {first.tolerance:.2f} "
        "units off."
    )
    if exact:
        numbers["smallest_exact"] = _plain(exact)
        computed += f" The smallest that gives them all correctly rounded has {exact.size:,} with {exact.positives:,}"
        without = next(pairs([LabelScores(row.accuracy, row.precision, row.recall) for row in scores], exact.size, 0.5))
        if without.size < exact.size:
            numbers["smallest_exact_without_f1"] = _plain(without)
            computed += f" (leaving F1 aside, {without.size:,} with {without.positives:,})"
        computed += "."
    else:
        computed += f" None of up to {search.searched_to:,} gives them all correctly rounded."
    few = listed((f"{pair.size:,} / {pair.positives:,} ({pair.tolerance:.2f})" for pair in fits[:SHOWN]), most=SHOWN)
    computed += (
        f" Up to {search.listed_to:,}, {plural(len(fits), 'pair')} fit within one unit, the first of them {few}."
    )
    meaning = f"The test set has at least {first.size:,} examples, as long as every digit is right to one unit."
    return Finding("test-size-and-positives", "note", table.title, names(rows), computed, meaning, numbers)


def _exactly(pair: Pair, rows: int) -> str:
    if rows == 1:
        return "exactly" if pair.exact else "not exactly"
    return f"{pair.exact} of {rows} different ones exactly"


def _all(rows: Sequence[ScoreRow]) -> str:
    return rows[0].name if len(rows) == 1 else "both rows" if len(rows) == 2 else f"all {len(rows):,} rows"


def _plain(pair: Pair) -> dict[str, float]:
    return {
        "size": pair.size,
        "positives": pair.positives,
        "tolerance": round(pair.tolerance, 4),
        "exact_rows": pair.exact,
    }
