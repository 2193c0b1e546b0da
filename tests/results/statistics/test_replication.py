"""What a fresh study would show, against studies that are drawn afresh and against formulas worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, norm

from tunegrid.results.statistics import replication
from tunegrid.results.statistics.intervals import ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.statistics.paired_tests import compare_pairs
from tunegrid.results.statistics.recommend import Candidate, from_tests
from tunegrid.results.statistics.replication import (
    SCENARIOS,
    STUDIES,
    _draw_variances,
    fresh_studies,
    probability_best,
)

ROWS, EXAMPLES, SEEDS = 8, 400, 3


def study(
    generator: np.random.Generator, truth: np.ndarray, seed_sd: float = 0.0, seeds: int = SEEDS, resamples: int = 1000
) -> ResampledScores:
    shares = truth[:, None, None] + seed_sd * generator.standard_normal((len(truth), seeds, 1))
    right = generator.random((len(truth), seeds, EXAMPLES)) < shares
    rows = [ExampleStatistics(cell[..., None].astype(float), lambda sums: sums[..., 0] / EXAMPLES) for cell in right]
    return resample_scores(rows, resamples=resamples)


def observed(scores: ResampledScores) -> np.ndarray:
    """What all predicted fresh studies observe, [rows, studies]."""
    return np.concatenate([fresh.resampled for fresh in fresh_studies(scores)], axis=1)


@pytest.mark.parametrize(("between", "most"), [(0.0, 2.0), (0.05, 1.35)])
def test_the_spread_of_cells_in_a_fresh_study_is_predicted_as_it_is_seen(
    between: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the cells do not differ at all the observed scores with two draws of noise would have three times of it."""
    monkeypatch.setattr(replication, "SCENARIOS", 40)
    generator, predicted, seen = np.random.default_rng(1), [], []
    for _ in range(40):
        truth = 0.7 + between * generator.standard_normal(ROWS)
        first, second = (study(generator, truth) for _ in range(2))
        predicted.append(observed(first).var(axis=0, ddof=1).mean())
        seen.append(second.point.var(ddof=1))
    assert 0.75 < np.mean(predicted) / np.mean(seen) < most


def test_two_cells_are_predicted_around_what_they_scored() -> None:
    scores = study(np.random.default_rng(2), np.array([0.9, 0.6]))
    fresh = observed(scores)
    assert fresh.shape == (2, SCENARIOS * STUDIES)
    assert fresh.mean(axis=1) == pytest.approx(scores.point, abs=0.01)
    assert np.allclose(fresh.var(axis=1) / scores.resampled.var(axis=1), 2, rtol=0.35)


def test_a_fresh_study_tests_with_variances_of_its_own() -> None:
    """One cell's seeds tell its variance with two degrees of freedom, and a fresh study's with two others: over this
    study's it is s² F(2, 2) where the test set explains nothing, whose quartiles are 1/3 and 3.
    """
    scores = study(np.random.default_rng(3), np.array([0.7]), seed_sd=0.2)
    half = np.median(scores.seeds.moderated)
    ratios = np.array([np.median(fresh.seeds.moderated) for fresh in fresh_studies(scores)]) / half
    assert np.quantile(ratios, [0.25, 0.5, 0.75]) == pytest.approx([1 / 3, 1, 3], rel=0.35)


@pytest.mark.parametrize(("degrees", "correlation"), [(16.0, 1 - 1 / 64), (8.0, (64 - 4) / 16 / 8), (2.0, 0.0)])
def test_what_the_cells_have_in_common_is_as_uncertain_for_all_of_them(degrees: float, correlation: float) -> None:
    """Eight cells with two degrees each: wholly pooled (16), half, and each by itself. s'² d' / χ²(d') in every case."""
    scores = study(np.random.default_rng(4), np.full(ROWS, 0.7), resamples=4)
    seeds = replace(scores.seeds, degrees=np.full(ROWS, degrees), variance=np.ones(ROWS), explained=np.zeros(ROWS))
    drawn = [_draw_variances(seeds, 200, np.random.default_rng(number))[0] for number in range(20)]
    inverse = degrees / np.concatenate(drawn)  # χ²(d')
    quantiles = [0.1, 0.5, 0.9]
    assert np.quantile(inverse, quantiles) == pytest.approx(chi2(degrees).ppf(quantiles), rel=0.05)
    assert np.corrcoef(inverse.T)[0, 1:] == pytest.approx(np.full(ROWS - 1, correlation), abs=0.06)


def test_forms_of_a_cell_have_the_same_seeds_in_a_fresh_study() -> None:
    generator = np.random.default_rng(5)
    shares = 0.7 + 0.1 * generator.standard_normal((3, 3, 1))
    right = (generator.random((3, 3, EXAMPLES)) < shares).astype(float)
    form = right[0].copy()
    form[:, :4] = 0

    def row(values: np.ndarray, **more) -> ExampleStatistics:
        return ExampleStatistics(values[..., None], lambda sums: sums[..., 0] / EXAMPLES, **more)

    scores = resample_scores([*map(row, right), row(form, form_of=0)], resamples=200)
    for fresh in fresh_studies(scores):
        assert np.array_equal(fresh.seeds.moderated[0], fresh.seeds.moderated[3])
    # The forms stay as near as they are; two cells do not.
    noise = observed(scores)
    assert np.std(noise[0] - noise[3]) < 0.3 * np.std(noise[0] - noise[1])
    assert not np.array_equal(fresh.seeds.moderated[0], fresh.seeds.moderated[1])


def test_one_article_alone_separates_nothing_in_a_fresh_study() -> None:
    right = np.random.default_rng(6).random((3, 3, 40)) < np.array([0.9, 0.5, 0.2])[:, None, None]
    rows = [
        ExampleStatistics(np.stack([cell, np.ones_like(cell)], axis=-1).astype(float), lambda s: s[..., 0] / s[..., 1])
        for cell in right
    ]
    scores = resample_scores(rows, np.zeros(40), resamples=50)
    assert compare_pairs(scores).p_value.tolist() == [1, 1, 1]
    cells = [Candidate("model", str(n), s, "", 3 - n, 3) for n, s in enumerate(scores.point)]
    assert from_tests(cells, scores, "accuracy").stability == 1


@pytest.mark.slow
def test_as_many_fresh_studies_recommend_the_same_as_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """In simulated studies whose cells and seeds differ; `benchmarks/stability_calibration.py` has many more."""
    monkeypatch.setattr(replication, "SCENARIOS", 40)
    generator, predicted, same = np.random.default_rng(7), [], []
    for _ in range(80):
        truth = 0.75 + 0.06 * generator.standard_normal(ROWS)
        chosen = []
        for known in (True, False):
            scores = study(generator, truth, seed_sd=0.02, resamples=400)
            cells = [Candidate("model", str(n), s, "", n + 1, ROWS) for n, s in enumerate(scores.point)]
            recommendation = from_tests(cells, scores, "accuracy", seeds_known=known)
            chosen.append(recommendation.chosen.method)
            if known:
                predicted.append(recommendation.stability)
        same.append(chosen[0] == chosen[1])
    assert abs(np.mean(predicted) - np.mean(same)) < 0.15  # three standard errors


def test_of_two_cells_the_better_is_the_best_as_probably_as_its_lead_is_above_zero() -> None:
    """With one seed the lead is normal around what is seen, with the variance of the test rows: Φ(lead / deviation)."""
    scores = study(np.random.default_rng(7), np.array([0.72, 0.69]), seeds=1, resamples=4000)
    lead = scores.point[0] - scores.point[1]
    variance = scores.covariance[0, 0] + scores.covariance[1, 1] - 2 * scores.covariance[0, 1]
    first, second = probability_best(scores)
    assert first == pytest.approx(norm.cdf(lead / np.sqrt(variance)), abs=0.02)
    assert first + second == pytest.approx(1)


def test_the_first_of_cells_that_do_not_differ_is_the_best_as_seldom_as_chance_has_it() -> None:
    """The highest of eight observed scores leads by luck alone; in the resamples themselves it is far ahead."""
    generator, shares, resampled = np.random.default_rng(8), [], []
    for _ in range(60):
        scores = study(generator, np.full(ROWS, 0.7), seed_sd=0.02)
        best = int(scores.point.argmax())
        shares.append(probability_best(scores)[best])
        resampled.append((scores.resampled.argmax(axis=0) == best).mean())
    assert np.mean(shares) < np.mean(resampled) - 0.05


def test_cells_that_agree_in_all_answers_share_first_place() -> None:
    right = (np.random.default_rng(9).random((2, EXAMPLES)) < 0.7).astype(float)
    statistics = ExampleStatistics(right[..., None], lambda sums: sums[..., 0] / EXAMPLES)
    scores = resample_scores([statistics, replace(statistics, form_of=0)], resamples=200)
    assert probability_best(scores) == pytest.approx([0.5, 0.5])


def test_a_cheap_cell_that_keeps_up_where_dearer_ones_are_better_has_been_lucky() -> None:
    """Its fresh score is expected below what it is where the costs say nothing; that of the dearest is not."""
    scores = study(np.random.default_rng(10), np.full(ROWS, 0.7), seed_sd=0.02)
    scores = replace(scores, point=np.array([0.7, *np.linspace(0.64, 0.8, ROWS - 1)]))
    by_cost = np.concatenate([fresh.resampled for fresh in fresh_studies(scores, range(ROWS))], axis=1).mean(axis=1)
    by_none = observed(scores).mean(axis=1)
    assert by_cost[0] < by_none[0] - 0.005
    assert by_cost[-1] > by_none[-1] - 0.005


def test_the_costs_of_three_cells_say_nothing() -> None:
    scores = study(np.random.default_rng(11), np.array([0.7, 0.6, 0.8]), seed_sd=0.02)
    with_costs = np.concatenate([fresh.resampled for fresh in fresh_studies(scores, [2, 0, 1])], axis=1)
    assert np.array_equal(with_costs, observed(scores))
