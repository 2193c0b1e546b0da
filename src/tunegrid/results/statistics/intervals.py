"""How sure a score is: percentile intervals from a paired bootstrap over test examples. ALPHA sets their level.

All results of a task are scored on the same resamples of its test set, so that differences are paired. A resample draws
*units* with replacement: examples, or groups of examples that share a text (Koehn 2004; for grouped data the cluster
bootstrap). What a resample needs of a result is a few sums: each example contributes its *sufficient statistics*, and a
score is a function of their sums. BLEU is thereby recomputed at the level of the corpus in every resample.

Several seeds of a cell are averaged: its score in a resample is the mean over its seeds of their scores in it, shifted
by what other seeds might have added (`seeds`). So intervals and tests cover the choice of the test examples and the
choice of the seeds; with one seed per cell nothing is known about the latter, and they cover the former only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tunegrid.common.citations import KOEHN_2004, Formula
from tunegrid.results.statistics import seeds

ALPHA = 0.05  # intervals cover 1 - ALPHA; paired tests reject at ALPHA
LEVEL, CONFIDENCE = f"{100 * ALPHA:g}%", f"{100 * (1 - ALPHA):g}%"  # of tests and of intervals, in words: 5%, 95%
_LOW, _HIGH = f"{50 * ALPHA:g}", f"{100 - 50 * ALPHA:g}"  # percentiles at which an interval ends
RESAMPLES = 10_000
_CHUNK = 4_000_000  # drawn units held in memory at a time: 32 MB

INTERVAL = Formula(
    "Intervals",
    rf"[\, m^{{*}}_{{({_LOW}\%)}},\; m^{{*}}_{{({_HIGH}\%)}} \,], "
    r"\quad m^{*b} = m\,(\sum_{j=1}^{n} s_{i_{bj}})",
    f"the interval is from the {_LOW}th to the {_HIGH}th percentile of m star, where m star b is the metric of the "
    "sums over the units drawn in resample b",
    "A resample draws as many of the n test examples (of question answering: of their articles) as there are, with "
    "replacement, the same for every row of a task. The metric m is computed again from the sums of what each "
    "example contributes, s.",
    (KOEHN_2004,),
)


# The bootstrap ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExampleStatistics:
    """What the test examples contribute to the score of one row of a table (a cell, an untuned model, a baseline)."""

    values: np.ndarray  # [seeds, examples, statistics]
    score: Callable[[np.ndarray], np.ndarray]  # summed statistics -> score
    seeded: bool = True  # False: the row has no seeds to choose (an untuned model, a baseline)

    @property
    def points(self) -> np.ndarray:
        """Score of each seed on the test set itself, [seeds]."""
        return self.score(self.values.sum(axis=1))

    @property
    def point(self) -> float:
        """Score on the test set itself, mean over seeds."""
        return float(self.points.mean())


@dataclass(frozen=True)
class ResampledScores:
    """Scores of all rows of a task in one metric, on the test set and on the resamples that they share."""

    point: np.ndarray  # [rows]
    resampled: np.ndarray  # [rows, resamples]

    def interval(self, row: int, level: float = 1 - ALPHA) -> tuple[float, float]:
        """Percentile interval of a row's score."""
        return _percentiles(self.resampled[row], level)

    def difference_interval(self, row: int, baseline: int, level: float = 1 - ALPHA) -> tuple[float, float]:
        """Percentile interval of score(row) - score(baseline), paired."""
        return _percentiles(self.resampled[row] - self.resampled[baseline], level)


def resample_scores(
    rows: Sequence[ExampleStatistics],
    units: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ResampledScores:
    """Scores all rows on the same resamples of their test set, each shifted by a draw of what other seeds would add.

    `units` [examples] names the unit that each example is drawn with; None draws single examples. Raises ValueError if
    the rows do not have the same number of examples, or none.
    """
    counts = {row.values.shape[1] for row in rows}
    if len(counts) != 1 or not all(counts):
        raise ValueError(f"rows of one task must share a non-empty test set; examples per row: {sorted(counts)}")
    columns = np.concatenate([block for row in rows for block in row.values.astype(np.float64)], axis=1)
    sums = resampled_sums(_by_unit(columns, units), resamples, seed)
    scores, start = [], 0  # scores: of each row, [resamples, seeds]
    for row in rows:
        count, _, width = row.values.shape
        scores.append(row.score(sums[:, start : start + count * width].reshape(resamples, count, width)))
        start += count * width
    resampled = np.stack([score.mean(axis=1) for score in scores])
    seeded = [i for i, row in enumerate(rows) if row.seeded]
    # A generator of its own: with one seed per cell the resamples are those that they were without this.
    generator = np.random.default_rng([seed, 1])
    shifts = seeds.shifts([rows[i].points for i in seeded], [scores[i] for i in seeded], resamples, generator)
    if shifts is not None:
        resampled[seeded] += shifts
    return ResampledScores(np.array([row.point for row in rows]), resampled)


def resampled_sums(statistics: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Sums over resampled units: [units, columns] -> [resamples, columns]. The seed decides all the draws."""
    units = len(statistics)
    generator = np.random.default_rng(seed)
    result = np.empty((resamples, statistics.shape[1]))
    step = max(1, _CHUNK // units)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = generator.integers(units, size=(size, units)) + np.arange(size)[:, None] * units
        # How often each unit was drawn: a multinomial sample, as [resamples, units].
        weights = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
        result[start : start + size] = weights.astype(np.float64) @ statistics
    return result


def _by_unit(columns: np.ndarray, units: np.ndarray | None) -> np.ndarray:
    if units is None:
        return columns
    _, index = np.unique(units, return_inverse=True)
    summed = np.zeros((index.max() + 1, columns.shape[1]))
    np.add.at(summed, index, columns)
    return summed


def _percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
