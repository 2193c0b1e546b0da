"""What other seeds might have given: against formulas worked by hand, textbook intervals, and simulated studies."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from tunegrid.results.statistics import seeds
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.statistics.paired_tests import compare_pairs
from tunegrid.results.statistics.seeds import moderate
from tunegrid.tasks.metrics.accuracy import Accuracy

MEAN = Accuracy().aggregate


def means(values: np.ndarray) -> ExampleStatistics:
    """A row of mean scores from [seeds, examples]."""
    return ExampleStatistics(np.stack([values, np.ones_like(values)], axis=-1), MEAN)


def test_one_cell_alone_gets_students_interval() -> None:
    """No noise of examples: the interval of the mean of three seeds is that of the t distribution with 2 degrees."""
    scores = np.array([0.50, 0.52, 0.57])
    resampled = np.repeat(scores[None], 200_000, axis=0)
    drawn = seeds.shifts([scores], [resampled], 200_000, np.random.default_rng(0))[0]
    expected = stats.t(2, scale=scores.std(ddof=1) / np.sqrt(3)).ppf([0.025, 0.25, 0.975])
    assert np.quantile(drawn, [0.025, 0.25, 0.975]) == pytest.approx(expected, rel=0.03)


def test_cells_that_differ_no_more_than_chance_are_pooled() -> None:
    """Equal variances: the common one, with the degrees of freedom of all cells together."""
    moderated = moderate(np.array([2.0, 2.0, 2.0, 2.0]), np.array([2, 2, 2, 2]))
    assert moderated.variance == pytest.approx([2, 2, 2, 2])
    assert moderated.degrees == pytest.approx([8, 8, 8, 8])


def test_moderation_is_smyths() -> None:
    """Two variances worked by hand after Smyth (2004), section 6.2, with trigamma inverted by root finding."""
    variances, degrees = np.array([1.0, 400.0]), np.array([2, 2])
    # d / 2 = 1: digamma(1) = -0.5772156649, log 1 = 0, trigamma(1) = pi^2 / 6.
    logarithms = np.log(variances) + 0.5772156649
    excess = logarithms.var(ddof=1) - np.pi**2 / 6
    half = brentq(lambda x: polygamma(1, x) - excess, 1e-3, 1e3)
    prior = np.exp(logarithms.mean() + digamma(half) - np.log(half))
    expected = (2 * half * prior + 2 * variances) / (2 * half + 2)
    moderated = moderate(variances, degrees)
    assert moderated.variance == pytest.approx(expected)
    assert moderated.degrees == pytest.approx([2 * half + 2] * 2)
    assert variances[0] < moderated.variance[0] < moderated.variance[1] < variances[1]


def test_fitted_prior_is_the_one_that_the_variances_were_drawn_from() -> None:
    generator = np.random.default_rng(4)
    true = 3.0 * 8 / generator.chisquare(8, 20_000)  # s0^2 = 3, d0 = 8
    observed = true * generator.chisquare(4, 20_000) / 4
    prior, degrees = seeds._fit(observed, np.full(20_000, 4))
    assert prior == pytest.approx(3.0, rel=0.03)
    assert degrees == pytest.approx(8.0, rel=0.1)


def test_a_cell_with_one_seed_borrows_from_the_others() -> None:
    moderated = moderate(np.array([4.0, 4.0, np.nan]), np.array([2, 2, 0]))
    assert moderated.variance == pytest.approx([4, 4, 4])
    alone = moderate(np.array([4.0, np.nan]), np.array([2, 0]))
    assert alone.variance == pytest.approx([4, 4])
    assert alone.degrees == pytest.approx([2, 2])


def test_seeds_that_agree_exactly_add_nothing() -> None:
    values = np.repeat(np.random.default_rng(1).random((1, 60)), 3, axis=0)
    once = resample_scores([means(values[:1])], resamples=500)
    thrice = resample_scores([means(values)], resamples=500)
    assert thrice.resampled == pytest.approx(once.resampled)


def test_one_seed_per_cell_leaves_the_bootstrap_as_it_is() -> None:
    assert seeds.shifts([np.array([0.5])], [np.zeros((9, 1))], 9, np.random.default_rng(0)) is None


def test_rows_without_seeds_are_not_shifted() -> None:
    values = np.random.default_rng(2).random((3, 40))
    plain = ExampleStatistics(means(values[:1]).values, MEAN, seeded=False)
    scores = resample_scores([plain, means(values + np.array([[0.0], [0.3], [0.9]]))], resamples=300)
    assert scores.resampled[0] == pytest.approx(resample_scores([means(values[:1])], resamples=300).resampled[0])
    assert scores.resampled[1].std() > 4 * scores.resampled[0].std()


def test_noise_of_the_examples_is_not_counted_twice() -> None:
    """Seeds that differ only by what a small test set makes of them: their variance is explained, little is added."""
    generator = np.random.default_rng(7)
    widths = []
    for _ in range(40):
        rows = [means(generator.random((5, 80))) for _ in range(9)]
        scores = resample_scores(rows, resamples=400)
        plain = [resample_scores([ExampleStatistics(r.values, r.score, seeded=False)], resamples=400) for r in rows]
        widths += [np.diff(scores.interval(i)) / np.diff(plain[i].interval(0)) for i in range(9)]
    assert np.median(widths) < 1.25  # counted twice: 1.41


@pytest.mark.parametrize("ratio", [0, 1, 4])
def test_simulated_studies_are_covered_and_not_rejected(ratio: int) -> None:
    """The promise itself, in small; benchmarks/statistics_coverage.py does it with 1,000 studies."""
    generator = np.random.default_rng([11, ratio])
    studies, cells, seeds, examples, covered, rejected = 150, 9, 3, 100, 0, 0
    for _ in range(studies):
        spread = np.sqrt(ratio / examples)
        values = generator.standard_normal((cells, 1, examples)) + spread * generator.standard_normal((cells, seeds, 1))
        scores = resample_scores([means(block) for block in values], resamples=1000)
        intervals = [scores.interval(i) for i in range(cells)]
        covered += sum(low <= 0 <= high for low, high in intervals)
        rejected += bool((compare_pairs(scores).adjusted <= 0.05).any())
    assert 0.92 <= covered / studies / cells <= 0.98
    assert rejected / studies <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)
