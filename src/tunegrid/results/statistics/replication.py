"""What a fresh study of the same design would show: which cell it would put first, and what the rule would recommend.

A fresh study sees the true scores through noise of its own, so it is predicted with two independent draws of the noise
(Patil, Peng and Leek 2016): the truth is uncertain, and so is what is seen of it. The observed scores of the cells are
farther apart than the true ones, for they hold noise already; so the truth is drawn from the observed scores drawn
towards their mean, the more the less the cells differ for their noise (Efron and Morris 1975). Without that, a fresh
study is predicted to see larger differences than it does, and to recommend another cell more often than it does.
`benchmarks/stability_calibration.py` compares what is predicted with what fresh simulated studies do.
"""

from dataclasses import replace

import numpy as np

from tunegrid.results.statistics.intervals import ResampledScores
from tunegrid.results.statistics.seeds import inverse_chi_squared

_STRATA = 20  # of the draws of the variance between cells
_OF_MEAN = 1.0  # variance of the prior of the cells' common mean: any mean from 0 to 1 is as likely


def fresh_studies(scores: ResampledScores, seed: int = 0) -> ResampledScores:
    """Scores that fresh studies would observe: draws of the truth, each with the noise of another resample.

    The rows of a study share its noise, so that their differences stay paired.
    """
    generator = np.random.default_rng([seed, 2])
    noise = scores.resampled - scores.resampled.mean(axis=1, keepdims=True)
    other = generator.permutation(noise.shape[1])
    return replace(scores, resampled=_truths(scores, noise, generator) + noise[:, other])


def _truths(scores: ResampledScores, noise: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draws of the true scores, [rows, resamples]: normal around a common mean, seen through the noise.

    Their variance is drawn from that of the observed scores less what the noise explains, as the variance between seeds
    is (`seeds`). With two rows nothing is known of it, and the truth lies around the observed scores.
    """
    rows, count = noise.shape
    if rows < 3:
        return scores.point[:, None] + noise
    covariance = scores.covariance + scores.seeds.covariance
    explained = (np.trace(covariance) - covariance.sum() / rows) / (rows - 1)
    between = scores.point.var(ddof=1) * inverse_chi_squared(rows - 1, count, generator) - explained
    between = np.maximum(between, 0)
    mean = scores.point.mean()
    truths = np.empty_like(noise)
    for draws in np.array_split(np.argsort(between, kind="stable"), min(_STRATA, count)):
        prior = between[draws].mean() * np.eye(rows) + _OF_MEAN
        weight = prior @ np.linalg.inv(prior + covariance)
        deviations = np.sqrt(between[draws].mean()) * generator.standard_normal((rows, len(draws)))
        deviations += np.sqrt(_OF_MEAN) * generator.standard_normal(len(draws))
        # Deviations and noise as they are drawn, less what observed scores like these say about them: a posterior draw.
        seen = (scores.point - mean)[:, None] - deviations - noise[:, draws]
        truths[:, draws] = mean + deviations + weight @ seen
    return truths


def probability_best(scores: ResampledScores) -> np.ndarray:
    """Share of the resamples in which each row scores highest, [rows]; rows that share first place share it evenly."""
    first = scores.resampled >= scores.resampled.max(axis=0) - 1e-12
    return (first / first.sum(axis=0)).mean(axis=1)
