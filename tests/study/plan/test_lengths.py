"""Token lengths of a plan: estimates against drawn samples."""

import numpy as np
import pytest

from tunegrid.study.plan.lengths import Lengths, from_quantiles


def _log(mean: float, spread: float) -> tuple[float, float]:
    sigma = np.sqrt(np.log1p(spread**2))
    return np.log(mean) - sigma**2 / 2, sigma


def test_lengths_cut_at_a_limit_are_those_of_a_drawn_sample():
    generator = np.random.default_rng(0)
    sigma = np.sqrt(np.log1p(0.74**2))
    drawn = generator.lognormal(np.log(300) - sigma**2 / 2, sigma, 200_000)
    found = Lengths.estimate(300, 0.74, 512, 25_000)
    assert found.mean == pytest.approx(np.minimum(drawn, 512).mean(), rel=0.01)
    assert found.longest == 512
    uncut = Lengths.estimate(30, 0.3, 512, 1000)
    assert uncut.mean == pytest.approx(30, rel=0.01)
    assert uncut.longest_of(32) == pytest.approx(
        np.median(generator.lognormal(*_log(30, 0.3), (4000, 32)).max(1)), rel=0.05
    )


def test_lengths_by_quantiles_are_near_those_they_were_taken_of():
    drawn = np.random.default_rng(1).lognormal(*_log(100, 0.4), 5000)
    quantiles = {str(q): float(np.quantile(drawn, q)) for q in (0.5, 0.9, 0.99, 1.0)}
    stats = {"splits": {"train": {"rows": 5000, "source_length": quantiles, "target_length": quantiles}}}
    found = from_quantiles(stats, (512, 512))["train"]
    assert found.source.mean == pytest.approx(drawn.mean(), rel=0.03)
