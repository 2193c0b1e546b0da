"""Smallest detectable differences and data that would separate: against SciPy's noncentral t and formulas by hand."""

import numpy as np
import pytest
from scipy import stats

from tunegrid.results.statistics import power
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.statistics.paired_tests import compare_pairs
from tunegrid.results.statistics.seeds import inverse_chi_squared
from tunegrid.tasks.metrics.label_counts import Accuracy

MEAN = Accuracy().aggregate


def means(values: np.ndarray) -> ExampleStatistics:
    """A row of mean scores from [seeds, examples]."""
    return ExampleStatistics(np.stack([values, np.ones_like(values)], axis=-1), MEAN)


def study(seeds: int, examples: int, seed_sd: float = 0.03, better: float = 0.03, number: int = 0):
    """Four cells of normal per-example scores; the first is `better`."""
    generator = np.random.default_rng(number)
    effects = 0.5 + seed_sd * generator.standard_normal((4, seeds, 1)) + better * (np.arange(4) == 0)[:, None, None]
    values = effects + 0.1 * generator.standard_normal((4, seeds, examples))
    return resample_scores([means(cell) for cell in values], resamples=2000)


@pytest.mark.parametrize("degrees", [4, 8, 30, 400])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 36])
def test_the_smallest_difference_has_its_power_by_the_noncentral_t(degrees: int, alpha: float) -> None:
    """A spread with a chi-squared variance makes the test Student's t, whose power SciPy knows."""
    spread = 0.02 * np.sqrt(inverse_chi_squared(degrees, 20_000, np.random.default_rng(0)))[None]
    critical = power.critical_differences(spread, alpha)[0]
    assert critical == pytest.approx(0.02 * stats.t.isf(alpha / 2, degrees), rel=0.001)
    smallest = power.detectable_differences(spread, alpha)[0]
    by_scipy = stats.nct.sf(stats.t.isf(alpha / 2, degrees), degrees, smallest / 0.02)
    # A little less far into the tail of few degrees: what another study finds its own spread to be is not in it.
    assert by_scipy == pytest.approx(0.8, abs=0.02 if degrees > 8 or alpha == 0.05 else 0.1)


def test_one_seed_needs_the_rows_of_the_textbook() -> None:
    """With one seed the rows needed are those of a paired t test: n (z of the level + z of the power)² s² / d²."""
    generator = np.random.default_rng(4)
    first = generator.uniform(0.2, 0.8, 500)
    second = first + generator.uniform(-0.3, 0.3, 500)
    second += first.mean() - second.mean() - 0.01
    scores = resample_scores([means(first[None]), means(second[None])], resamples=10_000)
    needed = power.rows_needed(scores, 0, 1, 0.05)
    z = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    assert needed.count == pytest.approx(z**2 * (first - second).var() / 0.01**2, rel=0.06)
    assert needed.limit == ""
    assert power.seeds_needed(scores, 0, 1, 0.05) == power.Needed(None, power.UNKNOWN)


def test_rows_and_seeds_that_are_needed_do_separate() -> None:
    """Studies of that size, drawn afresh, find the difference in about 80 % of the cases, and fewer seeds in fewer."""
    scores = study(seeds=20, examples=300)
    truth = abs(scores.point[0] - scores.point[1])
    needed = power.seeds_needed(scores, 0, 1, 0.05).count
    assert 6 < needed < 60

    def share(seeds: int) -> float:
        found = []
        for number in range(40):
            fresh = study(seeds, 300, better=truth, number=1 + number)
            found.append(compare_pairs(fresh).p_value[:3] <= 0.05)
        return float(np.mean(found))

    assert 0.6 < share(needed) <= 0.97
    assert share(max(needed // 3, 2)) < share(needed) - 0.1


def test_no_number_of_rows_helps_where_the_seeds_differ_more() -> None:
    scores = study(seeds=3, examples=4000, seed_sd=0.05, better=0.02)
    assert power.rows_needed(scores, 0, 1, 0.05) == power.Needed(None, power.NEVER)
    assert power.seeds_needed(scores, 0, 1, 0.05).limit in ("", power.MORE)


def test_no_number_of_seeds_helps_where_the_shared_rows_differ_more() -> None:
    """Every seed of a cell answers alike: only the rows are noise, and the difference is small against it."""
    right = np.zeros((2, 3, 200))
    right[0, :, :110] = 1
    right[1, :, 90:192] = 1
    scores = resample_scores([means(cell) for cell in right], resamples=2000)
    assert power.seeds_needed(scores, 0, 1, 0.05) == power.Needed(None, power.NEVER)


def test_equal_scores_are_said_to_be_equal() -> None:
    values = np.tile([0.0, 1.0], (2, 50))
    scores = resample_scores([means(values), means(values)], resamples=300)
    assert power.rows_needed(scores, 0, 1, 0.05) == power.Needed(None, power.SAME)
    assert power.seeds_needed(scores, 0, 1, 0.05) == power.Needed(None, power.SAME)


def test_today_s_study_is_predicted_with_today_s_spread() -> None:
    """With the rows and seeds that there are, the spread is that of the test itself."""
    scores = study(seeds=3, examples=300)
    tests = compare_pairs(scores)
    predicted = power._spread(scores, 0, 1, 1.0, None)
    quantiles = [0.05, 0.5, 0.9]
    assert np.quantile(predicted, quantiles) == pytest.approx(np.quantile(tests.spread[0], quantiles), rel=0.06)
