"""Paired tests, Holm's correction and ties, compared with SciPy and a worked example."""

from dataclasses import replace

import numpy as np
import pytest

from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.statistics.paired_tests import (
    compare_pairs,
    holm,
    separated_in_resamples,
)
from tunegrid.tasks.metrics.label_counts import Accuracy

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
    assert 0.015 < low < 0.05 < high < 0.085
    overlap = scores.interval(0)[0] < scores.interval(1)[1]
    assert overlap
    assert compare_pairs(scores).p_value[0] < 0.01


def test_holm_on_a_worked_example() -> None:
    """Four p-values worked by hand, the example of the Wikipedia article on the Holm–Bonferroni method."""
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([[0.01, 0.5], [0.5, 0.01]])) == pytest.approx(np.array([[0.02, 0.5], [0.5, 0.02]]))
    assert holm(np.empty(0)).shape == (0,)


@pytest.mark.parametrize("mean", [0.01, 0.02, 0.035, 0.05])
def test_paired_p_values_are_those_of_the_t_test_far_into_the_tail(mean: float) -> None:
    from scipy.stats import ttest_rel

    generator = np.random.default_rng(8)
    first = generator.uniform(0.2, 0.6, 400)
    second = first + generator.uniform(-0.2, 0.2, 400) + mean
    scores = resample_scores([means(first[None]), means(second[None])], resamples=10_000)
    theirs = ttest_rel(first, second).pvalue
    assert np.log10(compare_pairs(scores).p_value[0]) == pytest.approx(
        np.log10(theirs), abs=0.02 - 0.05 * np.log10(theirs)
    )


def test_small_p_values_do_not_hang_on_the_resamples() -> None:
    """At Holm's first level for nine cells, .0014, counting resamples would leave an error of a quarter."""
    generator = np.random.default_rng(2)
    right = (generator.random((2, 3, 1000)) < np.array([0.70, 0.62])[:, None, None]).astype(float)
    values = [compare_pairs(resample_scores([means(x) for x in right], seed=seed)).p_value[0] for seed in range(5)]
    assert 1e-4 < min(values) < 1e-2
    assert max(values) / min(values) < 1.2


@pytest.mark.parametrize("discordant", [(12, 2), (25, 8), (9, 0)])
def test_paired_p_values_are_near_mcnemars(discordant: tuple[int, int]) -> None:
    from scipy.stats import binomtest

    first, second = np.ones(1000), np.ones(1000)
    second[: discordant[0]], first[-discordant[1] :] = 0, 0 if discordant[1] else first[-1:]
    p_value = compare_pairs(resample_scores([means(first[None]), means(second[None])])).p_value[0]
    exact = binomtest(discordant[0], sum(discordant)).pvalue
    assert 0.4 < p_value / exact < 2.5


def test_groups_give_the_p_value_of_their_means() -> None:
    """Six articles of 50 questions: a t test over six differences, not over 300."""
    from scipy.stats import ttest_1samp

    generator = np.random.default_rng(11)
    first = generator.uniform(0.3, 0.7, (6, 50))
    second = first + generator.normal(0.04, 0.05, (6, 1))
    rows = [means(values.reshape(1, -1)) for values in (first, second)]
    tests = compare_pairs(resample_scores(rows, units=np.repeat(np.arange(6), 50)))
    theirs = ttest_1samp((first - second).mean(axis=1), 0).pvalue
    assert tests.p_value[0] == pytest.approx(theirs, rel=0.15)


def test_one_group_tells_nothing() -> None:
    rows = [means(np.ones((1, 40))), means(np.zeros((1, 40)))]
    assert compare_pairs(resample_scores(rows, units=np.zeros(40), resamples=100)).p_value.tolist() == [1]


def test_p_values_of_other_differences_are_those_of_the_test() -> None:
    generator = np.random.default_rng(9)
    rows = [means((generator.random((3, 300)) < share).astype(float)) for share in (0.7, 0.6, 0.5)]
    tests = compare_pairs(resample_scores(rows, resamples=2000))
    assert tests.p_values(tests.difference[:, None])[:, 0] == pytest.approx(tests.p_value)
    assert tests.p_values(np.zeros((3, 1))) == pytest.approx(1)


def failed_cell(kind: str, generator: np.random.Generator, examples: int) -> np.ndarray:
    """Three runs that fail alike, [seeds, examples]."""
    if kind == "nearly zeros":
        return (generator.random((3, examples)) < 0.002).astype(float)
    if kind == "always one label":
        return np.repeat((generator.random((1, examples)) < 0.5).astype(float), 3, axis=0)
    return np.zeros((3, examples))


@pytest.mark.parametrize("kind", ["zeros", "nearly zeros", "always one label"])
def test_a_failed_cell_does_not_hide_what_separates_the_others(kind: str) -> None:
    generator, separated = np.random.default_rng(21), np.zeros(2)
    for _ in range(12):
        shares = 0.7 + 0.015 * generator.standard_normal((9, 3, 1)) + 0.08 * (np.arange(9) == 0)[:, None, None]
        right = (generator.random((9, 3, 1000)) < shares).astype(float)
        for number in range(2):
            tests = compare_pairs(resample_scores([means(values) for values in right], resamples=500))
            separated[number] += tests.separated()[0, 1:8].mean() / 12
            right[8] = failed_cell(kind, generator, 1000)
    assert separated[0] > 0.3
    assert separated[1] > separated[0] - 0.1


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


def test_one_row_alone_has_no_pairs() -> None:
    scores = resample_scores([means(np.eye(1, 30))], resamples=10)
    tests = compare_pairs(scores)
    assert len(tests.p_value) == 0
    assert tests.separated().tolist() == [[False]]
    assert separated_in_resamples(scores, tests).shape == (10, 1, 1)


def test_the_seeds_of_one_cell_do_not_tell_its_forms_apart() -> None:
    """Two forms of the same three runs differ by the choice of the rows alone; rows before them stay as they are."""
    generator = np.random.default_rng(4)
    skills = np.array([[0.55, 0.70, 0.85], [0.60, 0.62, 0.64]])  # the seeds of the first cell lie far apart
    right = (generator.random((2, 3, 500)) < skills[..., None]).astype(float)
    form = right[0].copy()
    form[:, :25] = 0
    cells = [means(values) for values in right]
    whole = resample_scores([*cells, replace(means(form), form_of=0)], resamples=2000)
    alone = resample_scores(cells, resamples=2000)
    for name in ("point", "resampled"):
        np.testing.assert_array_equal(getattr(whole, name)[:2], getattr(alone, name))
    fixed = resample_scores([replace(means(values), seeded=False) for values in (right[0], form)], resamples=2000)
    chosen = whole.rows([0, 2])
    assert compare_pairs(chosen).p_value == pytest.approx(compare_pairs(fixed).p_value)
    assert chosen.difference_interval(1, 0) == pytest.approx(fixed.difference_interval(1, 0))
    own = resample_scores([*cells, means(form)], resamples=2000)  # as if its seeds were others
    assert compare_pairs(own.rows([0, 2])).p_value[0] > 0.3 > 0.05 > compare_pairs(chosen).p_value[0]
    # A fresh study draws seeds once for both.
    noise = whole.resampled - whole.resampled.mean(axis=1, keepdims=True)
    assert np.corrcoef(noise[0], noise[2])[0, 1] > 0.95
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.1
