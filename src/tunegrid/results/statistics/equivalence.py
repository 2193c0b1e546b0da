"""How much worse than the best a cell may be: its loss with an interval, and equivalence within a margin.

That no test separates two cells does not show them to be alike. Two one-sided tests do (Schuirmann 1987): two cells are
equivalent within a margin if the 90 % interval of their paired difference lies inside it, each test at 5 %.
"""

from dataclasses import dataclass

import numpy as np

from tunegrid.results.statistics.intervals import ALPHA, ResampledScores
from tunegrid.results.statistics.paired_tests import PairedTests


@dataclass(frozen=True)
class Loss:
    """The score of a cell minus that of the best, 0 to 1, with its paired 95 % interval."""

    value: float
    low: float
    high: float


def loss(scores: ResampledScores, row: int, best: int) -> Loss:
    """What a row scores less than the best; 0 with no width for the best itself."""
    if row == best:
        return Loss(0.0, 0.0, 0.0)
    return Loss(float(scores.point[row] - scores.point[best]), *scores.difference_interval(row, best))


@dataclass(frozen=True)
class Equivalence:
    """Equivalence of rows within a margin.

    Attributes:
        half: [rows, rows], half the width of the 90 % interval of a difference; infinite where nothing can be told.
    """

    margin: float
    half: np.ndarray

    def with_best(self, points: np.ndarray) -> np.ndarray:
        """Which rows are equivalent to the best, itself among them, [..., rows], from scores [..., rows]."""
        best = points.argmax(axis=-1)
        difference = points - points.max(axis=-1, keepdims=True)
        inside = np.abs(difference) + self.half[best] < self.margin
        return inside | (np.arange(points.shape[-1]) == best[..., None])


def equivalence(scores: ResampledScores, tests: PairedTests, margin: float) -> Equivalence:
    """Two one-sided tests of all pairs of rows, each at 5 %, by the spread that the paired tests use."""
    from scipy.special import ndtri

    rows, count = len(scores.point), tests.spread.shape[1]
    half = np.full((rows, rows), np.inf)
    if scores.degrees > 0:
        normal = np.random.default_rng(0).permutation(ndtri((np.arange(count) + 0.5) / count))
        half[tests.first, tests.second] = np.quantile(tests.spread * normal, 1 - ALPHA, axis=1)
        half[tests.second, tests.first] = half[tests.first, tests.second]
    return Equivalence(margin, half)
