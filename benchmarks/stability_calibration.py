"""Whether the stability of a recommendation is what fresh studies show.

Usage: python benchmarks/stability_calibration.py [--studies 200]

Each simulated study, made as in `statistics_coverage.py`, has nine cells whose true scores lie a few points apart; the
n-th costs the n-th least. It is run twice, with other seeds and other test rows of the same truth. The stability that
the first predicts is compared with whether the rule recommends the same cell in the second. Everything is seeded.

Columns: bin of the predicted stability, number of studies in it, mean of the predicted stability, share of the fresh
studies that recommend the same cell.
"""

import argparse
from itertools import pairwise

import numpy as np
from statistics_coverage import CELLS, MEAN, Regime, one_study

from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.statistics.recommend import Candidate, Recommendation, from_tests

EDGES = (0, 0.2, 0.4, 0.6, 0.8, 1.0000001)
DESIGNS = tuple((examples, seeds) for examples in (100, 1000) for seeds in (2, 3, 5))


def recommended(generator: np.random.Generator, regime: Regime, truth: np.ndarray) -> Recommendation:
    """What one study of a truth recommends."""
    right = one_study(generator, regime, truth, None)[:, :-1]
    rows = [ExampleStatistics(np.stack([cell, np.ones_like(cell)], axis=-1), MEAN) for cell in right]
    scores = resample_scores(rows, resamples=1000)
    cells = [Candidate("model", str(n), s, f"{s:.3f}", n + 1, CELLS) for n, s in enumerate(scores.point)]
    return from_tests(cells, scores, "accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--studies", type=int, default=200, help="of each design: 100 and 1,000 examples; 2, 3, 5 seeds"
    )
    studies = parser.parse_args().studies
    everything = []
    print("examples  seeds  predicted  studies  mean predicted  same in a fresh study")
    for examples, seeds in DESIGNS:
        generator, figures = np.random.default_rng([examples, seeds]), []
        for _ in range(studies):
            truth = 0.75 + 0.03 * generator.standard_normal(CELLS)
            first, second = (recommended(generator, Regime("", examples, seeds), truth) for _ in range(2))
            figures.append((first.stability, first.chosen.method == second.chosen.method))
        everything += figures
        _print(f"{examples:8}  {seeds:5}", np.array(figures, dtype=float))
    _print("     all    all", np.array(everything, dtype=float))


def _print(design: str, figures: np.ndarray) -> None:
    for low, high in [*pairwise(EDGES), (0, EDGES[-1])]:
        inside = figures[(figures[:, 0] >= low) & (figures[:, 0] < high)]
        if len(inside):
            predicted, again = inside.mean(axis=0)
            print(f"{design}  {low:.1f}..{high:.1f}  {len(inside):9}  {predicted:14.2f}  {again:8.2f}", flush=True)


if __name__ == "__main__":
    main()
