"""Can precision, recall, F1 and accuracy of one classifier belong together, and on which test set?

With a share of positives s, true positives are s R, false positives s R (1 - P) / P and false negatives s (1 - R), all
as shares of the test set. The last two are what accuracy A lacks to 1:

    1 - A = s (1 - R) + s R (1 - P) / P      so      s = (1 - A) / (1 - 2 R + R / P)

Precision, recall and F1 are of one class, the positive one; averages over classes do not obey these equations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from tunegrid.results.audit.printed import EXACT, Printed
from tunegrid.results.audit.search_time import Check, unlimited

Interval = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class LabelScores:
    """The printed scores of a classifier in one row; None: the row has no such score."""

    accuracy: Printed | None
    precision: Printed | None
    recall: Printed | None
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
    no true positive), or because one of the three is missing. An interval that ends below its start: no share is
    possible.
    """
    if not (scores.precision and scores.recall and scores.accuracy):
        return None
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


def groups(intervals: Sequence[Interval], check: Check = unlimited) -> list[list[int]]:
    """Groups of row numbers whose intervals intersect: the largest group, then the largest of the remaining rows."""
    remaining, result = list(range(len(intervals))), []
    while remaining:
        check()
        # Some interval's start lies in all intervals of the largest group.
        starts = [intervals[row][0] for row in remaining]
        candidates = [[row for row in remaining if intervals[row][0] <= start <= intervals[row][1]] for start in starts]
        largest = max(candidates, key=len) or remaining[:1]  # an interval that ends before its start contains nothing
        result.append(largest)
        remaining = [row for row in remaining if row not in largest]
    return result


def shares(rows: Sequence[LabelScores], halves: int = EXACT) -> Interval | None:
    """Shares of positives that all rows allow; None: there is no such share, or no row depends on it."""
    known = [interval for scores in rows if (interval := share_interval(scores, halves)) is not None]
    return common(known) if known else None
