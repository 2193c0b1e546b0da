"""Which cell is likely the best, and what a fresh study of the same design would recommend.

A fresh study has other seeds and other test rows, and nothing of it is known exactly. Each draw of it is made in steps:

1. The variance between seeds: drawn from what the moderated variances and their degrees of freedom leave open
   (`seeds`). What the cells have in common is as uncertain for all of them, so their draws go together.
2. The true scores: drawn from what the observed scores leave open, given these variances. The observed scores are
   farther apart than the true ones, for they hold noise, and the first one is first partly by luck; so true scores are
   drawn towards their mean, the more the less the cells differ for their noise (Efron and Morris 1975). What costs more
   is often better, so that a cheap cell that ties with the best has been lucky: of four cells and more the mean is a
   line over the order of their costs (Fay and Herriot 1979).
3. What the fresh study observes: the true scores with noise of its own (Patil, Peng and Leek 2016), and variances
   between its own seeds, which it moderates again. Its tests use these, not the variances of this study.

`benchmarks/stability_calibration.py` compares what is predicted with what fresh simulated studies do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tunegrid.results.statistics.intervals import ResampledScores
from tunegrid.results.statistics.seeds import SeedVariance, draw_added, inverse_chi_squared, moderate_by_mean

SCENARIOS = 100  # draws of all variances; fewer where there are fewer than ten times as many resamples
STUDIES = 10  # fresh studies of each scenario
_DRAWS = 100  # of the spread that a fresh study tests a difference with; of the true scores, of each scenario
_LEAST = 1e-10  # variance between cells: forms of a cell may agree in all answers, and nothing else tells them apart
_OF_LINE = 1.0  # variance of the prior of the cells' mean, and of its rise from the cheapest to the dearest: flat


def fresh_studies(
    scores: ResampledScores, by_cost: Sequence[int] | None = None, seed: int = 0
) -> Iterator[ResampledScores]:
    """Scenarios of fresh studies, each with the scores that some studies of it would observe as `resampled`.

    Their `spread` and `seeds` are what these studies would know of their noise. `resampled`: [rows, STUDIES].

    Args:
        by_cost: numbers of the rows, the cheapest first; None: what they cost says nothing of their scores.
    """
    generator = np.random.default_rng([seed, 2])
    line = _line(len(scores.point), by_cost)
    for scenario in _scenarios(scores, line, generator):
        truths = _truths(scores.point, scenario, line, STUDIES, generator)
        observed = truths + scenario.root @ generator.standard_normal(truths.shape)
        seeds = _seeds_of_fresh_study(scores, scenario.between_seeds, generator)
        yield replace(scores, resampled=observed, spread=scenario.spread, seeds=seeds)


def probability_best(scores: ResampledScores, seed: int = 0) -> np.ndarray:
    """Share of the draws of the true scores in which each row has the highest, [rows]; ties share it evenly.

    With one seed per row these are the true scores of the runs.
    """
    generator = np.random.default_rng([seed, 3])
    line, shares = _line(len(scores.point), None), []
    for scenario in _scenarios(scores, line, generator):
        truths = _truths(scores.point, scenario, line, _DRAWS, generator)
        first = truths >= truths.max(axis=0) - 1e-12
        shares.append((first / first.sum(axis=0)).mean(axis=1))
    return np.mean(shares, axis=0)


@dataclass(frozen=True)
class _Scenario:
    """A draw of all variances.

    Attributes:
        noise: covariance of the observed scores, [rows, rows]; `root`: a square root of it.
        spread: draws of what a fresh study may take the test set's part of the noise for, relative to what it is.
        between_cells: factor by which the variance of the observed scores around the line is to be multiplied, before
            what the noise explains is taken off, to be that between the cells.
        between_seeds: the variance between the seeds of each row, the test set's part included, [rows].
    """

    noise: np.ndarray
    root: np.ndarray
    spread: np.ndarray
    between_cells: float
    between_seeds: np.ndarray


def _line(rows: int, by_cost: Sequence[int] | None) -> np.ndarray:
    """What the mean of each row is made of, [rows, coefficients]: 1, and its place in the order of the costs."""
    if by_cost is None or rows < 4:
        return np.ones((rows, 1))
    return np.stack([np.ones(rows), np.argsort(by_cost) / (rows - 1) - 0.5], axis=1)


def _scenarios(scores: ResampledScores, line: np.ndarray, generator: np.random.Generator) -> Iterator[_Scenario]:
    rows, count = len(scores.point), max(10, min(SCENARIOS, scores.resampled.shape[1] // 10))
    own, total = _draw_variances(scores.seeds, count, generator)
    examples = inverse_chi_squared(scores.degrees, count, generator)
    spread = inverse_chi_squared(scores.degrees, _DRAWS, generator)
    between = inverse_chi_squared(rows - line.shape[1], count, generator)
    owners = np.unique(scores.seeds.owners, return_inverse=True)[1]
    for number in range(count):
        added = own[number] / scores.seeds.counts
        noise = examples[number] * scores.covariance + np.where(owners[:, None] == owners, added[:, None], 0.0)
        yield _Scenario(noise, _square_root(noise), spread, between[number], total[number])


def _draw_variances(
    seeds: SeedVariance, scenarios: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws of the true variances between seeds, [scenarios, rows]: (the seeds' own, with the test set's part).

    Each is s'² d' / χ²(d'), with a part of each χ² in common.

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
    return drawn, np.where(seeds.variance > 0, drawn + seeds.explained, 0.0)


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
        draw_added(*of_cell, _DRAWS, generator)
        for of_cell in zip(moderated.variance, moderated.degrees, seeds.explained[first], counts, strict=True)
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
    point: np.ndarray, scenario: _Scenario, line: np.ndarray, draws: int, generator: np.random.Generator
) -> np.ndarray:
    """Draws of the true scores, [rows, draws]: normal around a line (`_line`), seen through the noise.

    With two rows nothing is known of the variance between cells, and the truth lies around the observed scores.
    """
    rows, noise = len(point), scenario.noise
    errors = scenario.root @ generator.standard_normal((rows, draws))
    if rows < 3:
        return point[:, None] + errors
    degrees, residual = rows - line.shape[1], np.eye(rows) - line @ np.linalg.pinv(line)
    observed, explained = point @ residual @ point / degrees, np.trace(residual @ noise) / degrees
    variance = max(observed * scenario.between_cells - explained, _LEAST)
    prior = variance * np.eye(rows) + _OF_LINE * line @ line.T
    deviations = np.sqrt(variance) * generator.standard_normal((rows, draws))
    deviations += np.sqrt(_OF_LINE) * line @ generator.standard_normal((line.shape[1], draws))
    # Deviations and errors as they are drawn, less what observed scores like these say about them: a posterior draw.
    seen = (point - point.mean())[:, None] - deviations - errors
    return point.mean() + deviations + prior @ np.linalg.solve(prior + noise, seen)
