"""How often the intervals cover and the tests reject, in simulated studies of which the truth is known; and how fast.

Usage: python benchmarks/statistics_coverage.py [--studies 1000] [--only TEXT] [--csv FILE]
       python benchmarks/statistics_coverage.py --pooled [--studies 1000] [--csv FILE]
       python benchmarks/statistics_coverage.py --speed

A simulated study is a task of nine cells that answer each of n test examples rightly or wrongly. An answer is right if
a normal variable is above the threshold of the cell's true score: it is made of the seed's own effect, the difficulty
of the example, which all cells share (half of the rest's variance), what the cell makes of the example (.2) and what
the run does (.3). The true score is the mean over all examples and seeds. Everything is seeded.

Columns: the share of 95 % intervals that hold the true score, over all cells (`coverage`) and of the worst cell; the
share of studies in which a test separates two cells that are equally good (`level`); the share of pairs of the best
cell and another that are separated (`power`); the share of fresh runs on the same test set that the interval for one
more run holds (`agrees`).

`--pooled`: what the variance between seeds of the other tasks would do for few seeds. A study has three tasks of 1,000
examples, whose first cell is six points better; in the last task the seeds vary more. Level and power of its tests and
of those of the first two tasks, with variances moderated by the task's own cells (as the package does) and by all.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np

from tunegrid.results.statistics import intervals, power
from tunegrid.results.statistics.effects import contrast, mean_of
from tunegrid.results.statistics.intervals import ALPHA, ExampleStatistics, resample_scores
from tunegrid.results.statistics.over_tasks import interquartile_mean, profile, resample_runs
from tunegrid.results.statistics.paired_tests import compare_pairs
from tunegrid.results.statistics.recommend import Candidate, from_tests
from tunegrid.results.statistics.replication import probability_best
from tunegrid.results.statistics.seeds import between_seeds, inverse_chi_squared, next_run
from tunegrid.tasks.metrics.bleu import Bleu
from tunegrid.tasks.metrics.label_counts import Accuracy

MEAN = Accuracy().aggregate
CELLS, RESAMPLES = 9, 1000
HEADS = ("regime", "examples", "seeds", "studies", "coverage", "worst_cell", "level", "power", "agrees")
POOLED_HEADS = "seeds factor studies level power level_last power_last".split()
POOLED_HEADS += [f"pooled_{name}" for name in POOLED_HEADS[3:]]
# Examples and statistics per example of the paper's test sets: exact match, BLEU, accuracy.
PAPER = {"qa": (10_570, 2, MEAN), "translation": (2_999, 10, Bleu().aggregate)}
PAPER["sentiment"] = (25_000, 2, MEAN)


@dataclass(frozen=True)
class Regime:
    """Studies of one kind.

    Attributes:
        score: true score of every cell; `better`: how much higher that of the first cell is.
        spread: standard deviation of the seeds' effect in score, of each cell.
        failed: what the last cell is instead: "zeros", "nearly zeros" or "equal seeds".
        groups: number of groups that share a tenth of the difficulty; 0: none. `uneven`: sizes from 1 to 5.
    """

    name: str
    examples: int
    seeds: int
    spread: tuple[float, ...] = (0.015,) * CELLS
    score: float = 0.7
    better: float = 0.0
    failed: str = ""
    groups: int = 0
    uneven: bool = False

    @property
    def compared(self) -> int:
        """Number of cells that count: all but the failed one."""
        return CELLS - bool(self.failed)


def regimes() -> Iterator[Regime]:
    """All regimes, in the order of the table."""
    for examples, seeds in ((30, 1), (30, 3), (100, 1), (100, 2), (100, 3), (1000, 1), (1000, 2), (1000, 3)):
        yield Regime("alike, sd 1.5", examples, seeds)
    for examples, seeds in ((1000, 5), (1000, 10)):
        yield Regime("alike, sd 1.5", examples, seeds)
    for spread in (0.005, 0.04):
        for seeds in (1, 2, 3, 5, 10):
            yield Regime(f"alike, sd {100 * spread:g}", 1000, seeds, (spread,) * CELLS)
    for examples, better in ((100, 0.15), (1000, 0.06)):
        for seeds in (1, 2, 3, 5, 10):
            regime = Regime(f"best +{100 * better:.0f}, sd 1.5", examples, seeds, better=better)
            yield regime
            if seeds > 1:
                for failed in ("zeros", "nearly zeros", "equal seeds"):
                    yield replace(regime, name=f"{regime.name}, one cell: {failed}", failed=failed)
    unequal = {
        "variance x 10 in 4 cells": (0.0126,) * 5 + (0.04,) * 4,
        "variance x 10 in 1 cell": (0.0126,) * 8 + (0.04,),
        "variance x 100 in 1 cell": (0.005,) * 8 + (0.05,),
        "variance x 100 in 5 cells": (0.005,) * 4 + (0.05,) * 5,
    }
    for name, spread in unequal.items():
        for seeds in (2, 3, 5, 10):
            yield Regime(name, 1000, seeds, spread)
    for score in (0.01, 0.99, 0.002):
        for examples in (30, 100, 1000):
            for seeds in (1, 3):
                yield Regime(f"score {score:g}", examples, seeds, (0.001,) * CELLS, score)
    for groups in (5, 10, 20, 48):
        for seeds in (1, 3):
            for uneven in (False, True):
                name = f"{groups} articles{', uneven' if uneven else ''}"
                yield Regime(name, 1000, seeds, (0.0,) * CELLS, groups=groups, uneven=uneven)


def main() -> None:
    options = _options()
    if options.speed:
        speed()
        return
    share_resamples()
    with options.csv.open("w", newline="") if options.csv else sys.stdout as file:
        writer = csv.writer(file)
        if options.pooled:
            writer.writerow(POOLED_HEADS)
            for seeds in (2, 3):
                for factor in (1, 2, 4):
                    writer.writerow(pooled(seeds, factor, options.studies * 3 // 10))
                    file.flush()
            return
        writer.writerow(HEADS)
        for regime in regimes():
            if options.only in regime.name:
                slow = regime.examples >= 1000
                writer.writerow(simulate(regime, options.studies * 3 // 10 if slow else options.studies))
                file.flush()


def simulate(regime: Regime, studies: int) -> list[object]:
    """A row of the table."""
    generator = np.random.default_rng([regime.examples, regime.seeds, *regime.name.encode()])
    cells = regime.compared
    truth = np.full(CELLS, regime.score) + regime.better * (np.arange(CELLS) == 0)
    groups = _groups(regime)
    covered, level, power, agrees = np.zeros(cells), 0, 0.0, 0.0
    for _ in range(studies):
        right = one_study(generator, regime, truth, groups)
        fresh, right = right[:, -1].mean(axis=1), right[:, :-1]
        rows = [_row(values, groups) for values in right]
        scores = resample_scores(rows, groups, RESAMPLES)
        ends = np.array([scores.interval(cell) for cell in range(cells)])
        covered += (ends[:, 0] <= truth[:cells]) & (truth[:cells] <= ends[:, 1])
        tests = compare_pairs(scores)
        rejected, counts = tests.adjusted <= ALPHA, tests.second < cells
        best = (tests.first == 0) & (regime.better > 0)
        level += rejected[counts & ~best].any()
        power += rejected[counts & best].mean() if best.any() else 0
        for score, ahead in zip(fresh[:cells], next_run([row.points for row in rows], 1 - ALPHA), strict=False):
            agrees += ahead is not None and ahead[0] - 1e-9 <= score <= ahead[1] + 1e-9
    figures = [covered.mean() / studies, covered.min() / studies, level / studies]
    figures += [power / studies if regime.better else np.nan, agrees / studies / cells if regime.seeds > 1 else np.nan]
    row = [regime.name, regime.examples, regime.seeds, studies]
    return row + ["" if np.isnan(figure) else f"{figure:.3f}" for figure in figures]


def pooled(seeds: int, factor: float, studies: int) -> list[object]:
    """A row of the table of `--pooled`; `factor`: how much larger the last task's sd of seeds is than 1 point."""
    generator = np.random.default_rng([seeds, studies])
    truth = 0.7 + 0.06 * (np.arange(CELLS) == 0)
    counts = np.zeros((2, 3, 2))  # [own or pooled, tasks, level and power]
    for _ in range(studies):
        tasks, points = [], []
        for spread in (0.01, 0.01, 0.01 * factor):
            regime = Regime("pooled", 1000, seeds, (spread,) * CELLS)
            rows = [_row(cell, None) for cell in one_study(generator, regime, truth, None)[:, :-1]]
            tasks.append(resample_scores(rows, None, RESAMPLES))
            points += [row.points for row in rows]
        together = between_seeds(points)
        for number, scores in enumerate(tasks):
            cells = slice(CELLS * number, CELLS * (number + 1))
            draws = [
                np.maximum(variance * inverse_chi_squared(degrees, RESAMPLES, generator) - explained, 0) / seeds
                for variance, degrees, explained in zip(
                    together.variance[cells], together.degrees[cells], scores.seeds.explained, strict=True
                )
            ]
            others = replace(scores, seeds=replace(scores.seeds, moderated=np.array(draws)))
            for kind, known in enumerate((scores, others)):
                tests = compare_pairs(known)
                rejected, best = tests.adjusted <= ALPHA, tests.first == 0
                counts[kind, number] += rejected[~best].any(), rejected[best].mean()
    own, shared = counts / studies
    figures = [*own[:2].mean(axis=0), *own[2], *shared[:2].mean(axis=0), *shared[2]]
    return [seeds, factor, studies, *(f"{figure:.3f}" for figure in figures)]


def one_study(
    generator: np.random.Generator, regime: Regime, truth: np.ndarray, groups: np.ndarray | None
) -> np.ndarray:
    """Right (1) and wrong (0) answers, [cells, seeds + 1, examples]; the last run is a fresh one."""
    from scipy.stats import norm

    cells, runs, examples = len(truth), regime.seeds + 1, regime.examples
    difficulty = np.sqrt(0.5) * generator.standard_normal(examples)
    if groups is not None:
        shared = generator.standard_normal(groups.max() + 1)[groups]
        difficulty = np.sqrt(0.4) * generator.standard_normal(examples) + np.sqrt(0.1) * shared
    latent = np.sqrt(0.3) * generator.standard_normal((cells, runs, examples), dtype=np.float32)
    latent += difficulty + np.sqrt(0.2) * generator.standard_normal((cells, 1, examples))
    seeds = np.array(regime.spread) / norm.pdf(norm.ppf(truth))  # in the latent variable's unit
    latent += (seeds[:, None] * generator.standard_normal((cells, runs)))[..., None]
    right = (latent < (norm.ppf(truth) * np.sqrt(1 + seeds**2))[:, None, None]).astype(float)
    if regime.failed == "zeros":
        right[-1] = 0
    elif regime.failed == "nearly zeros":
        right[-1] = generator.random((runs, examples)) < 1.5 / examples
    elif regime.failed == "equal seeds":
        right[-1] = right[-1, :1]
    return right


def _row(values: np.ndarray, groups: np.ndarray | None) -> ExampleStatistics:
    """A cell's answers; their number differs between resamples only if groups of unequal size are drawn."""
    if groups is None:
        return ExampleStatistics(values[..., None], lambda sums: sums[..., 0] / values.shape[1])
    return ExampleStatistics(np.stack([values, np.ones_like(values)], axis=-1), MEAN)


def _groups(regime: Regime) -> np.ndarray | None:
    if not regime.groups:
        return None
    sizes = np.linspace(1, 5, regime.groups) if regime.uneven else np.ones(regime.groups)
    return np.searchsorted(np.cumsum(sizes) / sizes.sum(), (np.arange(regime.examples) + 0.5) / regime.examples)


def share_resamples() -> None:
    """Lets all studies use the same draws, as the package's seed gives them, without making them again."""
    intervals.resampled_sums = _sums


def _sums(statistics: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    return _weights(len(statistics), resamples, seed) @ statistics


@lru_cache(maxsize=1)
def _weights(units: int, resamples: int, seed: int) -> np.ndarray:
    return _drawn(np.eye(units), resamples, seed)


_drawn = intervals.resampled_sums


def speed() -> None:
    """Seconds for the primary metrics of the paper study: nine cells a task, three seeds."""
    generator = np.random.default_rng(0)
    total, of_tasks = 0.0, []
    for task, (examples, width, score) in PAPER.items():
        blocks = [np.full((3, examples, width), 20.0) for _ in range(CELLS)]  # BLEU: lengths and n-grams
        for block in blocks:
            if width == 2:
                block[:] = 1
            counted = slice(0, 1) if width == 2 else slice(2, 6)  # right answers; n-grams that match
            block[..., counted] = generator.integers(0, 2, block[..., counted].shape)
        rows = [ExampleStatistics(block, score) for block in blocks]
        groups = np.arange(examples) // 220 if task == "qa" else None  # SQuAD's development set has 48 articles
        start = time.process_time()
        scores = resample_scores(rows, groups, intervals.RESAMPLES)
        tests = compare_pairs(scores)
        cells = [Candidate("model", str(cell), s, "", cell + 1, CELLS) for cell, s in enumerate(scores.point)]
        from_tests(cells, scores, task)
        probability_best(scores)
        for cell in range(CELLS):
            scores.interval(cell)
        power.smallest_differences(tests, len(tests.p_value))
        power.smallest_differences(tests, 1)
        power.rows_needed(scores, 0, 1, ALPHA / len(tests.p_value))
        power.seeds_needed(scores, 0, 1, ALPHA / len(tests.p_value))
        of_tasks.append(scores)
        seconds = time.process_time() - start
        total += seconds
        print(f"{task:12} {examples:6} examples, {intervals.RESAMPLES} resamples: {seconds:.1f} s of CPU")
    start = time.process_time()
    for place in range(3):  # as many pairs of methods and of models as three of each have
        for pair in combinations([[0, 3, 6], [1, 4, 7], [2, 5, 8]], 2):
            mean_of([contrast(scores, *pair) for scores in of_tasks[: place + 1]]).interval()
    runs = [generator.normal(size=(2000, 3)) for _ in PAPER]
    for _ in range(CELLS):
        drawn = resample_runs(runs)
        np.quantile(interquartile_mean(drawn), [ALPHA / 2, 1 - ALPHA / 2])
        np.quantile(profile(drawn), [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    seconds = time.process_time() - start
    print(f"{'over tasks':12} main effects, interquartile means, profiles: {seconds:.1f} s of CPU")
    print(f"{'all':12} {total + seconds:.1f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="per line; three tenths of it for the slow ones")
    parser.add_argument("--only", default="", help="regimes whose name contains this")
    parser.add_argument("--csv", type=Path, help="write the table to this file")
    parser.add_argument("--pooled", action="store_true", help="pool the variance between seeds over tasks")
    parser.add_argument("--speed", action="store_true", help="time the statistics at the size of the paper study")
    return parser.parse_args()


if __name__ == "__main__":
    main()
