"""Scores over tasks: against SciPy's trimmed mean, shares counted by hand, and the variance of means of seeds."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from tunegrid.results.statistics.over_tasks import THRESHOLDS, interquartile_mean, normalise, profile, resample_runs


@pytest.mark.parametrize("runs", [1, 2, 3, 4, 9, 12, 15, 81])
def test_the_interquartile_mean_is_scipys_trimmed_mean(runs: int) -> None:
    scores = np.random.default_rng(runs).normal(size=(7, runs))
    assert interquartile_mean(scores) == pytest.approx(trim_mean(scores, 0.25, axis=1))


def test_the_baseline_is_0_and_a_perfect_score_is_1() -> None:
    assert normalise(np.array([0.5, 1.0, 0.75, 0.25]), 0.5) == pytest.approx([0, 1, 0.5, -0.5])


def test_a_profile_counts_the_runs_above_each_score() -> None:
    shares = dict(zip(THRESHOLDS.tolist(), profile(np.array([-0.2, 0.1, 0.5, 0.93])), strict=True))
    assert (shares[0.0], shares[0.1], shares[0.3], shares[0.5], shares[0.9], shares[1.0]) == (
        0.75, 0.5, 0.5, 0.25, 0.25, 0,
    )  # fmt: skip


def test_resampled_means_vary_as_means_of_the_seeds_do() -> None:
    """Without noise of test rows: the variance of a mean over tasks is s² / k of each, with s² as NumPy has it."""
    tasks = [np.array([0.5, 0.6, 0.64]), np.array([0.1, 0.2]), np.array([0.9])]
    drawn = resample_runs([np.repeat(scores[None], 40_000, axis=0) for scores in tasks])
    assert drawn.shape == (40_000, 6)
    assert drawn[:, 5] == pytest.approx(0.9)
    for runs, scores in ((drawn[:, :3], tasks[0]), (drawn[:, 3:5], tasks[1])):
        assert runs.mean() == pytest.approx(scores.mean(), abs=1e-3)
        assert runs.mean(axis=1).var() == pytest.approx(scores.var(ddof=1) / len(scores), rel=0.03)
    together = np.cov(drawn[:, :3].mean(axis=1), drawn[:, 3:5].mean(axis=1))
    assert abs(together[0, 1]) < 0.02 * np.sqrt(together[0, 0] * together[1, 1])


def test_test_rows_of_two_tasks_move_apart_from_one_another_and_are_shared_within_one() -> None:
    noise = np.random.default_rng(0).normal(size=(4000, 1))
    drawn = resample_runs([0.5 + 0.1 * noise + np.zeros((1, 3)), 0.2 + 0.1 * noise])
    assert np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1] == pytest.approx(1)
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 3])[0, 1]) < 0.05
