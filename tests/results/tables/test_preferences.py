"""Intervals of runs against their starts."""

import numpy as np
import pytest

from tunegrid.results.tables.preferences import interval


def test_the_interval_of_one_seed_is_that_of_its_test_rows():
    values = np.random.default_rng(1).normal(0.3, 1.0, size=(1, 400))
    low, high = interval(values)
    error = values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=1e-4)


def test_the_interval_of_three_seeds_adds_their_spread_by_hand():
    """Rows that do not differ; means of seeds 1, 2, 3: 2 +- 4.303 * 1 / sqrt(3), by Student's t with 2 degrees."""
    low, high = interval(np.array([[1.0] * 5, [2.0] * 5, [3.0] * 5]))
    assert (low, high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-3)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """True mean 0; seeds and rows with deviations of their own and of both."""
    generator, covered = np.random.default_rng(3), 0
    for _ in range(400):
        seeds, rows = generator.normal(0, 0.2, (3, 1)), generator.normal(0, 1, (1, 50))
        low, high = interval(seeds + rows + generator.normal(0, 0.5, (3, 50)))
        covered += low <= 0 <= high
    assert covered >= 0.94 * 400
