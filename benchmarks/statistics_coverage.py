"""How often the intervals cover and the tests reject, in simulated studies of which the truth is known; and how fast.

Usage: python benchmarks/statistics_coverage.py [--studies 1000] [--csv FILE]
       python benchmarks/statistics_coverage.py --speed

A simulated study is a task of nine cells that are all equally good, so every rejection is false. A run's score is the
mean over its test examples; `ratio` is the variance that the seed adds to a run's score divided by the variance that
the choice of the examples gives it, `own` the share of the latter that is drawn anew for every run (two seeds of a cell
do not fail on the same examples), and `spread` the standard deviation of the logarithm of the cells' own seed spread
(0: alike). Beside TuneGrid's intervals stand those of the plain percentile bootstrap that resamples seeds and examples.
"""

import argparse
import csv
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np

from tunegrid.results.statistics import intervals
from tunegrid.results.statistics.intervals import ALPHA, ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.statistics.paired_tests import compare_pairs, separated_in_resamples
from tunegrid.tasks.metrics.accuracy import Accuracy
from tunegrid.tasks.metrics.bleu import Bleu

MEAN = Accuracy().aggregate

CELLS, EXAMPLES, RESAMPLES = 9, 200, 2000
HEADS = ("seeds", "ratio", "own", "spread", "studies", "coverage", "coverage_plain", "rejecting", "rejecting_plain")
# Examples and statistics per example of the paper's test sets: exact match, BLEU, accuracy.
PAPER = {"qa": (10_570, 2, MEAN), "translation": (2_999, 10, Bleu().aggregate)}
PAPER["sentiment"] = (25_000, 2, MEAN)


def main() -> None:
    options = _options()
    if options.speed:
        speed()
        return
    writer = csv.writer(options.csv.open("w", newline="") if options.csv else sys.stdout)
    writer.writerow(HEADS)
    for seeds, ratio, own, spread in product((3, 5), (0, 1, 4), (0.0, 0.5), (0.0, 0.7)):
        if ratio or not spread:  # without variance between seeds there is nothing to differ in
            figures = simulate(options.studies, seeds, ratio, own, spread)
            writer.writerow([seeds, ratio, own, spread, options.studies, *(f"{figure:.3f}" for figure in figures)])
            sys.stdout.flush()


def simulate(studies: int, seeds: int, ratio: float, own: float, spread: float) -> tuple[float, float, float, float]:
    """(coverage, the same of the plain bootstrap, share of studies that reject anything, the same of the plain one)."""
    generator = np.random.default_rng([seeds, round(10 * ratio), round(10 * own), round(10 * spread)])
    covered, rejected = np.zeros(2), np.zeros(2)
    for number in range(studies):
        values = one_study(generator, seeds, ratio, own, spread)
        rows = [ExampleStatistics(np.stack([v, np.ones_like(v)], axis=-1), MEAN) for v in values]
        for which, scores in enumerate(
            (resample_scores(rows, resamples=RESAMPLES, seed=number), plain(values, generator))
        ):
            intervals = [scores.interval(cell) for cell in range(CELLS)]
            covered[which] += np.mean([low <= 0 <= high for low, high in intervals])
            rejected[which] += (compare_pairs(scores).adjusted <= ALPHA).any()
    return (*covered / studies, *rejected / studies)


def one_study(generator: np.random.Generator, seeds: int, ratio: float, own: float, spread: float) -> np.ndarray:
    """Scores of examples, [cells, seeds, examples], of mean 0; half of what a cell's seeds share, all cells share."""
    difficulty = generator.standard_normal((1, 1, EXAMPLES))
    of_cell = generator.standard_normal((CELLS, 1, EXAMPLES))
    of_run = generator.standard_normal((CELLS, seeds, EXAMPLES))
    examples = np.sqrt((1 - own) / 2) * (difficulty + of_cell) + np.sqrt(own) * of_run
    scale = np.sqrt(ratio / EXAMPLES) * np.exp(spread * generator.standard_normal((CELLS, 1, 1)))
    return examples + scale * generator.standard_normal((CELLS, seeds, 1))


def plain(values: np.ndarray, generator: np.random.Generator) -> ResampledScores:
    """The percentile bootstrap that draws seeds (of each cell) and examples with replacement."""
    cells, seeds, examples = values.shape
    weights = generator.multinomial(examples, np.full(examples, 1 / examples), size=RESAMPLES) / examples
    by_seed = np.einsum("cke,re->crk", values, weights, optimize=True)
    chosen = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=(cells, RESAMPLES)) / seeds
    return ResampledScores(values.mean(axis=(1, 2)), (by_seed * chosen).sum(axis=2))


def speed() -> None:
    """Seconds for the primary metrics of the paper study: nine cells and three untuned models a task, three seeds."""
    generator = np.random.default_rng(0)
    total = 0.0
    for task, (examples, width, score) in PAPER.items():
        blocks = [generator.integers(1, 4, (3, examples, width)).astype(float) for _ in range(CELLS)]
        rows = [ExampleStatistics(block, score) for block in blocks]
        groups = np.arange(examples) // 220 if task == "qa" else None  # SQuAD's development set has 48 articles
        start = time.perf_counter()
        scores = resample_scores(rows, groups, intervals.RESAMPLES)
        tests = compare_pairs(scores)
        separated_in_resamples(scores, tests)
        seconds = time.perf_counter() - start
        total += seconds
        print(f"{task:12} {examples:6} examples, {intervals.RESAMPLES} resamples: {seconds:.1f} s")
    print(f"{'all':12} {total:.1f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--csv", type=Path, help="write the table to this file")
    parser.add_argument("--speed", action="store_true", help="time the statistics at the size of the paper study")
    return parser.parse_args()


if __name__ == "__main__":
    main()
