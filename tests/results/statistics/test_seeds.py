"""What other seeds might have given: against formulas worked by hand, textbook intervals, and simulated studies."""

import numpy as np
import pytest
from scipy import stats

from tunegrid.results.statistics import seeds
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.statistics.paired_tests import compare_pairs
from tunegrid.results.statistics.seeds import moderate
from tunegrid.tasks.metrics.label_counts import Accuracy

MEAN = Accuracy().aggregate


def means(values: np.ndarray) -> ExampleStatistics:
    """A row of mean scores from [seeds, examples]."""
    return ExampleStatistics(np.stack([values, np.ones_like(values)], axis=-1), MEAN)


def test_one_cell_alone_gets_students_interval() -> None:
    """No noise of examples: the interval of the mean of three seeds is that of the t distribution with 2 degrees."""
    scores = np.array([0.50, 0.52, 0.57])
    resampled = np.repeat(scores[None], 100_000, axis=0)
    generator = np.random.default_rng(0)
    variances = seeds.draw_variances([scores], [resampled], 100_000, generator)
    expected = stats.t(2, scale=scores.std(ddof=1) / np.sqrt(3)).ppf([0.025, 0.25, 0.975])
    for draws in (variances.moderated[0], variances.own[0]):
        drawn = np.sqrt(draws) * generator.standard_normal(100_000)
        assert np.quantile(drawn, [0.025, 0.25, 0.975]) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("count", [2, 3])
def test_a_collapsed_seed_does_not_widen_the_other_cells(count: int) -> None:
    """Few cells show no pattern that a far noisier one could fall out of, so it is kept out by its collapse."""
    sound = [np.array([0.90, 0.91]) + 0.004 * number * np.array([0, 1]) for number in range(count)]
    collapsed = [*sound, np.array([0.93, 0.50])]
    expected = seeds.between_seeds(sound)
    moderated = seeds.between_seeds(collapsed, [False] * count + [True])
    assert moderated.variance == pytest.approx([*expected.variance, collapsed[-1].var(ddof=1)])
    assert moderated.degrees == pytest.approx([*expected.degrees, 1])
    assert seeds.between_seeds(collapsed).variance[0] > 1.05 * expected.variance[0]
    assert seeds.next_run(collapsed, 0.95, [False] * count + [True])[:count] == seeds.next_run(sound, 0.95)


def test_where_every_cell_has_a_collapsed_seed_they_are_moderated_together() -> None:
    scores = [np.array([0.9, 0.5]), np.array([0.91, 0.52]), np.array([0.9])]
    together = seeds.between_seeds(scores)
    assert seeds.between_seeds(scores, [True, True, False]).variance == pytest.approx(together.variance)


def test_cells_that_differ_no_more_than_chance_are_pooled() -> None:
    """Equal variances: the common one, with the degrees of freedom of all cells together."""
    moderated = moderate(np.array([2.0, 2.0, 2.0, 2.0]), np.array([2, 2, 2, 2]))
    assert moderated.variance == pytest.approx([2, 2, 2, 2], rel=0.1)
    assert moderated.degrees == pytest.approx([8, 8, 8, 8])


def test_moderation_is_smyths() -> None:
    """s'² and d' are the weighted means of Smyth (2004) with one d₀ and s₀² for cells that are no outliers."""
    variances, degrees = np.array([1.0, 0.6, 1.5, 0.9, 1.2, 0.8]), np.full(6, 4)
    moderated = moderate(variances, degrees)
    prior_degrees = moderated.degrees - degrees
    prior = (moderated.variance * moderated.degrees - degrees * variances) / prior_degrees
    assert prior_degrees == pytest.approx(np.full(6, prior_degrees[0]), rel=0.1)
    assert prior == pytest.approx(np.full(6, 1.0), rel=0.1)
    assert (np.abs(moderated.variance - 1) <= np.abs(variances - 1) + 0.05).all()


@pytest.mark.parametrize("odd", [0.0, 1e-6, 1e-3, 50.0, 1e4])
def test_a_cell_unlike_the_others_does_not_change_what_they_share(odd: float) -> None:
    """A failed cell has seeds that agree, a collapsed one seeds that do not: the others are moderated as without it."""
    variances, degrees = np.array([1.0, 1.3, 0.5, 0.8, 2.0, 1.1, 0.7, 0.9]), np.full(8, 2)
    without = moderate(variances, degrees)
    moderated = moderate(np.append(variances, odd), np.append(degrees, 2))
    assert moderated.variance[:8] == pytest.approx(without.variance, rel=0.15)
    assert (moderated.degrees[:8] > 0.6 * without.degrees).all()
    if odd > 1:
        assert moderated.degrees[8] < 4  # it is shrunk little: nearly its own two degrees
        assert moderated.variance[8] > 0.4 * odd


def test_fitted_prior_is_the_one_that_the_variances_were_drawn_from() -> None:
    generator = np.random.default_rng(4)
    true = 3.0 * 8 / generator.chisquare(8, 20_000)  # s0^2 = 3, d0 = 8
    observed = true * generator.chisquare(4, 20_000) / 4
    prior, degrees, outlying = seeds._fit(observed[:2000], np.full(2000, 4.0))
    assert prior == pytest.approx(3.0, rel=0.1)
    assert degrees == pytest.approx(8.0, rel=0.1)
    assert outlying.mean() < 0.1


def test_a_cell_with_one_seed_borrows_from_the_others() -> None:
    moderated = moderate(np.array([4.0, 4.0, np.nan]), np.array([2, 2, 0]))
    assert moderated.variance == pytest.approx([4, 4, 4], rel=0.25)
    alone = moderate(np.array([4.0, np.nan]), np.array([2, 0]))
    assert alone.variance == pytest.approx([4, 4])
    assert alone.degrees == pytest.approx([2, 2])


def test_seeds_that_agree_exactly_add_nothing() -> None:
    values = np.repeat(np.random.default_rng(1).random((1, 60)), 3, axis=0)
    once = resample_scores([means(values[:1])], resamples=500)
    thrice = resample_scores([means(values)], resamples=500)
    assert thrice.interval(0) == pytest.approx(once.interval(0))


def test_one_seed_per_cell_tells_nothing_of_other_seeds() -> None:
    assert seeds.draw_variances([np.array([0.5])], [np.zeros((9, 1))], 9, np.random.default_rng(0)) is None
    assert seeds.next_run([np.array([0.5]), np.array([0.7])], 0.95) == [None, None]


def test_the_interval_of_one_more_run_is_the_textbooks() -> None:
    """Student's prediction interval, mean ± t s √(1 + 1/k), and Smyth's variance where there are several cells."""
    scores = np.array([0.50, 0.52, 0.57])
    (interval,) = seeds.next_run([scores], 0.95)
    half = stats.t(2).ppf(0.975) * scores.std(ddof=1) * np.sqrt(4 / 3)
    assert interval == pytest.approx((scores.mean() - half, scores.mean() + half))
    assert seeds.next_run([np.array([0.97, 0.999])], 0.95)[0][1] == 1


def test_one_more_run_falls_within_its_interval() -> None:
    generator, held = np.random.default_rng(3), 0
    for _ in range(300):
        runs = 0.6 + 0.02 * generator.standard_normal((9, 4))
        ahead = seeds.next_run(list(runs[:, :3]), 0.95)
        held += sum(low <= score <= high for (low, high), score in zip(ahead, runs[:, 3], strict=True))
    assert held / 2700 == pytest.approx(0.95, abs=0.012)


def test_rows_without_seeds_are_not_shifted() -> None:
    values = np.random.default_rng(2).random((3, 40))
    plain = ExampleStatistics(means(values[:1]).values, MEAN, seeded=False)
    seeded = means(np.clip(values + np.array([[0.0], [0.1], [0.3]]), 0, 1))
    scores = resample_scores([plain, seeded], resamples=300)
    assert scores.interval(0) == pytest.approx(resample_scores([means(values[:1])], resamples=300).interval(0))
    assert scores.seeds.moderated[0].max() == 0 < scores.seeds.moderated[1].max()
    assert scores.resampled[1].std() > 2 * scores.resampled[0].std()


def test_noise_of_the_examples_is_not_counted_twice() -> None:
    """Seeds that differ only by what a small test set makes of them: their variance is explained, little is added."""
    generator = np.random.default_rng(7)
    shares = []
    for _ in range(40):
        rows = [means(generator.random((5, 80))) for _ in range(9)]
        scores = resample_scores(rows, resamples=400)
        shares += list(np.median(scores.seeds.moderated, axis=1) / np.diag(scores.covariance))
    assert np.median(shares) < 0.5  # counted twice: 1


@pytest.mark.parametrize("spread", [(0.0, 0.0), (0.02, 0.02), (0.04, 0.0126)])
def test_simulated_studies_are_covered_and_not_rejected(spread: tuple[float, float]) -> None:
    """The promise itself, in small; benchmarks/statistics_coverage.py does it with 1,000 studies."""
    generator = np.random.default_rng([11, round(1e4 * spread[1])])
    studies, rejected, covered = 120, 0, np.zeros(9)
    sd = np.array([spread[0]] * 4 + [spread[1]] * 5)
    for _ in range(studies):
        shares = 0.7 + sd[:, None, None] * generator.standard_normal((9, 3, 1))
        right = (generator.random((9, 3, 400)) < shares).astype(float)
        scores = resample_scores([means(block) for block in right], resamples=400)
        ends = np.array([scores.interval(row) for row in range(9)])
        covered += (ends[:, 0] <= 0.7) & (ends[:, 1] >= 0.7)
        rejected += bool((compare_pairs(scores).adjusted <= 0.05).any())
    noisy, calm = covered[:4].mean() / studies, covered[4:].mean() / studies
    assert min(noisy, calm) >= 0.93
    assert rejected / studies <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)
