"""Rows and values that stand in a table twice: copies, unless their few digits make them equal by chance."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from tunegrid.common.words import listed, plural
from tunegrid.results.audit import grim
from tunegrid.results.audit.findings import Checked, Finding
from tunegrid.results.audit.printed import Printed
from tunegrid.results.audit.table import WHOLE, ScoreRow, ScoreTable, names, word

RATIOS = {"precision", "recall"}
EASILY_EQUAL = 0.05  # probability from which on equal values are taken for an accident


def identical_rows(table: ScoreTable) -> Checked:
    """Rows with the same predictions; where these are not known, rows that print the same in two scores or more.

    Rows that can well be equal by chance, because they print few digits, are no finding.
    """
    groups: dict[tuple[tuple[str, Printed], ...], list[ScoreRow]] = {}
    for row in table.rows:
        groups.setdefault(tuple(sorted(row.values.items(), key=lambda item: item[0])), []).append(row)
    findings = []
    for values, rows in groups.items():
        if len(rows) == 1:
            continue
        numbers: dict[str, Any] = {metric: value.text for metric, value in values}
        same: dict[Any, list[ScoreRow]] = {}
        for row in rows:  # predictions are read only where scores do not tell the rows apart
            same.setdefault(row.predictions() if row.predictions else None, []).append(row)
        for predictions, copies in same.items():
            if len(copies) == 1 or (predictions is None and (len(values) < 2 or _are_equal_by_chance(table, copies))):
                continue
            if predictions is None:
                scores = listed(f"{word(metric)} {value}" for metric, value in values)
                which = f"{listed(names(copies))} print the same {plural(len(values), 'score')} to the last digit"
                computed = f"{which}: {scores}."
                meaning = (
                    "Unless the models answer alike, all but one of these rows are copies, and it is not known which."
                )
            else:
                computed = f"The predictions are the same in {listed(names(copies))}."
                meaning = "Models that always give the same answer do that; otherwise one result is a copy of another."
            findings.append(
                Finding("identical-rows", "warning", table.title, names(copies), computed, meaning, numbers)
            )
    return len(table.rows), findings


def repeated_values(table: ScoreTable) -> list[Finding]:
    """Values that rows share although they differ in another score, or have no other one.

    Precision and recall are left out: they are shares of unknown numbers, which may be small.
    """
    findings = []
    for metric in {metric: None for row in table.rows for metric in row.values if metric not in RATIOS}:
        by_value: dict[Printed, list[ScoreRow]] = {}
        for row in table.with_scores(metric):
            if not RATIOS & row.values.keys():
                by_value.setdefault(row.values[metric], []).append(row)
        times = [len(rows) for rows in by_value.values()]
        for value, rows in by_value.items():
            whole = len(rows[0].values) > 1 and all(row.values == rows[0].values for row in rows)
            if len(rows) == 1 or whole or value.value in (0, 1):
                continue
            if (chance := _chance(table, metric, times, len(rows))) >= EASILY_EQUAL:
                continue
            computed = (
                f"{word(metric)} is {value} in {listed(names(rows))}; that values of this table are so often equal has "
                f"a probability of about {chance:.1g}."
            )
            meaning = "One of these values may be copied from the other row."
            numbers = {"metric": metric, "value": value.text, "chance": chance}
            findings.append(Finding("repeated-values", "warning", table.title, names(rows), computed, meaning, numbers))
    return findings


def _are_equal_by_chance(table: ScoreTable, rows: Sequence[ScoreRow]) -> bool:
    # F1 follows from precision and recall.
    metrics = [name for name in rows[0].values if name != "f1" or not rows[0].values.keys() >= RATIOS]
    return math.comb(len(table.rows), 2) / math.prod(_places(table, metric) for metric in metrics) >= EASILY_EQUAL


def _chance(table: ScoreTable, metric: str, times: Sequence[int], most: int) -> float:
    """Rough probability that values are equal as often as they are in a table, if they lie anywhere in a range.

    The numbers of groups of two, three and more equal values follow Poisson distributions.

    Args:
        times: how often each value occurs.
        most: size of the largest group to consider.
    """
    count, distinct = sum(times), len(times)
    if distinct == 1:
        return 1.0
    places = _places(table, metric)
    if places > count:  # the range of a few values is less than that which they are drawn from
        places *= (distinct + 1) / (distinct - 1)
    return min(
        _at_least(sum(number >= size for number in times), math.comb(count, size) / places ** (size - 1))
        for size in range(2, most + 1)
    )


def _at_least(count: int, mean: float) -> float:
    """Probability of `count` or more events of a Poisson distribution."""
    return 1 - math.exp(-mean) * sum(mean**number / math.factorial(number) for number in range(count))


def _places(table: ScoreTable, metric: str) -> float:
    """Number of values that can be printed between the lowest and the highest of a column, at least 1.

    They are as far apart as the printed digits, or the number of test examples, let them be.
    """
    rows = table.with_scores(metric)
    values = [row.values[metric] for row in rows]
    steps = [statistics.median(float(value.unit) for value in values)]
    if metric in WHOLE:
        claimed = [size for row in rows if (size := row.examples or table.test_size)]
        steps += [1 / size for size in claimed or [grim.smallest_size(values, max(value.scale for value in values))]]
    spread = float(max(value.value for value in values) - min(value.value for value in values))
    return max(1.0, spread / max(steps))
