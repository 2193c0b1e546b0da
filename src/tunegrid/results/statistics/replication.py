"""What a fresh study of the same design would show: which cell it would put first, and what the rule would recommend.

A fresh study has other seeds and other test rows, and nothing of it is known exactly. Each draw of it is made in steps:

1. The variance between seeds: drawn from what the moderated variances and their degrees of freedom leave open
   (`seeds`). What the cells have in common is as uncertain for all of them, so their draws go together.
2. The true scores: drawn from what the observed scores leave open, given these variances. The observed scores are
   farther apart than the true ones, for they hold noise, and the first one is first partly by luck; so true scores are
   drawn towards their mean, the more the less the cells differ for their noise (Efron and Morris 1975).
3. What the fresh study observes: the true scores with noise of its own (Patil, Peng and Leek 2016), and variances
   between its own seeds, which it moderates again. Its tests use these, not the variances of this study.

`benchmarks/stability_calibration.py` compares what is predicted with what fresh simulated studies do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tunegrid.results.statistics.intervals import ResampledScores
from tunegrid.results.statistics.seeds import SeedVariance, inverse_chi_squared, moderate_by_mean

SCENARIOS = 100  # draws of all variances; fewer where there are fewer than ten times as many resamples
STUDIES = 10  # fresh studies of each scenario
_DRAWS = 100  # of the spread that a fresh study tests a difference with
_LEAST = 1e-10  # variance between cells: forms of a cell may agree in all answers, and nothing else tells them apart
_OF_MEAN = 1.0  # variance of the prior of the cells' common mean: any mean from 0 to 1 is as likely


def fresh_studies(scores: ResampledScores, seed: int = 0) -> Iterator[ResampledScores]:
    """Scenarios of fresh studies, each with the scores that some studies of it would observe as `resampled`.

    Their `spread` and `seeds` are what these studies would know of their noise. `resampled`: [rows, STUDIES].
    """
    generator = np.random.default_rng([seed, 2])
    rows, scenarios = len(scores.point), max(10, min(SCENARIOS, scores.resampled.shape[1] // 10))
    variances = _draw_variances(scores.seeds, scenarios, generator)
    examples = inverse_chi_squared(scores.degrees, scenarios, generator)
    spread = inverse_chi_squared(scores.degrees, _DRAWS, generator)
    between = inverse_chi_squared(rows - 1, scenarios, generator)
    owners = np.unique(scores.seeds.owners, return_inverse=True)[1]
    for number in range(scenarios):
        own = variances.own[number] / scores.seeds.counts
        noise = examples[number] * scores.covariance + np.where(owners[:, None] == owners, own[:, None], 0.0)
        root = _square_root(noise)
        truths = _truths(scores.point, noise, root, between[number], generator)
        observed = truths + root @ generator.standard_normal((rows, STUDIES))
        seeds = _seeds_of_fresh_study(scores, variances.total[number], generator)
        yield replace(scores, resampled=observed, spread=spread, seeds=seeds)


@dataclass(frozen=True)
class _Variances:
    """Draws of the true variances between seeds, [scenarios, rows]: the seeds' own, and with the test set's part."""

    own: np.ndarray
    total: np.ndarray


def _draw_variances(seeds: SeedVariance, scenarios: int, generator: np.random.Generator) -> _Variances:
    """Draws s'² d' / χ²(d') of each row, with a part of each χ² in common.

    With d degrees of freedom of its own, D of all cells, and s'² = w s² + (1 - w) s₀², w = d / d', the s'² of two cells
    have the covariance (1 - w²) / D, relative to the variance 1 / d' of each. So χ²(d') is the sum of a part with
    (d'² - d²) / D degrees of freedom, which all cells share, and of one of its own (limited to d').
    """
    from scipy.special import gammaincinv

    _, first, owners = np.unique(seeds.owners, return_index=True, return_inverse=True)
    degrees, own = seeds.degrees[first], _own_degrees(seeds)[first]
    shared = np.clip((degrees**2 - own**2) / max(own.sum(), 1), 0, degrees)
    quantiles = (generator.permutation(scenarios) + 0.5) / scenarios
    ratios = np.ones((scenarios, len(first)))
    for row, (whole, part) in enumerate(zip(degrees, shared, strict=True)):
        if whole > 0:
            common = 2 * gammaincinv(part / 2, quantiles) if part > 0 else 0.0
            rest = generator.chisquare(whole - part, scenarios) if whole > part else 0.0
            ratios[:, row] = whole / np.maximum(common + rest, 1e-12)
    drawn = np.maximum(seeds.variance * ratios[:, owners] - seeds.explained, 0)
    return _Variances(drawn, np.where(seeds.variance > 0, drawn + seeds.explained, 0.0))


def _seeds_of_fresh_study(scores: ResampledScores, total: np.ndarray, generator: np.random.Generator) -> SeedVariance:
    """What a fresh study would know of its seeds, from the true variances between them, [rows]."""
    seeds = scores.seeds
    _, first, owners = np.unique(seeds.owners, return_index=True, return_inverse=True)
    own, counts = _own_degrees(seeds)[first], seeds.counts[first]
    observed = np.full(len(first), np.nan)
    observed[own > 0] = total[first][own > 0] * generator.chisquare(own[own > 0]) / own[own > 0]
    # A cell whose variance was not shrunk in this study, for a seed of it collapsed, is not in a fresh one either.
    alone = (own > 0) & (seeds.degrees[first] <= own)
    moderated = moderate_by_mean(observed, scores.point[first], counts, alone)
    if moderated is None:  # nothing is known of any row's seeds
        return SeedVariance.unknown(seeds.counts, _DRAWS)
    draws = [
        np.maximum(variance * inverse_chi_squared(degrees, _DRAWS, generator) - part, 0) / count
        for variance, degrees, part, count in zip(
            moderated.variance, moderated.degrees, seeds.explained[first], counts, strict=True
        )
    ]
    known = seeds.degrees > 0
    return replace(seeds, moderated=np.where(known[:, None], np.array(draws)[owners], 0.0))


def _own_degrees(seeds: SeedVariance) -> np.ndarray:
    return np.where(seeds.degrees > 0, seeds.counts - 1, 0)


def _square_root(covariance: np.ndarray) -> np.ndarray:
    """A matrix whose product with its transpose is the covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))


def _truths(
    point: np.ndarray, noise: np.ndarray, root: np.ndarray, between: float, generator: np.random.Generator
) -> np.ndarray:
    """Draws of the true scores, [rows, STUDIES]: normal around a common mean, seen through the noise.

    Args:
        noise: covariance of the observed scores, [rows, rows]; `root`: a square root of it.
        between: a draw of the factor by which the variance of the observed scores is to be multiplied, before what the
            noise explains is taken off, to be that between the cells. With two rows nothing is known of it, and the
            truth lies around the observed scores.
    """
    rows = len(point)
    errors = root @ generator.standard_normal((rows, STUDIES))
    if rows < 3:
        return point[:, None] + errors
    explained = (np.trace(noise) - noise.sum() / rows) / (rows - 1)
    variance = max(point.var(ddof=1) * between - explained, _LEAST)
    prior = variance * np.eye(rows) + _OF_MEAN
    deviations = np.sqrt(variance) * generator.standard_normal((rows, STUDIES))
    deviations += np.sqrt(_OF_MEAN) * generator.standard_normal(STUDIES)
    # Deviations and errors as they are drawn, less what observed scores like these say about them: a posterior draw.
    seen = (point - point.mean())[:, None] - deviations - errors
    return point.mean() + deviations + prior @ np.linalg.solve(prior + noise, seen)


def probability_best(scores: ResampledScores) -> np.ndarray:
    """Share of the resamples in which each row scores highest, [rows]; rows that share first place share it evenly."""
    first = scores.resampled >= scores.resampled.max(axis=0) - 1e-12
    return (first / first.sum(axis=0)).mean(axis=1)
