"""Paired tests of all pairs of rows of a task, Holm's correction, and the rows that nothing separates from the best."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tunegrid.common.citations import HOLM_1979, KOEHN_2004, Formula
from tunegrid.results.statistics.intervals import ALPHA, LEVEL, RESAMPLES, ResampledScores

TESTS = Formula(
    "Paired tests",
    r"p = \dfrac{1 + \#\{ b : |\Delta^{*b} - \overline{\Delta^{*}}| \geq |\Delta| \}}{1 + B}, \quad "
    r"p^{\mathrm{Holm}}_{(i)} = \max_{j \leq i} \, \min(1,\, (k - j + 1)\, p_{(j)})",
    "p is one plus the number of resamples whose centred difference is at least as large as the observed one, over one "
    "plus the number of resamples; Holm's p is the largest so far of k minus j plus one times the j-th smallest p",
    "Δ is the difference of two cells in the primary metric, B the number of resamples. All k pairs of a task are "
    f"tested; two cells are separated if p after Holm's correction is at most {LEVEL}.",
    (KOEHN_2004, HOLM_1979),
)


def resamples_for(rows: int, alpha: float = ALPHA, least: int = RESAMPLES) -> int:
    """The number of resamples at which Holm's smallest level is ten times the smallest possible p-value."""
    return max(least, int(np.ceil(10 * rows * (rows - 1) / 2 / alpha)))


@dataclass(frozen=True)
class PairedTests:
    """Tests of all pairs of rows of a task; `first` < `second` are row numbers."""

    first: np.ndarray  # [pairs]
    second: np.ndarray  # [pairs]
    difference: np.ndarray  # [pairs] score(first) - score(second) on the test set
    p_value: np.ndarray  # [pairs]
    adjusted: np.ndarray  # [pairs] p-values after Holm's correction over all pairs
    null: np.ndarray  # [pairs, resamples] sorted |difference - its mean| over the resamples

    def separated(self, alpha: float = ALPHA) -> np.ndarray:
        """Whether two rows are separated, [rows, rows], symmetric."""
        return _symmetric(self.adjusted <= alpha, self.first, self.second)


def compare_pairs(scores: ResampledScores) -> PairedTests:
    """Two-sided paired bootstrap tests of all pairs, as in sacreBLEU: p is the share of resamples, the observed one
    added, in which the centred difference is at least as large as the observed difference. Holm over all pairs.
    """
    pairs = np.array(list(combinations(range(len(scores.point)), 2)), dtype=int).reshape(-1, 2)
    first, second = pairs[:, 0], pairs[:, 1]
    resampled = scores.resampled[first] - scores.resampled[second]
    null = np.sort(np.abs(resampled - resampled.mean(axis=1, keepdims=True)), axis=1)
    difference = scores.point[first] - scores.point[second]
    p_value = _p_values(null, np.abs(difference)[:, None])[:, 0]
    return PairedTests(first, second, difference, p_value, holm(p_value), null)


def separated_in_resamples(scores: ResampledScores, tests: PairedTests, alpha: float = ALPHA) -> np.ndarray:
    """Which rows the same tests tell apart in each resample, [resamples, rows, rows].

    The difference in a resample is compared with the null distribution of the test set, so that no bootstrap within
    the bootstrap is needed.
    """
    differences = np.abs(scores.resampled[tests.first] - scores.resampled[tests.second])
    adjusted = holm(_p_values(tests.null, differences).T)
    return _symmetric(adjusted <= alpha, tests.first, tests.second)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjusted p-values over the last axis (Holm 1979): compare them with the level itself."""
    p_values = np.asarray(p_values, dtype=float)
    count = p_values.shape[-1]
    order = np.argsort(p_values, axis=-1, kind="stable")
    stepped = np.take_along_axis(p_values, order, axis=-1) * np.arange(count, 0, -1)
    adjusted = np.minimum(1.0, np.maximum.accumulate(stepped, axis=-1))
    result = np.empty_like(adjusted)
    np.put_along_axis(result, order, adjusted, axis=-1)
    return result


def tied_with_best(point: np.ndarray, separated: np.ndarray) -> np.ndarray:
    """The best row and those that nothing separates from it: [rows] of bool, from [rows] and [rows, rows]."""
    best = int(np.argmax(point))
    tied = ~separated[best]
    tied[best] = True
    return tied


def _p_values(null: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """[pairs, resamples] sorted, [pairs, n] -> [pairs, n]. A tie within rounding counts as at least as large."""
    resamples = null.shape[1]
    p_values = np.empty(observed.shape)
    for pair, values in enumerate(observed):
        smaller = np.searchsorted(null[pair], values - 1e-12, side="left")
        p_values[pair] = (resamples - smaller + 1) / (resamples + 1)
    return p_values


def _symmetric(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[..., pairs] -> [..., rows, rows]."""
    rows = int(second.max()) + 1 if len(second) else 1
    result = np.zeros((*values.shape[:-1], rows, rows), dtype=bool)
    result[..., first, second] = values
    result[..., second, first] = values
    return result
