"""What a fresh study would show, against studies that are drawn afresh."""

import numpy as np
import pytest

from tunegrid.results.statistics.intervals import ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.statistics.replication import fresh_studies

ROWS, EXAMPLES, SEEDS = 8, 400, 3


def study(generator: np.random.Generator, truth: np.ndarray) -> ResampledScores:
    right = generator.random((len(truth), SEEDS, EXAMPLES)) < truth[:, None, None]
    rows = [ExampleStatistics(cell[..., None].astype(float), lambda sums: sums[..., 0] / EXAMPLES) for cell in right]
    return resample_scores(rows, resamples=500)


@pytest.mark.parametrize(("between", "most"), [(0.0, 2.0), (0.05, 1.35)])
def test_the_spread_of_cells_in_a_fresh_study_is_predicted_as_it_is_seen(between: float, most: float) -> None:
    """Where the cells do not differ at all the observed scores with two draws of noise would have three times of it."""
    generator, predicted, seen = np.random.default_rng(1), [], []
    for _ in range(60):
        truth = 0.7 + between * generator.standard_normal(ROWS)
        first, second = (study(generator, truth) for _ in range(2))
        predicted.append(fresh_studies(first).resampled.var(axis=0, ddof=1).mean())
        seen.append(second.point.var(ddof=1))
    assert 0.75 < np.mean(predicted) / np.mean(seen) < most


def test_two_cells_are_predicted_around_what_they_scored() -> None:
    scores = study(np.random.default_rng(2), np.array([0.9, 0.6]))
    fresh = fresh_studies(scores).resampled
    assert fresh.mean(axis=1) == pytest.approx(scores.point, abs=0.01)
    assert np.allclose(fresh.var(axis=1) / scores.resampled.var(axis=1), 2, rtol=0.2)
