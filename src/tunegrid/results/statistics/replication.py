"""What a fresh study of the same design would show: which cell it would put first, and what the rule would recommend.

A resample of a study is a guess at the truth: the observed scores moved by the noise of one study. A fresh study sees
that truth through noise of its own. So it is predicted with two independent draws of the noise (Patil, Peng and Leek
2016); with one alone, the same recommendation looks more certain than it is. `benchmarks/stability_calibration.py`
compares what is predicted with what fresh simulated studies do.
"""

from dataclasses import replace

import numpy as np

from tunegrid.results.statistics.intervals import ResampledScores


def fresh_studies(scores: ResampledScores, seed: int = 0) -> ResampledScores:
    """Scores that fresh studies would observe: each resample moved by the noise of another, [rows, resamples].

    The rows of a study share its noise, so that their differences stay paired.
    """
    resampled = scores.resampled
    other = np.random.default_rng([seed, 2]).permutation(resampled.shape[1])
    return replace(scores, resampled=resampled + resampled[:, other] - resampled.mean(axis=1, keepdims=True))


def probability_best(scores: ResampledScores) -> np.ndarray:
    """Share of the resamples in which each row scores highest, [rows]; rows that share first place share it evenly."""
    first = scores.resampled >= scores.resampled.max(axis=0) - 1e-12
    return (first / first.sum(axis=0)).mean(axis=1)
