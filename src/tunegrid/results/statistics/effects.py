"""Main effects: one method against another over models and tasks, one model against another over methods and tasks.

The effect of two methods is the mean of their paired differences: within a task over the models that have a cell of
both, then over the tasks, each with the same weight. On a complete grid that is the estimate of a fixed-effects model
with method, model and task. Its variance is that of the cells' means: of the test rows, which all cells of a task
share, and of the seeds, moderated as in the tests of pairs. The tasks have rows and runs of their own.

So an effect is about **the tasks, models and methods of the study**. What it would be over other tasks is a question
to a random-effects model, which a handful of tasks cannot answer (`benchmarks/main_effects_coverage.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tunegrid.common.citations import Formula
from tunegrid.results.statistics.intervals import ALPHA, ResampledScores
from tunegrid.results.statistics.power import critical_differences

EFFECT = Formula(
    "Main effects",
    r"\Delta = \dfrac{1}{T} \sum_t \dfrac{1}{B_t} \sum_b (m_{tb1} - m_{tb2}), \quad "
    r"S^2 = \dfrac{1}{T^2} \sum_t \left( w_t^{\top} V_t\, w_t\, \dfrac{\nu_t}{\chi^2_{\nu_t}} + "
    r"\sum_c w_{tc}^2\, \dfrac{\sigma_{tc}^2}{k_{tc}} \right)",
    "the effect is the mean over tasks of the mean over blocks of the differences of the two; its variance is one over "
    "T squared times the sum over tasks of w transposed V w times nu over chi squared plus the sum over cells of w "
    "squared sigma squared over k",
    "The two are methods, and a block b is a model (or models, and a block is a method). V is the covariance of the "
    "cells' scores over the bootstrap resamples of a task, w the weight of each cell in the mean; the rest as for "
    f"paired tests. The interval is Δ ± c, where c is the difference whose p would be {ALPHA:g}.",
)


@dataclass(frozen=True)
class Contrast:
    """A weighted mean of differences of cells, and what is known of its error.

    Attributes:
        difference: of scores, -1 to 1.
        variance: [draws] of what the variance of its error may be; NaN where it is not known.
    """

    difference: float
    variance: np.ndarray

    @property
    def p_value(self) -> float:
        """Two-sided, as of paired tests; NaN where the variance is not known."""
        from scipy.special import ndtr

        spread = np.sqrt(np.maximum(self.variance, 1e-18))
        return float(2 * ndtr(-abs(self.difference) / spread).mean())

    def interval(self) -> tuple[float, float]:
        """Interval of level 1 - ALPHA, within -1 and 1; (nan, nan) where the variance is not known."""
        if np.isnan(self.variance).any():
            return np.nan, np.nan
        half = float(critical_differences(np.sqrt(self.variance)[None], ALPHA)[0])
        return max(self.difference - half, -1.0), min(self.difference + half, 1.0)


def contrast(scores: ResampledScores, firsts: Sequence[int], seconds: Sequence[int]) -> Contrast:
    """Mean of score(first) - score(second) over pairs of rows of one task."""
    weights = np.zeros(len(scores.point))
    np.add.at(weights, np.asarray(firsts), 1 / len(firsts))
    np.add.at(weights, np.asarray(seconds), -1 / len(seconds))
    rows = float(weights @ scores.covariance @ weights)
    variance = rows * scores.spread + weights**2 @ scores.seeds.moderated
    return Contrast(
        float(weights @ scores.point), variance if scores.degrees > 0 else np.full(len(scores.spread), np.nan)
    )


def mean_of(contrasts: Sequence[Contrast]) -> Contrast:
    """Mean over tasks, whose rows and runs are independent of one another; each has the same weight."""
    generator = np.random.default_rng(0)
    # The draws of all tasks come from the same generator: without new orders they would go up and down together.
    draws = [generator.permutation(one.variance) for one in contrasts]
    return Contrast(float(np.mean([one.difference for one in contrasts])), sum(draws) / len(draws) ** 2)
