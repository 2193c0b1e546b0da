"""The search for test sizes and positives whose counts give the printed scores of a classifier."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tunegrid.results.audit.classification import Interval, LabelScores, shares
from tunegrid.results.audit.printed import Printed
from tunegrid.results.audit.search_time import Check, unlimited


@dataclass(frozen=True)
class Pair:
    """A test size and its positives.

    Attributes:
        tolerance: how far the printed scores lie from the nearest possible ones, in units of the last digit, in the
            worst row: up to 0.5 every row is rounded correctly.
        exact: rows whose scores are all correctly rounded.
    """

    size: int
    positives: int
    tolerance: float
    exact: int


def tolerance(
    scores: LabelScores, size: int, positives: int, most: float = math.inf, check: Check = unlimited
) -> float:
    """Distance of a row's worst printed score from the nearest counts, in units of the last digit.

    Distances above `most` are returned as infinite, which saves work.
    """
    best = math.inf
    for true in _true_positives(scores, size, positives, most):
        check()
        fixed = _apart(scores.recall, true, positives) if scores.recall else 0.0
        if fixed > min(most, best):
            continue
        low, high = _false_positives(scores, size, positives, true, most)
        if low <= high:
            distance = _distance(scores, size, positives, true)
            best = min(best, max(fixed, distance(_lowest(distance, low, high))))
    return best if best <= most else math.inf


def _distance(scores: LabelScores, size: int, positives: int, true: int) -> Callable[[int], float]:
    """Distance of the worst score but recall, by the number of false positives."""

    def distance(false: int) -> float:
        return max(
            _apart(scores.precision, true, true + false) if scores.precision else 0.0,
            _apart(scores.accuracy, size - positives + true - false, size) if scores.accuracy else 0.0,
            _apart(scores.f1, 2 * true, positives + true + false) if scores.f1 else 0.0,
        )

    return distance


def _lowest(distance: Callable[[int], float], low: int, high: int) -> int:
    """Where a function is lowest that falls, then rises: each score's distance does, and so does the largest."""
    return bisect_left(range(high), True, lo=low, hi=high, key=lambda false: distance(false) <= distance(false + 1))


def _true_positives(scores: LabelScores, size: int, positives: int, most: float) -> range:
    """The numbers of true positives that can give the printed recall or, without it, accuracy with F1."""
    if scores.recall:
        return _whole(scores.recall, positives, 1 if most is math.inf else most)
    low, high = 0, positives
    if scores.accuracy and scores.f1 and most is not math.inf:
        right = _whole(scores.accuracy, size, most)
        # F1 = 2 t / (2 t + w) with w wrong answers, so t = w F1 / (2 (1 - F1)), which rises in both.
        units, scale = math.ceil(2 * most), 2 * scores.f1.scale
        least, largest = max(0, 2 * scores.f1.digits - units), 2 * scores.f1.digits + units
        low = (size - right[-1]) * least // (2 * (scale - least)) if least < scale else 0
        if largest < scale:
            high = min(high, -(-(size - right[0]) * largest // (2 * (scale - largest))))
    return range(max(0, low), min(positives, high) + 1)


def _false_positives(scores: LabelScores, size: int, positives: int, true: int, most: float) -> tuple[int, int]:
    """The least and the largest number of false positives that give every score within `most` units."""
    low, high = 0, size - positives
    if most is math.inf:
        return low, high
    if scores.accuracy:
        first, last = _parts(scores.accuracy, size, most)
        low, high = max(low, size - positives + true - last), min(high, size - positives + true - first)
    for score, part, fixed in ((scores.precision, true, true), (scores.f1, 2 * true, positives + true)):
        if score:
            first, last = _wholes(score, part, most)
            low, high = max(low, first - fixed), min(high, last - fixed if last is not None else high)
    return low, high


def _parts(printed: Printed, size: int, most: float) -> tuple[int, int]:
    """The least and the largest count whose share of `size` lies within `most` units of the printed share."""
    halves, scale = math.ceil(2 * most), 2 * printed.scale
    return -(-(2 * printed.digits - halves) * size // scale), (2 * printed.digits + halves) * size // scale


def _wholes(printed: Printed, part: int, most: float) -> tuple[int, int | None]:
    """The least and the largest size of which `part` is within `most` units the printed share; None: any."""
    halves, scale = math.ceil(2 * most), 2 * printed.scale
    least, largest = 2 * printed.digits - halves, 2 * printed.digits + halves
    if not part:
        return (0, None) if least <= 0 else (1, 0)
    return -(-part * scale // largest), part * scale // least if least > 0 else None


def _whole(printed: Printed, size: int, reach: float) -> range:
    """Counts whose share of `size` lies within `reach` units of the printed share, and one more at each end."""
    units = math.ceil(reach)
    low = (printed.digits - units) * size // printed.scale
    high = -(-(printed.digits + units) * size // printed.scale)
    return range(max(0, low), max(0, min(size, high)) + 1)


def _apart(printed: Printed, count: int, size: int) -> float:
    """Distance of count / size from the printed number, in units of the last digit; 0 / 0 is 0.

    It is computed from integers, so that a tie is exactly 0.5.
    """
    return abs(count * printed.scale - printed.digits * size) / size if size else float(abs(printed.digits))


def fitting(
    rows: Sequence[LabelScores], size: int, between: Interval, most: float = 1.0, check: Check = unlimited
) -> Iterator[Pair]:
    """Numbers of positives among `size` test examples that give every row within `most` units of the last digit.

    `between`: the shares of positives to try, as `shares` returns them for the same `most`.
    """
    for positives in range(math.ceil(between[0] * size), math.floor(between[1] * size) + 1):
        worst, exact = 0.0, 0
        for scores in rows:
            needed = tolerance(scores, size, positives, most, check)
            if needed > most:
                break
            worst, exact = max(worst, needed), exact + (needed <= 0.5)
        else:
            yield Pair(size, positives, worst, exact)


def pairs(rows: Sequence[LabelScores], bound: int, most: float = 1.0, check: Check = unlimited) -> Iterator[Pair]:
    """All test sizes up to `bound`, with their positives, that give every row within `most` units of the last digit.

    No pair is returned where no row depends on the share of positives.
    """
    between = shares(rows, math.ceil(2 * most))
    for size in range(1, bound + 1 if between else 1):
        check()
        yield from fitting(rows, size, between, most, check)
