"""Whether the stability of a recommendation is what fresh studies show, and whether the best cell is the best.

Usage: python benchmarks/stability_calibration.py [--studies 300] [--only TEXT] [--csv FILE]

Each simulated study, made as in `statistics_coverage.py`, is run twice, with other seeds and other test rows of the
same true scores. The stability that the first predicts is compared with whether the rule recommends the same cell in
the second; the probability of being best of the first's best cell with whether its true score is the highest. Cells
cost the less the lower their number. With one seed there is no stability. Everything is seeded.

A line for each regime and each bin of what is predicted, then for all regimes together: number of studies, mean of the
prediction, share of the studies in which it came true, and the standard error of that share.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from statistics_coverage import MEAN, Regime, one_study, share_resamples

from tunegrid.results.statistics import replication
from tunegrid.results.statistics.intervals import ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.statistics.recommend import Candidate, Recommendation, from_tests

SCENARIOS = 30  # of the 100 that the package draws: the stability of a single study is known to about .04
EDGES = (0, 0.2, 0.4, 0.6, 0.8, 1.0000001)
MIDDLE = 0.75  # of the true scores
HEADS = ("regime", "examples", "seeds", "cells", "figure", "bin", "studies", "predicted", "true", "standard error")
FIGURES = ("stability", "best")


@dataclass(frozen=True)
class Design:
    """Studies of one kind.

    Attributes:
        seed_sd: standard deviation of the seeds' effect in score, of all cells or of each.
        true_sd: standard deviation of the cells' true scores.
        truth: how these lie: "normal"; "two groups" (a third of the cells 20 points below); "dearer is better".
        margin: of equivalence; None: the cells that nothing separates from the best are tied.
    """

    examples: int
    seeds: int
    cells: int = 9
    seed_sd: float | tuple[float, ...] = 0.015
    true_sd: float = 0.03
    truth: str = "normal"
    name: str = "as usual"
    margin: float | None = None

    @property
    def regime(self) -> Regime:
        spread = self.seed_sd if isinstance(self.seed_sd, tuple) else (self.seed_sd,) * self.cells
        return Regime("", self.examples, self.seeds, spread)

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """True scores, [cells]."""
        truth = MIDDLE + self.true_sd * generator.standard_normal(self.cells)
        if self.truth == "two groups":
            truth[generator.permutation(self.cells)[: self.cells // 3]] -= 0.2
        elif self.truth == "dearer is better":
            truth.sort()
        return np.clip(truth, 0.02, 0.98)


def designs() -> Iterator[Design]:
    """All regimes, in the order of the table."""
    for examples, seeds in (
        (1000, 3),
        (1000, 2),
        (100, 3),
        (1000, 5),
        (100, 2),
        (300, 3),
        (30, 3),
        (1000, 10),
        (100, 5),
    ):
        yield Design(examples, seeds)
    for seed_sd, seeds in ((0.04, 3), (0.005, 3), (0.04, 10)):
        yield Design(1000, seeds, seed_sd=seed_sd, name=f"sd of seeds {100 * seed_sd:g}")
    for true_sd in (0.06, 0.0):
        yield Design(1000, 3, true_sd=true_sd, name=f"sd of true scores {100 * true_sd:g}")
    for truth in ("two groups", "dearer is better"):
        yield Design(1000, 3, truth=truth, name=truth)
    yield Design(1000, 3, seed_sd=(0.0126,) * 5 + (0.04,) * 4, name="variance x 10 in 4 cells")
    for examples, seeds in ((1000, 3), (100, 3), (1000, 5)):
        yield Design(examples, seeds, cells=27, name="27 cells")
    for margin in (0.03, 0.01):
        yield Design(1000, 3, margin=margin, name=f"a margin of {100 * margin:g}")


def recommended(
    generator: np.random.Generator, design: Design, truth: np.ndarray, stability: bool
) -> tuple[Recommendation, ResampledScores]:
    """What one study of a truth recommends, and its scores."""
    right = one_study(generator, design.regime, truth, None)[:, :-1]
    rows = [ExampleStatistics(np.stack([cell, np.ones_like(cell)], axis=-1), MEAN) for cell in right]
    scores = resample_scores(rows, resamples=1000)
    cells = [Candidate("model", str(n), s, f"{s:.3f}", n + 1, len(truth)) for n, s in enumerate(scores.point)]
    return from_tests(cells, scores, "accuracy", margin=design.margin, seeds_known=stability), scores


def simulate(design: Design, studies: int) -> np.ndarray:
    """What is predicted, and whether it came true, [studies, figures, 2]."""
    generator = np.random.default_rng([design.examples, design.seeds, design.cells, *design.name.encode()])
    figures = np.empty((studies, len(FIGURES), 2))
    for number in range(studies):
        truth = design.draw(generator)
        (first, scores), (second, _) = (recommended(generator, design, truth, stability) for stability in (True, False))
        best = scores.point.argmax()
        figures[number, 0] = first.stability, first.chosen.method == second.chosen.method
        highest = truth == truth.max()
        figures[number, 1] = replication.probability_best(scores)[best], highest[best] / highest.sum()
    return figures


def lines(names: Sequence[object], figures: np.ndarray) -> Iterator[list[object]]:
    """A line for each figure and bin that a study is in, and for all."""
    for number, figure in enumerate(FIGURES):
        for low, high in [*pairwise(EDGES), (EDGES[0], EDGES[-1])]:
            inside = figures[(figures[:, number, 0] >= low) & (figures[:, number, 0] < high), number]
            if count := len(inside):
                predicted, true = inside.mean(axis=0)
                error = np.sqrt(predicted * (1 - predicted) / count)
                printed = [f"{value:.3f}" for value in (predicted, true, error)]
                yield [*names, figure, f"{low:.1f} to {high:.1f}", count, *printed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=300, help="of each regime")
    parser.add_argument("--only", default="", help="regimes whose name contains this")
    parser.add_argument("--csv", type=Path, help="write the table to this file, too")
    options = parser.parse_args()
    share_resamples()
    replication.SCENARIOS = SCENARIOS
    table: list[list[object]] = []
    everything = []

    def show(names: Sequence[object], figures: np.ndarray) -> None:
        for line in lines(names, figures):
            table.append(line)
            print(*line, sep="\t", flush=True)

    print(*HEADS, sep="\t")
    for design in designs():
        if options.only in design.name:
            everything.append(simulate(design, options.studies))
            show([design.name, design.examples, design.seeds, design.cells], everything[-1])
    show(["all", "", "", ""], np.concatenate(everything))
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file).writerows([HEADS, *table])


if __name__ == "__main__":
    main()
