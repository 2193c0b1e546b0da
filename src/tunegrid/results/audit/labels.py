"""Checks of a classifier with two labels: do its scores belong together, and which test sets allow them?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunegrid.common.words import listed, plural
from tunegrid.results.audit import grim
from tunegrid.results.audit.claims import ANY_SHARE, check_claims, claims_positives, is_counted, label_scores, no_answer
from tunegrid.results.audit.classification import (
    Interval,
    LabelScores,
    f1_interval,
    groups,
    overlap,
    share_interval,
    shares,
)
from tunegrid.results.audit.findings import Finding, Severity
from tunegrid.results.audit.printed import EXACT, ONE_UNIT
from tunegrid.results.audit.search import Pair, pairs
from tunegrid.results.audit.search_time import Check, OutOfTime, SearchTime
from tunegrid.results.audit.table import ScoreRow, ScoreTable, names

MANY_PAIRS = 20_000
SHOWN = 8  # most pairs listed in a sentence
KEPT = 50  # most pairs kept in the numbers of a finding


@dataclass(frozen=True)
class Group:
    """Rows of one table that can be of one test set, and the test sizes and positives that fit them all."""

    table: str
    rows: tuple[str, ...]
    pairs: tuple[Pair, ...]


def check(table: ScoreTable, largest: int, time: SearchTime) -> tuple[list[Finding], list[Group]]:
    """(findings; groups of rows that can be of one test set, with the test sizes up to `largest` that fit them)"""
    rows = [row for row in table.rows if all(0 <= value.value <= 1 for value in row.values.values())]
    both = [row for row in rows if {"precision", "recall"} <= row.values.keys()]
    findings = _harmonic(table, [row for row in both if "f1" in row.values])
    whole = [row for row in both if "accuracy" in row.values]
    impossible = [row for row in whole if _empty(share_interval(label_scores(row), ONE_UNIT))]
    if impossible:
        computed = (
            f"No share of positives gives the accuracy with the precision and recall of {listed(names(impossible))}."
        )
        meaning = "The scores of these rows cannot be of one set of predictions with two labels."
        findings.append(Finding("accuracy", "error", table.title, names(impossible), computed, meaning))
    whole = [row for row in whole if row not in impossible]
    bearing = [row for row in whole if share_interval(label_scores(row)) is not None]
    same_test = len({row.examples for row in bearing}) == 1
    parts: list[list[ScoreRow]] = []
    try:
        time.search("shares of positives")
        parts = _parts(bearing, EXACT, time.check) if same_test else []
        if parts:
            findings.append(_shares(table, parts, bearing, time.check))
    except OutOfTime:
        findings.append(no_answer("share-of-positives", table, time, "whether the rows can be of one test set"))
    one_classifier = not parts or findings[-1].severity != "warning" or claims_positives(table, bearing)
    if not one_classifier:
        return findings, []
    partial = [row for row in rows if row not in both or "accuracy" not in row.values]
    findings += check_claims(table, [*whole, *(row for row in partial if is_counted(table, row))], time)
    tested = []
    for part in parts if largest else ():
        scores = list(dict.fromkeys(label_scores(row) for row in part))
        try:
            search = _search(scores, largest, time)
            findings.append(_fitting(table, part, scores, search, time.check))
        except OutOfTime:
            what = f"which test sizes and positives give {_all(part)}"
            findings.append(no_answer("test-size-and-positives", table, time, what))
            continue
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


def _search(scores: Sequence[LabelScores], largest: int, time: SearchTime) -> _Search:
    fits: list[Pair] = []
    listed_to = largest
    time.search(f"test sizes up to {largest:,}, each with every number of positives")
    for pair in pairs(scores, largest, check=time.check):
        if len(fits) >= MANY_PAIRS and pair.size > fits[-1].size:  # the larger the test, the more pairs fit
            listed_to = fits[-1].size
            break
        fits.append(pair)
    exact = next((pair for pair in fits if pair.tolerance <= 0.5), None)
    if not exact and listed_to < largest:
        exact = next(pairs(scores, largest, 0.5, time.check), None)
    return _Search(tuple(fits), listed_to, exact, largest)


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


def _parts(rows: Sequence[ScoreRow], halves: int, check: Check) -> list[list[ScoreRow]]:
    intervals = [interval for row in rows if (interval := share_interval(label_scores(row), halves)) is not None]
    return [[rows[number] for number in numbers] for numbers in groups(intervals, check)]


def _shares(table: ScoreTable, parts: Sequence[Sequence[ScoreRow]], rows: Sequence[ScoreRow], check: Check) -> Finding:
    texts, numbers = [], []
    for part in parts:
        low, high = shares([label_scores(row) for row in part]) or ANY_SHARE
        which = plural(len(part), "row") if part is parts[0] else listed(names(part))
        texts.append(f"{float(low + high) / 2:.4f} ({float(low):.5f} to {float(high):.5f}) in {which}")
        numbers.append({"rows": list(names(part)), "low": float(low), "high": float(high)})
    computed = f"Precision, recall and accuracy imply a share of positives of {'; of '.join(texts)}."
    if len(parts) == 1:
        meaning = "All rows can be of one test set."
        return Finding("share-of-positives", "note", table.title, (), computed, meaning, {"groups": numbers})
    others = names(row for row in rows if row not in parts[0])
    severity: Severity = "error"
    meaning = "The rows were not all scored on one test set, or numbers of these are wrong."
    if not _agree_clearly(parts[0], rows) and not claims_positives(table, rows):
        severity, others = "warning", ()
        meaning = (
            "Accuracy is not of the same decisions as precision and recall (that of tokens beside those of entities, "
            "or averages over classes), or the rows were not all scored on one test set."
        )
    elif len(_parts(rows, ONE_UNIT, check)) == 1:
        severity = "warning"
        meaning = "Unless digits were cut off, not rounded, the rows were not all scored on one test set."
    return Finding("share-of-positives", severity, table.title, others, computed, meaning, {"groups": numbers})


def _agree_clearly(part: Sequence[ScoreRow], rows: Sequence[ScoreRow]) -> bool:
    """Whether most rows imply one share of positives, and hardly would if accuracy counted something else.

    Shares that have nothing to do with each other would lie anywhere between the lowest and the highest.
    """
    intervals = {row.name: share_interval(label_scores(row)) for row in rows}
    known = [interval for interval in intervals.values() if interval]
    spread = max(high for _, high in known) - min(low for low, _ in known)
    widths = sorted(high - low for row in part if (interval := intervals[row.name]) for low, high in [interval])
    chance = math.prod(min(1.0, 2 * float(width / spread)) for width in widths[1:]) if spread else 1.0
    return 2 * len(part) > len(rows) and chance < grim.NO_ACCIDENT


def _fitting(
    table: ScoreTable, rows: Sequence[ScoreRow], scores: Sequence[LabelScores], search: _Search, check: Check
) -> Finding:
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
        bare = [LabelScores(row.accuracy, row.precision, row.recall) for row in scores]
        without = next(pairs(bare, exact.size, 0.5, check))
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
