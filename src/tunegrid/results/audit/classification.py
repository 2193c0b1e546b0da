"""Can precision, recall, F1 and accuracy of one classifier belong together, and on which test set?

With a share of positives s, true positives are s R, false positives s R (1 - P) / P and false negatives s (1 - R), all
as shares of the test set. The last two are what accuracy A lacks to 1:

    1 - A = s (1 - R) + s R (1 - P) / P      so      s = (1 - A) / (1 - 2 R + R / P)

Precision, recall and F1 are of one class, the positive one; averages over classes do not obey these equations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from tunegrid.results.audit.printed import EXACT, Printed

Interval = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class LabelScores:
    """The printed scores of a classifier in one row; `f1` may be missing."""

    accuracy: Printed
    precision: Printed
    recall: Printed
    f1: Printed | None = None


def f1_interval(precision: Printed, recall: Printed) -> Interval:
    """The lowest and highest F1 = 2 P R / (P + R) of all precisions and recalls that are printed like these."""
    ends = zip(precision.interval(), recall.interval(), strict=True)
    low, high = (_harmonic(max(p, Fraction(0)), max(r, Fraction(0))) for p, r in ends)
    return low, high


def _harmonic(first: Fraction, second: Fraction) -> Fraction:
    return 2 * first * second / (first + second) if first + second else Fraction(0)


def overlap(first: Interval, second: Interval) -> bool:
    """Whether two intervals have a point in common."""
    return first[0] <= second[1] and second[0] <= first[1]


def share_interval(scores: LabelScores, halves: int = EXACT) -> Interval | None:
    """The shares of positives that the printed precision, recall and accuracy allow, within `halves` half units.

    None: every share is possible, because the scores do not depend on it (no false positive and no false negative, or
    no true positive). An interval that ends below its start: no share is possible.
    """
    boxes = [_within_one(value.interval(halves)) for value in (scores.precision, scores.recall, scores.accuracy)]
    shares = []
    for precision, recall, accuracy in product(*boxes):
        if not precision or not recall:
            return None  # without a true positive, nothing ties false positives to recall
        errors = 1 - 2 * recall + recall / precision  # per positive; falls in precision, linear in recall
        if errors <= 0:
            return None
        shares.append((1 - accuracy) / errors)
    # Monotone in each of the three, so the ends are at corners. There are not more false positives than negatives:
    # s R (1 - P) / P <= 1 - s.
    precision, recall = boxes[0][1], boxes[1][0]
    most = 1 / (1 + recall * (1 - precision) / precision)
    return min(shares), min(max(shares), most)


def _within_one(interval: Interval) -> Interval:
    return max(interval[0], Fraction(0)), min(interval[1], Fraction(1))


def common(intervals: Sequence[Interval]) -> Interval | None:
    """The intersection of all intervals; None: it is empty."""
    low, high = max(low for low, _ in intervals), min(high for _, high in intervals)
    return (low, high) if low <= high else None


def groups(intervals: Sequence[Interval]) -> list[list[int]]:
    """Groups of row numbers whose intervals intersect: the largest group, then the largest of the remaining rows."""
    remaining, result = list(range(len(intervals))), []
    while remaining:
        # Some interval's start lies in all intervals of the largest group.
        starts = [intervals[row][0] for row in remaining]
        candidates = [[row for row in remaining if intervals[row][0] <= start <= intervals[row][1]] for start in starts]
        largest = max(candidates, key=len) or remaining[:1]  # an interval that ends before its start contains nothing
        result.append(largest)
        remaining = [row for row in remaining if row not in largest]
    return result


@dataclass(frozen=True)
class Pair:
    """A test size and its positives.

    Attributes:
        tolerance: how far the printed scores lie from the nearest possible ones, in units of the last digit, in the
            worst row: up to 0.5 every row is rounded correctly.
        exact: rows whose four scores are correctly rounded.
    """

    size: int
    positives: int
    tolerance: float
    exact: int


def tolerance(scores: LabelScores, size: int, positives: int, most: float = math.inf) -> float:
    """Distance of a row's worst printed score from the nearest counts, in units of the last digit.

    Distances above `most` are returned as infinite, which saves work.
    """
    best = math.inf
    reach = 1 if most is math.inf else most
    for true in _whole(scores.recall, positives, reach):
        of_recall = _apart(scores.recall, true, positives)
        if of_recall > most:
            continue
        # accuracy: size - (positives - true) - false
        right = _whole(scores.accuracy, size, reach)
        for false in range(max(0, size - positives + true - right[-1]), size - positives + true - right[0] + 1):
            if false > size - positives:
                continue
            worst = max(
                of_recall,
                _apart(scores.precision, true, true + false),
                _apart(scores.accuracy, size - positives + true - false, size),
                _apart(scores.f1, 2 * true, positives + true + false) if scores.f1 else 0.0,
            )
            best = min(best, worst)
    return best if best <= most else math.inf


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


def shares(rows: Sequence[LabelScores], halves: int = EXACT) -> Interval | None:
    """Shares of positives that all rows allow; None: there is no such share, or no row depends on it."""
    known = [interval for scores in rows if (interval := share_interval(scores, halves)) is not None]
    return common(known) if known else None


def fitting(rows: Sequence[LabelScores], size: int, between: Interval, most: float = 1.0) -> Iterator[Pair]:
    """Numbers of positives among `size` test examples that give every row within `most` units of the last digit.

    `between`: the shares of positives to try, as `shares` returns them for the same `most`.
    """
    for positives in range(math.ceil(between[0] * size), math.floor(between[1] * size) + 1):
        worst, exact = 0.0, 0
        for scores in rows:
            needed = tolerance(scores, size, positives, most)
            if needed > most:
                break
            worst, exact = max(worst, needed), exact + (needed <= 0.5)
        else:
            yield Pair(size, positives, worst, exact)


def pairs(rows: Sequence[LabelScores], bound: int, most: float = 1.0) -> Iterator[Pair]:
    """All test sizes up to `bound`, with their positives, that give every row within `most` units of the last digit.

    No pair is returned where no row depends on the share of positives.
    """
    between = shares(rows, math.ceil(2 * most))
    for size in range(1, bound + 1 if between else 1):
        yield from fitting(rows, size, between, most)
