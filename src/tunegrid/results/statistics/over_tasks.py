"""Several tasks together: interquartile mean and performance profile of runs whose scores are normalised (Agarwal et
al. 2021), with a stratified bootstrap.

A score is normalised so that the task's trivial baseline is 0 and a perfect score 1. The interquartile mean of a model
and method is the mean of the middle half of its runs in all tasks; a performance profile is the share of its runs
above each score. Runs are resampled within each task, on resampled test rows.

Of k seeds a bootstrap shows (k - 1) / k of their variance, of three two thirds. So the runs' deviations from their mean
are stretched by the root of k / (k - 1).
"""

from collections.abc import Sequence

import numpy as np

from tunegrid.common.citations import AGARWAL_2021, Formula

TRIMMED = 0.25  # share of the runs that is left aside at each end
THRESHOLDS = np.round(np.arange(0, 1.0001, 0.02), 2)  # of a profile

NORMALISED = Formula(
    "Scores over tasks",
    r"x = \dfrac{m - m_0}{1 - m_0}, \quad "
    r"\mathrm{IQM} = \dfrac{1}{R - 2 c} \sum_{i = c + 1}^{R - c} x_{(i)}, \quad "
    r"c = \lfloor R / 4 \rfloor, \quad "
    r"F(\tau) = \dfrac{1}{R} \, \#\{ i : x_i > \tau \}",
    "x is m less m zero over one less m zero; the interquartile mean is the mean of the sorted x without the lowest c "
    "and the highest c, c being a quarter of R, rounded down; F of tau is the share of the runs whose x is above tau",
    "m is the score of a run in its task's primary metric, m₀ that of the trivial baseline, R the number of runs of a "
    "model and method in all tasks.",
    (AGARWAL_2021,),
)


def normalise(scores: np.ndarray, trivial: float) -> np.ndarray:
    """Scores on a scale on which the trivial baseline is 0 and a perfect score 1; `trivial` is below 1."""
    return (scores - trivial) / (1 - trivial)


def interquartile_mean(scores: np.ndarray) -> np.ndarray:
    """Mean over the last axis without the lowest and the highest quarter, each rounded down to whole runs."""
    ordered, count = np.sort(scores, axis=-1), scores.shape[-1]
    cut = int(TRIMMED * count)
    return ordered[..., cut : count - cut].mean(axis=-1)


def resample_runs(tasks: Sequence[np.ndarray], seed: int = 0) -> np.ndarray:
    """Runs of one model and method, resampled within each task: [resamples, runs of all tasks].

    `tasks`: scores of the runs of each task on the resamples of its test rows, [resamples, runs]. Two models or methods
    that are given the same seed share the resamples of test rows, so that they can be compared.
    """
    drawn = []
    for number, scores in enumerate(tasks):
        resamples, count = scores.shape
        scores = scores[np.random.default_rng([seed, number]).permutation(resamples)]  # independent of other tasks'
        chosen = np.random.default_rng([seed, number, count]).integers(count, size=(resamples, count))
        mean = scores.mean(axis=1, keepdims=True)
        stretch = np.sqrt(count / (count - 1)) if count > 1 else 1.0
        drawn.append(mean + stretch * (np.take_along_axis(scores, chosen, axis=1) - mean))
    return np.concatenate(drawn, axis=1)


def profile(scores: np.ndarray) -> np.ndarray:
    """Share of runs above each of `THRESHOLDS`: [..., runs] -> [..., thresholds]."""
    return (scores[..., None] > THRESHOLDS).mean(axis=-2)
