"""The permutation test of several sets of answers to the same examples."""

from itertools import product

import numpy as np
import pytest

from tunegrid.results.statistics.permutations import spread_p_value


def mean_of(examples):
    return lambda sums: sums[..., 0] / examples


def statistics(*seeds):
    """[examples, sets] of each seed -> [seeds, examples, sets, 1]."""
    return np.array(seeds, dtype=float)[..., None]


def test_the_p_value_is_the_share_of_all_deals_that_spread_as_far():
    """Five examples, two sets: all 32 deals counted by hand."""
    answers = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [1, 1]])
    deals = [
        np.array([row if keep else row[::-1] for row, keep in zip(answers, kept, strict=True)])
        for kept in product((True, False), repeat=5)
    ]
    exact = np.mean([deal.mean(axis=0).var() >= answers.mean(axis=0).var() - 1e-12 for deal in deals])
    drawn = spread_p_value(statistics(answers), mean_of(5), permutations=4_000)
    assert drawn == pytest.approx(exact, abs=0.04)
    assert exact == 10 / 16


def test_sets_that_differ_are_told_and_sets_that_are_the_same_are_not():
    generator = np.random.default_rng(1)
    right = (generator.random((300, 3)) < [0.5, 0.5, 0.8]).astype(int)
    assert spread_p_value(statistics(right), mean_of(300)) < 0.01
    same = np.repeat(generator.random((300, 1)) < 0.5, 3, axis=1).astype(int)
    assert spread_p_value(statistics(same), mean_of(300)) == 1.0


def test_where_nothing_differs_a_twentieth_of_the_p_values_is_below_a_twentieth():
    """Answers of the sets share what is hard about an example; three seeds share it, too."""
    generator, below, studies = np.random.default_rng(2), 0, 400
    for _ in range(studies):
        hard = generator.random((1, 60, 1))
        answers = (generator.random((3, 60, 4)) < hard).astype(float)[..., None]
        below += spread_p_value(answers, mean_of(60), permutations=99) <= 0.05
    assert 0.02 <= below / studies <= 0.085


def test_seeds_that_prefer_different_sets_do_not_cancel():
    """The first seed answers best in one wording, the second in the other."""
    answers = np.zeros((100, 2), dtype=int)
    answers[:60, 0] = 1
    assert spread_p_value(statistics(answers, answers[:, ::-1]), mean_of(100)) < 0.01


def test_examples_of_one_unit_change_places_together():
    """Forty examples of two units are two coins, not forty."""
    answers = np.tile([1, 0], (40, 1))
    units = np.repeat([0, 1], 20)
    assert spread_p_value(statistics(answers), mean_of(40)) < 0.01
    assert spread_p_value(statistics(answers), mean_of(40), units) == pytest.approx(0.5, abs=0.06)


def test_a_score_of_the_whole_corpus_is_computed_from_the_sums_of_each_deal():
    """Precision, say: the sums of right and of all tokens, whose ratio no mean over examples is."""
    generator = np.random.default_rng(3)
    tokens = generator.integers(1, 20, (1, 200, 2))
    right = np.stack([generator.binomial(tokens[..., 0], 0.5), generator.binomial(tokens[..., 1], 0.7)], axis=-1)
    pairs = np.stack([right, tokens], axis=-1)
    assert spread_p_value(pairs, lambda sums: sums[..., 0] / sums[..., 1]) < 0.01
