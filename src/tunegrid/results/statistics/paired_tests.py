"""Paired tests of all pairs of rows of a task, and Holm's correction."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from tunegrid.common.citations import CARTER_2017, HOLM_1979, KOEHN_2004, Formula
from tunegrid.results.statistics.intervals import ALPHA, LEVEL, ResampledScores

TESTS = Formula(
    "Paired tests",
    r"p = \mathrm{E}\left[ 2\, \Phi\left( - \dfrac{|\Delta|}{S} \right) \right], \quad "
    r"S^2 = v\, \dfrac{\nu}{\chi^2_{\nu}} + \dfrac{\sigma_1^2}{k_1} + \dfrac{\sigma_2^2}{k_2}, \quad "
    r"p^{\mathrm{Holm}}_{(i)} = \max_{j \leq i} \, \min(1,\, (K - j + 1)\, p_{(j)})",
    "p is the mean of two times the normal distribution function of minus the difference over S, where S squared is v "
    "times nu over chi squared plus sigma one squared over k one plus sigma two squared over k two; Holm's p is "
    "the largest so far of K minus j plus one times the j-th smallest p",
    "Δ is the difference of two cells in the primary metric, v its variance over the bootstrap resamples, in which "
    "both are scored on the same examples; the rest as for intervals. The mean is over the draws of S: a t test whose "
    f"degrees of freedom follow from n and the seeds. All K pairs of a task are tested; two cells are separated if p "
    f"after Holm's correction is at most {LEVEL}.",
    (KOEHN_2004, CARTER_2017, HOLM_1979),
)


@dataclass(frozen=True)
class PairedTests:
    """Tests of all pairs of rows of a task; `first` < `second` are row numbers."""

    first: np.ndarray  # [pairs]
    second: np.ndarray  # [pairs]
    difference: np.ndarray  # [pairs] score(first) - score(second) on the test set
    p_value: np.ndarray  # [pairs]
    adjusted: np.ndarray  # [pairs] p-values after Holm's correction over all pairs
    spread: np.ndarray  # [pairs, resamples] draws of the standard deviation of the difference, if nothing differs

    def separated(self) -> np.ndarray:
        """Whether two rows are separated, [rows, rows], symmetric."""
        return _symmetric(self.adjusted <= ALPHA, self.first, self.second)

    def p_values(self, differences: np.ndarray) -> np.ndarray:
        """p-values of other differences of the same pairs, [pairs, n]."""
        from scipy.special import ndtr

        return 2 * ndtr(-np.abs(differences)[..., None] / self.spread[:, None]).mean(axis=-1)


def compare_pairs(scores: ResampledScores) -> PairedTests:
    """Two-sided tests of all pairs on the same examples: the difference against the spread that the choice of examples
    and of seeds gives it. Holm over all pairs. If all examples are one unit nothing can be told, and every p is 1.
    """
    from scipy.special import ndtr

    pairs = np.array(list(combinations(range(len(scores.point)), 2)), dtype=int).reshape(-1, 2)
    first, second = pairs[:, 0], pairs[:, 1]
    difference = scores.point[first] - scores.point[second]
    variance = difference_variance(scores, first, second)
    added, apart = scores.seeds.moderated, scores.seeds.apart(first, second)[:, None]
    spread = np.sqrt(variance[:, None] * scores.spread + added[first] * apart + added[second] * apart)
    p_value = np.ones(len(pairs))
    if scores.degrees > 0:
        p_value = 2 * ndtr(-np.abs(difference)[:, None] / spread).mean(axis=1)
    return PairedTests(first, second, difference, p_value, holm(p_value), spread)


def difference_variance(scores: ResampledScores, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Variance of the differences of pairs of rows over the choice of the test examples, [pairs].

    If all examples agree their variance is 0. It is at least that with half an example more in favour of each row.
    """
    covariance, count = scores.covariance, scores.examples
    difference = scores.point[first] - scores.point[second]
    variance = covariance[first, first] + covariance[second, second] - 2 * covariance[first, second]
    least = ((count * difference**2 + 1) / (count + 1) - (count * difference / (count + 1)) ** 2) / (count + 2)
    return np.maximum(variance, least)


def separated_in_resamples(scores: ResampledScores, tests: PairedTests) -> np.ndarray:
    """Which rows the same tests tell apart in each resample, [resamples, rows, rows]: the differences in it against the
    spread that they have on the test set.
    """
    p_values = tests.p_values(scores.resampled[tests.first] - scores.resampled[tests.second])
    adjusted = holm(p_values.T if scores.degrees > 0 else np.ones(p_values.T.shape))
    return _symmetric(adjusted <= ALPHA, tests.first, tests.second)


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's step-down adjusted p-values over the last axis (Holm 1979): compare them with the level itself."""
    p_values = np.asarray(p_values, dtype=float)
    count = p_values.shape[-1]
    order = np.argsort(p_values, axis=-1, kind="stable")
    stepped = np.take_along_axis(p_values, order, axis=-1) * np.arange(count, 0, -1)
    adjusted = np.minimum(1.0, np.maximum.accumulate(stepped, axis=-1))
    result = np.empty_like(adjusted)
    np.put_along_axis(result, order, adjusted, axis=-1)
    return result


def _symmetric(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[..., pairs] -> [..., rows, rows]."""
    rows = int(second.max()) + 1 if len(second) else 1
    result = np.zeros((*values.shape[:-1], rows, rows), dtype=bool)
    result[..., first, second] = values
    result[..., second, first] = values
    return result
