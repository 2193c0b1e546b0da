"""Main effects: against least squares and Student's t by NumPy and SciPy."""

import numpy as np
import pytest
from scipy import stats

from tunegrid.results.statistics.effects import contrast, mean_of
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.statistics.paired_tests import compare_pairs
from tunegrid.tasks.metrics.label_counts import Accuracy

MEAN = Accuracy().aggregate
FIRST, SECOND = [0, 3, 6], [1, 4, 7]  # cells of two methods, model by model


def means(values: np.ndarray) -> ExampleStatistics:
    return ExampleStatistics(np.stack([values, np.ones_like(values)], axis=-1), MEAN)


def task(number: int, seeds: int, examples: int = 200, seed_sd: float = 0.0) -> tuple[np.ndarray, object]:
    """Scores of nine cells, [cells, seeds, examples], and the same resampled."""
    generator = np.random.default_rng(number)
    values = 0.5 + 0.05 * generator.standard_normal((9, 1, 1)) + seed_sd * generator.standard_normal((9, seeds, 1))
    values = values + 0.1 * generator.standard_normal((1, 1, examples))
    values = values + 0.1 * generator.standard_normal((9, seeds, examples))
    return values, resample_scores([means(cell) for cell in values], resamples=4000)


def test_on_a_complete_grid_it_is_the_least_squares_estimate() -> None:
    """Method, model and task as fixed effects, by NumPy."""
    tasks = [task(number, seeds=2) for number in range(3)]
    effect = mean_of([contrast(scores, FIRST, SECOND) for _, scores in tasks])
    rows, scores = [], []
    for number, (values, _) in enumerate(tasks):
        for cell, seeds in enumerate(values.mean(axis=2)):
            for value in seeds:
                rows.append(
                    [
                        cell % 3 == 0,
                        cell % 3 == 1,
                        cell % 3 == 2,
                        *(cell // 3 == np.arange(2)),
                        *(number == np.arange(2)),
                    ]
                )
                scores.append(value)
    estimate = np.linalg.lstsq(np.array(rows, dtype=float), np.array(scores), rcond=None)[0]
    assert effect.difference == pytest.approx(estimate[0] - estimate[1])


def test_one_block_of_one_task_is_the_paired_test() -> None:
    _, scores = task(3, seeds=3, seed_sd=0.02)
    one, tests = contrast(scores, [0], [1]), compare_pairs(scores)
    assert one.difference == pytest.approx(tests.difference[0])
    assert one.p_value == pytest.approx(tests.p_value[0], rel=1e-6)


def test_with_one_seed_it_is_students_t_over_the_rows_mean_differences() -> None:
    values, scores = task(4, seeds=1, examples=40)
    effect = contrast(scores, FIRST, SECOND)
    by_row = (values[FIRST] - values[SECOND]).mean(axis=(0, 1))
    theirs = stats.ttest_1samp(by_row, 0)
    assert effect.p_value == pytest.approx(theirs.pvalue, rel=0.08)
    low, high = theirs.confidence_interval()
    assert effect.interval() == pytest.approx((low, high), abs=0.04 * (high - low))


def test_tasks_are_independent() -> None:
    """The standard error over three tasks is the root of the sum of the squares, over three."""
    contrasts = [contrast(task(number, seeds=3, seed_sd=0.02)[1], FIRST, SECOND) for number in range(3)]
    together = mean_of(contrasts)
    assert together.variance.mean() == pytest.approx(sum(one.variance.mean() for one in contrasts) / 9)
    widest = max(np.quantile(one.variance, 0.99) / one.variance.mean() for one in contrasts)
    assert np.quantile(together.variance, 0.99) / together.variance.mean() < widest


def test_one_group_of_rows_gives_no_interval() -> None:
    values, _ = task(5, seeds=2, examples=20)
    scores = resample_scores([means(cell) for cell in values], np.zeros(20, dtype=int), resamples=200)
    assert np.isnan(contrast(scores, FIRST, SECOND).interval()).all()
