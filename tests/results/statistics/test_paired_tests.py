"""Paired tests, Holm's correction and ties, compared with SciPy and a worked example."""

import numpy as np
import pytest

from tunegrid.results.statistics.intervals import ALPHA, ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.statistics.paired_tests import (
    compare_pairs,
    holm,
    resamples_for,
    separated_in_resamples,
    tied_with_best,
)
from tunegrid.tasks.metrics.accuracy import Accuracy

MEAN = Accuracy().aggregate


def means(values: np.ndarray) -> ExampleStatistics:
    """A row of mean scores from [seeds, examples]."""
    return ExampleStatistics(np.stack([values, np.ones_like(values)], axis=-1), MEAN)


def test_differences_are_paired() -> None:
    """Two results that fail on the same examples differ for certain, though each alone is uncertain."""
    right = np.arange(200) < 100
    worse = right & (np.arange(200) >= 10)
    scores = resample_scores([means(right[None].astype(float)), means(worse[None].astype(float))], resamples=4000)
    low, high = scores.difference_interval(0, 1)
    assert 0.02 < low < 0.05 < high < 0.085
    overlap = scores.interval(0)[0] < scores.interval(1)[1]
    assert overlap
    assert compare_pairs(scores).p_value[0] < 0.01


def test_holm_on_a_worked_example() -> None:
    """Four p-values worked by hand, the example of the Wikipedia article on the Holm–Bonferroni method."""
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([[0.01, 0.5], [0.5, 0.01]])) == pytest.approx(np.array([[0.02, 0.5], [0.5, 0.02]]))
    assert holm(np.empty(0)).shape == (0,)


def test_paired_p_values_are_near_the_normal_ones() -> None:
    from scipy.stats import norm

    generator = np.random.default_rng(8)
    first, difference = generator.random(400), generator.normal(0.02, 0.2, 400)
    scores = resample_scores([means(first[None]), means((first + difference)[None])], resamples=20_000)
    z = difference.mean() / (difference.std() / np.sqrt(400))
    assert compare_pairs(scores).p_value[0] == pytest.approx(2 * norm.sf(z), abs=0.01)


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Rows drawn from one distribution: about one test in twenty rejects at 5%."""
    generator = np.random.default_rng(5)
    alarms = 0
    for _ in range(200):
        rows = [means(row[None]) for row in (generator.random((2, 150)) < 0.6).astype(float)]
        alarms += compare_pairs(resample_scores(rows, resamples=400)).p_value[0] <= 0.05
    assert 2 <= alarms <= 22


def test_identical_rows_are_never_separated() -> None:
    values = np.random.default_rng(3).random((1, 40))
    tests = compare_pairs(resample_scores([means(values), means(values)], resamples=200))
    assert tests.p_value[0] == 1
    assert not tests.separated().any()


def test_tied_set() -> None:
    separated = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], dtype=bool)
    assert tied_with_best(np.array([0.9, 0.8, 0.1]), separated).tolist() == [True, True, False]


def test_one_row_alone_has_no_pairs() -> None:
    scores = ResampledScores(np.array([0.5]), np.full((1, 10), 0.5))
    tests = compare_pairs(scores)
    assert len(tests.p_value) == 0
    assert tests.separated().tolist() == [[False]]
    assert separated_in_resamples(scores, tests).shape == (10, 1, 1)


def test_resamples_are_enough_for_holm() -> None:
    """With few resamples no p-value could be small enough to survive the correction."""
    assert resamples_for(9) == 10_000
    rows = 30
    pairs = rows * (rows - 1) // 2
    assert pairs / (resamples_for(rows) + 1) < ALPHA / 5
