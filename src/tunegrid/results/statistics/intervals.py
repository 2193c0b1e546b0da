"""How sure a score is: intervals from a paired bootstrap over test examples. ALPHA sets their level.

All results of a task are scored on the same resamples of its test set, so that differences are paired. A resample draws
*units* with replacement: examples, or groups of examples that share a text (Koehn 2004; for grouped data the cluster
bootstrap). What a resample needs of a result is a few sums: each example contributes its *sufficient statistics*, and a
score is a function of their sums. BLEU is thereby recomputed at the level of the corpus in every resample.

The bootstrap gives the variance that the choice of the examples adds. With few units it is a poor estimate, so it is
taken with the degrees of freedom of that number of units (less where groups differ in size). Several seeds of a cell
are averaged, and what other seeds might have added comes on top (`seeds`); with one seed per cell nothing is known
about that, and intervals and tests cover the choice of the examples only.

An interval is that of a beta distribution with the score's mean and variance, as Jeffreys' interval is for a share: it
stays within 0 and 1, and is no point where all examples are right or all are wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tunegrid.common.citations import BROWN_2001, CARTER_2017, KOEHN_2004, NEWCOMBE_1998, Formula
from tunegrid.results.statistics import seeds
from tunegrid.results.statistics.seeds import SeedVariance

ALPHA = 0.05  # intervals cover 1 - ALPHA; paired tests reject at ALPHA
LEVEL, CONFIDENCE = f"{100 * ALPHA:g}%", f"{100 * (1 - ALPHA):g}%"  # of tests and of intervals, in words: 5%, 95%
RESAMPLES = 10_000
_LOW, _HIGH = f"{50 * ALPHA:g}", f"{100 - 50 * ALPHA:g}"  # percentiles at which an interval ends
_CHUNK = 4_000_000  # drawn units held in memory at a time: 32 MB
_LEAST_PRECISION = 0.1  # of a beta distribution: next to nothing is known then

INTERVAL = Formula(
    "Intervals",
    rf"[\, m_{{({_LOW}\%)}},\; m_{{({_HIGH}\%)}} \,], \quad "
    r"m \sim \mathrm{Beta}(\varphi\, \tilde{m},\; \varphi\, (1 - \tilde{m})), \quad "
    r"\tilde{m} = \dfrac{n\, m + h}{n + 2 h}, \quad "
    r"\dfrac{\tilde{m}\, (1 - \tilde{m})}{\varphi + 1} = \tilde{v}\, \dfrac{\nu}{\chi^2_{\nu}} + \dfrac{\sigma^2}{k}",
    f"the interval is from the {_LOW}th to the {_HIGH}th percentile of a beta distribution whose mean is m tilde, n m "
    "plus h over n plus two h, and whose variance is v tilde, times nu over chi squared, plus sigma squared over k",
    "m is the score, n the number of test examples. v is the variance of the score over bootstrap resamples, which "
    "draw as many examples (of question answering: as many articles) as there are, with replacement, the same for "
    "every row of a task; ν, its degrees of freedom, is that number less one (and less where articles differ in size). "
    "The tilde adds h examples that are right and h that are wrong: h is 1/2 for right and wrong answers, which gives "
    "Jeffreys' interval for a share, and less where scores of examples lie between.",
    (KOEHN_2004, BROWN_2001, CARTER_2017),
)
DIFFERENCE = Formula(
    "Differences",
    r"\Delta - \sqrt{l_1^2 - 2\, r\, l_1 u_2 + u_2^2} \;\leq\; \Delta \;\leq\; "
    r"\Delta + \sqrt{u_1^2 - 2\, r\, u_1 l_2 + l_2^2}",
    "the interval of a difference reaches down by the root of l one squared minus two r l one u two plus u two "
    "squared, and up by the root of u one squared minus two r u one l two plus l two squared",
    "Δ is the difference of two scores, l and u how far their intervals reach down and up, r the correlation of the "
    "two over the resamples.",
    (NEWCOMBE_1998,),
)


# The bootstrap ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExampleStatistics:
    """What the test examples contribute to the score of one row of a table (a cell, an untuned model, a baseline)."""

    values: np.ndarray  # [seeds, examples, statistics]
    score: Callable[[np.ndarray], np.ndarray]  # summed statistics -> score
    seeded: bool = True  # False: the row has no seeds to choose (an untuned model, a baseline)
    collapsed: bool = False  # a seed of it collapsed: the spread of its seeds says nothing of other rows'
    form_of: int | None = None  # number of the row whose runs these are, in another form: their seeds are the same

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
    """Scores of all rows of a task in one metric, on the test set and on the resamples that they share.

    Attributes:
        point: [rows].
        resampled: [rows, resamples], each shifted by a draw of what other seeds would have added; not bounded.
        covariance: [rows, rows] of the scores over the choice of the test examples.
        examples: number of test examples.
        degrees: degrees of freedom of the covariance: the effective number of units that are drawn, less one.
        spread: [resamples] draws of what the covariance may be, relative to what it is.
        seeds: variance that the choice of the seeds may add to each row's mean; 0 for a row that has none to choose.
    """

    point: np.ndarray
    resampled: np.ndarray
    covariance: np.ndarray
    examples: int
    degrees: float
    spread: np.ndarray
    seeds: SeedVariance

    def rows(self, chosen: Sequence[int]) -> "ResampledScores":
        """The same for some of the rows."""
        covariance = self.covariance[np.ix_(chosen, chosen)]
        point, resampled, seeds = self.point[chosen], self.resampled[chosen], self.seeds.rows(chosen)
        return ResampledScores(point, resampled, covariance, self.examples, self.degrees, self.spread, seeds)

    def interval(self, row: int, level: float = 1 - ALPHA) -> tuple[float, float]:
        """Interval of a row's score, within 0 and 1; (nan, nan) if all examples are one unit.

        It is the wider of two: by the variance between seeds that the row's seeds show alone, and by that moderated by
        the other rows. So it covers a cell whose seeds vary far more than those of the others, too.
        """
        if self.degrees <= 0:
            return np.nan, np.nan
        point, count = float(np.clip(self.point[row], 0, 1)), self.examples  # 1 + rounding is 1
        spread, widest = count * self.covariance[row, row], point * (1 - point)
        half = 0.5 * min(spread / widest, 1.0) if widest > 0 else 0.5
        mean = (count * point + half) / (count + 2 * half)
        second_moment = (count * (spread + point**2) + half) / (count + 2 * half)
        variance = np.maximum((second_moment - mean**2) / (count + 1 + 2 * half) * self.spread, 1e-15)
        ends = {point}
        for number, added in enumerate((self.seeds.moderated[row], self.seeds.own[row])):
            precision = np.maximum(mean * (1 - mean) / (variance + added) - 1, _LEAST_PRECISION)
            drawn = np.random.default_rng([row, number]).beta(precision * mean, precision * (1 - mean))
            ends |= {*np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])}
        return float(min(ends)), float(max(ends))

    def difference_interval(self, row: int, baseline: int) -> tuple[float, float]:
        """Interval of score(row) - score(baseline), paired, within -1 and 1; (nan, nan) as for `interval`.

        Between two forms of the same runs it holds the choice of the test examples alone.
        """
        owners = self.seeds.owners
        if row != baseline and owners[row] == owners[baseline]:
            alone = replace(self, seeds=SeedVariance.unknown(self.seeds.counts, self.resampled.shape[1]))
            return alone.difference_interval(row, baseline)
        (low, high), (baseline_low, baseline_high) = self.interval(row), self.interval(baseline)
        down, up = self.point[row] - low, high - self.point[row]
        baseline_down, baseline_up = self.point[baseline] - baseline_low, baseline_high - self.point[baseline]
        total = np.diag(self.covariance) + np.median(self.seeds.moderated, axis=1)
        product = np.sqrt(total[row] * total[baseline])
        correlation = self.covariance[row, baseline] / product if product > 0 else 0.0
        difference = float(self.point[row] - self.point[baseline])
        below = np.sqrt(max(down**2 - 2 * correlation * down * baseline_up + baseline_up**2, 0))
        above = np.sqrt(max(up**2 - 2 * correlation * up * baseline_down + baseline_down**2, 0))
        return float(difference - below), float(difference + above)


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
    by_unit = _by_unit(columns, units)
    sums = resampled_sums(by_unit, resamples, seed)
    scores, start = [], 0  # scores: of each row, [resamples, seeds]
    for row in rows:
        count, _, width = row.values.shape
        scores.append(row.score(sums[:, start : start + count * width].reshape(resamples, count, width)))
        start += count * width
    resampled = np.stack([score.mean(axis=1) for score in scores])
    # A generator of its own: how much is drawn of one thing changes no draw of the other.
    generator = np.random.default_rng([seed, 1])
    drawn, examples = len(by_unit), counts.pop()
    degrees = effective_units(units, examples) - 1
    mean = resampled.mean(axis=1, keepdims=True)
    deviations = (resampled - mean) * np.sqrt(drawn / max(drawn - 1, 1))
    spread = seeds.inverse_chi_squared(degrees, resamples, generator)
    seeded = [i for i, row in enumerate(rows) if row.seeded and row.form_of is None]
    variances = seeds.draw_variances(
        [rows[i].points for i in seeded],
        [scores[i] for i in seeded],
        resamples,
        generator,
        [rows[i].collapsed for i in seeded],
    )
    counts = [len(row.values) for row in rows]
    added = SeedVariance.unknown(counts, resamples) if variances is None else variances.spread_to(seeded, counts)
    added = added.with_forms({i: row.form_of for i, row in enumerate(rows) if row.form_of is not None})
    shifts = generator.standard_normal((len(rows), resamples))[added.owners] * np.sqrt(added.moderated)
    return ResampledScores(
        point=np.array([row.point for row in rows]),
        resampled=mean + deviations * np.sqrt(spread) + shifts,
        covariance=deviations @ deviations.T / resamples,
        examples=examples,
        degrees=degrees,
        spread=spread,
        seeds=added,
    )


def effective_units(units: np.ndarray | None, examples: int) -> float:
    """Effective number of units: of equal groups their number, of unequal ones less (Carter et al. 2017)."""
    if units is None:
        return float(examples)
    sizes = np.unique(units, return_counts=True)[1].astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


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


def wilson_interval(count: int, of: int) -> tuple[float, float]:
    """Interval of the share that so many of some independent trials stand for (Wilson 1927)."""
    from scipy.stats import binomtest

    ends = binomtest(count, of).proportion_ci(1 - ALPHA, "wilson")
    return float(ends.low), float(ends.high)
