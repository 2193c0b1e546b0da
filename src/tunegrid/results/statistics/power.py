"""How small a difference a study can find, and how many rows or seeds would separate two cells.

The *smallest detectable difference* is the true difference of two cells that the paired test of `paired_tests` finds
with a power of 80 %. It is made of the test's own spread: of the test rows, on which both cells are scored, and of the
seeds (Bloom 1995: t quantile of the level plus t quantile of the power, times the standard error; here the two
quantiles are those of the mixture that the test averages over).

What more data would do follows from the two parts. The rows' part of the variance shrinks with the number of rows; the
part of it that is the runs' own, and the seeds' variance, shrink with the number of seeds. So more rows cannot help
where the seeds' noise alone is too large, nor more seeds where that of the rows is.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np

from tunegrid.common.citations import BLOOM_1995, CARD_2020, Formula
from tunegrid.results.statistics.intervals import ALPHA, ResampledScores
from tunegrid.results.statistics.paired_tests import PairedTests, difference_variance
from tunegrid.results.statistics.seeds import draw_added, inverse_chi_squared

POWER = 0.8
MOST_ROWS, MOST_SEEDS = 1000.0, 200  # more than this many times the rows, or seeds, is "more than"
NEVER, MORE, SAME, UNKNOWN = "never", "more", "same", "unknown"
_DRAWS = 2_000  # of the spread of a study that has other numbers of rows and seeds
_FEWEST = 1e-4  # times the rows

DETECTABLE = Formula(
    "Smallest detectable difference",
    r"\mathrm{E}\left[ 2\, \Phi\left( - \dfrac{c}{S} \right) \right] = \dfrac{\alpha}{K}, \quad "
    rf"\mathrm{{E}}\left[ \Phi\left( \dfrac{{\delta - c}}{{S}} \right) \right] = {POWER:g}, \quad "
    r"v_{k'} = v - (e_1 + e_2) \left( \dfrac{1}{k} - \dfrac{1}{k'} \right)",
    "c is the difference whose p is alpha over K; delta, the smallest detectable difference, is the one that lies "
    f"above c in {100 * POWER:.0f} percent of studies; v of k prime seeds is v less e one plus e two times one over k "
    "less one over k prime",
    "The true difference of two cells that the paired test would find with that probability, at the first step of "
    "Holm's correction over the K pairs of a task (K = 1: as if no other pair were tested). In a study of n′ rows and "
    "k′ seeds the test's S² is made of v times n/n′, less the part e that further seeds take off, and of σ²/k′; the "
    "rest as for paired tests and seeds.",
    (BLOOM_1995, CARD_2020),
)


@dataclass(frozen=True)
class Needed:
    """How much data would separate two cells, if their true difference were the observed one.

    Attributes:
        count: number of rows or of seeds; None where there is none, or none that is known.
        limit: "": `count` is enough; "never": none is, for the noise of the other kind alone is too large; "more":
            more than a thousand times the rows, or than 200 seeds; "same": the two cells score the same; "unknown":
            there is one seed.
    """

    count: int | None
    limit: str = ""


def critical_differences(spread: np.ndarray, alpha: float) -> np.ndarray:
    """The observed difference from which on a test with this spread has p <= `alpha`: [pairs, draws] -> [pairs]."""
    from scipy.special import ndtr, ndtri

    return _bisect(
        lambda c: 2 * ndtr(-c[:, None] / spread).mean(axis=1) <= alpha,
        np.zeros(len(spread)),
        -ndtri(alpha / 2) * spread.max(axis=1),
    )


def detectable_differences(spread: np.ndarray, alpha: float) -> np.ndarray:
    """The true difference that a test with this spread finds with a power of 80 %: [pairs, draws] -> [pairs].

    Infinite where no spread is known. `spread`: draws of the standard deviation of an observed difference.
    """
    from scipy.special import ndtr, ndtri

    critical = critical_differences(spread, alpha)
    return _bisect(
        lambda d: ndtr((d - critical)[:, None] / spread).mean(axis=1) >= POWER,
        critical,
        critical + ndtri(POWER) * spread.max(axis=1),
    )


def smallest_differences(tests: PairedTests, family: int) -> np.ndarray:
    """Smallest detectable difference of each pair, [pairs], where `family` pairs are tested (1: this pair alone)."""
    thinned = tests.spread[:, :: max(1, tests.spread.size // 1_000_000)]
    return detectable_differences(thinned, ALPHA / family)


def rows_needed(scores: ResampledScores, first: int, second: int, alpha: float) -> Needed:
    """How many test rows would separate two rows of `scores` at level `alpha`, with the seeds that they have.

    Of grouped rows: in as many more groups of the same sizes.
    """

    def found(factor: float) -> bool:
        return _power(scores, first, second, alpha, factor, None) >= POWER

    if limit := _limit(scores, first, second, found, MOST_ROWS):
        return Needed(None, limit)
    low, high = np.log(_FEWEST), np.log(MOST_ROWS)
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if found(np.exp(middle)) else (middle, high)
    return Needed(ceil(scores.examples * np.exp(high) - 1e-6))


def seeds_needed(scores: ResampledScores, first: int, second: int, alpha: float) -> Needed:
    """How many seeds of each cell would separate two rows of `scores` at level `alpha`, on the rows that there are."""

    def found(seeds: float) -> bool:
        return _power(scores, first, second, alpha, 1.0, seeds) >= POWER

    if limit := _limit(scores, first, second, found, MOST_SEEDS) if scores.seeds.known else UNKNOWN:
        return Needed(None, limit)
    return Needed(bisect_left(range(MOST_SEEDS), True, lo=2, key=found))


def _limit(scores: ResampledScores, first: int, second: int, found: Callable[[float], bool], most: float) -> str:
    """Why there is no number up to `most` that separates two rows, as `Needed.limit`; "" where there is one."""
    if abs(scores.point[first] - scores.point[second]) < 1e-12:
        return SAME
    if not found(1e9):
        return NEVER
    return "" if found(most) else MORE


def assumed_difference(
    rows: float, seeds: int, cells: int, seed_sd: float, disagreement: float, family: int = 1
) -> float:
    """Smallest detectable difference before anything has run, from assumed variances, by quantiles of Student's t.

    Args:
        rows: number of test rows.
        seeds: of each cell; 1: of these trained models, whose seeds are not counted.
        cells: of the task; the more, the more is known of the seeds' variance.
        seed_sd: standard deviation of scores between seeds, 0 to 1.
        disagreement: share of the rows that one of two cells gets right and the other wrong: the variance of a row's
            difference.
        family: number of pairs that are tested.
    """
    from scipy.stats import t

    of_rows, of_seeds = disagreement / rows, 2 * seed_sd**2 / seeds if seeds > 1 else 0.0
    # Half of what all cells together would give, as moderated variances of cells that are alike have it.
    known = max(cells * (seeds - 1) / 2, seeds - 1, 1)
    total = of_rows + of_seeds
    if total == 0:
        return 0.0
    degrees = total**2 / (of_rows**2 / max(rows - 1, 1) + of_seeds**2 / known)
    return float((t.isf(ALPHA / family / 2, degrees) + t.isf(1 - POWER, degrees)) * total**0.5)


def _power(scores: ResampledScores, first: int, second: int, alpha: float, factor: float, seeds: float | None) -> float:
    """Power of the test of two rows, whose true difference is the observed one; the rest as for `_spread`."""
    from scipy.special import ndtr

    spread = _spread(scores, first, second, factor, seeds)
    critical = critical_differences(spread[None], alpha)[0]
    return float(ndtr((abs(scores.point[first] - scores.point[second]) - critical) / spread).mean())


def _spread(scores: ResampledScores, first: int, second: int, factor: float, seeds: float | None) -> np.ndarray:
    """Draws of the standard deviation of a difference in a study with `factor` times the rows and so many seeds."""
    generator = np.random.default_rng(0)
    variance = float(difference_variance(scores, np.array([first]), np.array([second]))[0])
    least, added, known = variance / 100, 0.0, scores.seeds
    for row in (first, second):
        count = int(known.counts[row])
        other = count if seeds is None else seeds
        explained = float(known.explained[row])
        variance -= explained * (1 / count - 1 / other)
        if known.known:
            # With what the examples explain of it, which shrinks with their number.
            of_seeds, less = float(known.variance[row]), explained / factor
            of_seeds = of_seeds - explained + less if of_seeds >= explained else of_seeds / factor
            degrees = min(known.degrees[row] + other - count, 1e6)
            added = added + draw_added(of_seeds, degrees, less, other, _DRAWS, generator)
    degrees = min((scores.degrees + 1) * factor - 1, 1e6)
    if degrees <= 0:
        return np.full(_DRAWS, np.inf)
    rows = max(variance, least) / factor * inverse_chi_squared(degrees, _DRAWS, generator)
    return np.sqrt(rows + added)


def _bisect(true_from: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The smallest values, [n], between `low` and `high` from which on a condition holds, for each by itself."""
    for _ in range(40):
        middle = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore"):  # of a pair without any spread, 0 / 0 holds nowhere
            holds = true_from(middle)
        low, high = np.where(holds, low, middle), np.where(holds, middle, high)
    return high
