"""How far the mean over a few seeds may lie from the mean over all seeds.

Three or five runs tell little about the spread between seeds: resampling three of them shows two thirds of their
variance, and the plain percentile bootstrap then covers far less than 95 %. So the seeds are not resampled. Each
resample of the test set is shifted, cell by cell, by a draw of what other seeds would have added to the mean:

1. s², the variance of a cell's scores over its seeds, holds the seeds' own variance and what the finite test set adds
   to each run. The latter is known from the bootstrap over examples.
2. With d = seeds - 1 degrees of freedom s² is a poor estimate, and the cells of a task are alike: it is *moderated*,
   shrunk towards the cells' common variance, the more the less the cells differ in it (Smyth 2004, *Linear models and
   empirical Bayes methods*, section 3, the estimates of section 6.2; made for many groups of few replicates).
3. A draw of the seeds' own variance is (d' s'² / χ²(d')) less what the examples explain, at least 0; the draw of the
   shift is normal with that variance divided by the number of seeds (a generalised pivotal quantity, Weerahandi 1993).

`benchmarks/statistics_coverage.py` measures in simulated studies how often the intervals cover and the tests reject.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tunegrid.common.citations import SMYTH_2004, WEERAHANDI_1993, Formula

_SMALLEST = 1e-5  # of the median variance: a cell whose seeds agree exactly has no logarithm otherwise (as in limma)

SEEDS = Formula(
    "Seeds",
    r"\tilde{s}^2 = \dfrac{d_0 s_0^2 + d s^2}{d_0 + d}, \quad \delta \sim N(0,\, \sigma^2 / k), \quad "
    r"\sigma^2 \sim \max(0,\, \dfrac{(d_0 + d)\, \tilde{s}^2}{\chi^2_{d_0 + d}} - e)",
    "the moderated variance is the mean of s zero squared and s squared, weighted with their degrees of freedom; the "
    "shift is normal with variance sigma squared over k; sigma squared is drawn from the moderated variance times its "
    "degrees of freedom over chi squared, less e, and at least zero",
    "Each resample of a cell is shifted by a draw δ of what other seeds would have added to its mean over k seeds. s² "
    "is the variance over its seeds, with d = k − 1 degrees of freedom, s₀² with d₀ what the task's cells have in "
    "common, e what the choice of test examples explains of it.",
    (SMYTH_2004, WEERAHANDI_1993),
)


@dataclass(frozen=True)
class ModeratedVariance:
    """Variances between seeds, shrunk towards the common variance of the cells.

    Attributes:
        variance: [cells] s'².
        degrees: [cells] d', the degrees of freedom of s'².
    """

    variance: np.ndarray
    degrees: np.ndarray


def shifts(
    scores: Sequence[np.ndarray], resampled: Sequence[np.ndarray], resamples: int, generator: np.random.Generator
) -> np.ndarray | None:
    """Draws of what other seeds would have added to each mean, [cells, resamples]; None if no cell has two seeds.

    Args:
        scores: scores of each cell on the test set, [seeds].
        resampled: scores of each cell on the resamples of the test set, [resamples, seeds].
    """
    seeds = np.array([len(values) for values in scores])
    if not (seeds > 1).any():
        return None
    observed = np.array([values.var(ddof=1) if len(values) > 1 else np.nan for values in scores])
    moderated = moderate(observed, seeds - 1)
    explained = np.array([_explained(values) for values in resampled])
    # The test set adds about the same variance in every cell; one seed alone cannot show it.
    explained = np.where(seeds > 1, explained, np.mean(explained[seeds > 1]))
    size = (len(scores), resamples)
    chi_squared = generator.chisquare(moderated.degrees[:, None], size)
    drawn = (moderated.degrees * moderated.variance)[:, None] / chi_squared - explained[:, None]
    return generator.standard_normal(size) * np.sqrt(np.maximum(drawn, 0) / seeds[:, None])


def moderate(variances: np.ndarray, degrees: np.ndarray) -> ModeratedVariance:
    """Smyth's (2004) moderated variances: s'² = (d₀ s₀² + d s²) / (d₀ + d), with d₀ + d degrees of freedom.

    s₀² and d₀ are fitted to the variances' logarithms by their mean and variance (section 6.2). The degrees of freedom
    never exceed those of all cells together. A cell with one seed (d = 0) gets s₀².
    """
    known = degrees > 0
    everything = float(degrees.sum())
    if not (variances[known] > 0).any():
        return ModeratedVariance(np.zeros(len(variances)), np.full(len(variances), everything))
    positive = variances[known & (variances > 0)]
    floored = np.maximum(variances[known], _SMALLEST * np.median(positive))
    prior, prior_degrees = _fit(floored, degrees[known])
    prior_degrees = min(prior_degrees, everything - degrees[known].min()) if known.sum() > 1 else 0.0
    own = np.where(known, np.nan_to_num(variances), 0.0)
    total = prior_degrees + degrees
    if not prior_degrees:  # one cell with several seeds: its variance is not shrunk, and the other cells get it
        total = np.where(known, degrees, everything)
        return ModeratedVariance(np.where(known, own, prior), total)
    return ModeratedVariance((prior_degrees * prior + degrees * own) / total, total)


def _fit(variances: np.ndarray, degrees: np.ndarray) -> tuple[float, float]:
    """(s₀², d₀) of variances that are s₀² F(d, d₀); d₀ is infinite where they differ no more than by chance."""
    from scipy.special import digamma, polygamma  # the report needs this module for its equation alone

    half = degrees / 2
    logarithms = np.log(variances) - digamma(half) + np.log(half)
    excess = -np.inf
    if len(variances) > 1:
        excess = logarithms.var(ddof=1) - polygamma(1, half).mean()
    if excess <= 0:
        return float(np.average(variances, weights=degrees)), np.inf
    prior_half = _inverse_trigamma(excess)
    return float(np.exp(logarithms.mean() + digamma(prior_half) - np.log(prior_half))), 2 * prior_half


def _inverse_trigamma(value: float) -> float:
    """x with trigamma(x) = value > 0, by the Newton iteration of Smyth's appendix."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = polygamma(1, x)
        step = trigamma * (1 - trigamma / value) / polygamma(2, x)
        x += step
        if -step / x < 1e-8:
            break
    return float(x)


def _explained(resampled: np.ndarray) -> float:
    """Part of the variance between seeds that the choice of the test examples explains, from [resamples, seeds]."""
    seeds = resampled.shape[1]
    if seeds == 1:
        return 0.0
    deviations = resampled - resampled.mean(axis=1, keepdims=True)
    return float(deviations.var(axis=0).mean() * seeds / (seeds - 1))
