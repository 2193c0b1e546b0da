"""Whether collapsed seeds are found, and what intervals and tests are worth where seeds collapse, in simulated studies.

Usage: python benchmarks/collapse_level.py [--studies 300] [--csv FILE]

Studies as those of `statistics_coverage.py`: nine equally good cells, 1,000 examples, accuracy .9, seeds that differ by
1.5 points. Each run collapses with a given probability: it gives the class of one half of the examples to all, the
trivial baseline. Everything is seeded.

Columns: the share of collapsed runs that the rule finds (`found`) and of other runs that it calls collapsed (`false`);
the share of 95 % intervals that hold the score of a run that does not collapse, of cells without a collapsed seed
(`coverage`); the share of studies in which a test separates two of the equally good cells, of all pairs (`level_all`)
and of those without a collapsed seed, the only ones that the package compares (`level`); the share of studies in
which two such cells are left (`compared`).
"""

import argparse
import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from statistics_coverage import CELLS, RESAMPLES, Regime, one_study, share_resamples

from tunegrid.results.statistics.collapses import find_collapses
from tunegrid.results.statistics.intervals import ALPHA, ExampleStatistics, resample_scores
from tunegrid.results.statistics.paired_tests import compare_pairs

SCORE, CHANCE = 0.9, 0.5
HEADS = ("seeds", "rate", "studies", "found", "false", "coverage", "level_all", "level", "compared")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=300, help="per line")
    parser.add_argument("--csv", type=Path, help="write the table to this file")
    options = parser.parse_args()
    share_resamples()
    with options.csv.open("w", newline="") if options.csv else sys.stdout as file:
        writer = csv.writer(file)
        writer.writerow(HEADS)
        for seeds in (2, 3, 5, 10):
            for rate in (0.05, 0.2):
                writer.writerow(simulate(seeds, rate, options.studies))
                file.flush()


def simulate(seeds: int, rate: float, studies: int) -> list[object]:
    """A row of the table."""
    generator = np.random.default_rng([seeds, round(100 * rate)])
    regime = Regime("collapses", 1000, seeds, score=SCORE)
    truth = np.full(CELLS, SCORE)
    baseline = np.arange(regime.examples) < CHANCE * regime.examples
    runs, hits = np.zeros(2), np.zeros(2)  # [sound, collapsed]: how many there were, how many were called collapsed
    covered = intervals = level_all = level = compared = 0
    for _ in range(studies):
        right = one_study(generator, regime, truth, None)[:, :-1]
        collapsed = generator.random((CELLS, seeds)) < rate
        right[collapsed] = baseline
        called = np.array([_called(cell, baseline) for cell in right])
        for kind in (False, True):
            runs[int(kind)] += (collapsed == kind).sum()
            hits[int(kind)] += called[collapsed == kind].sum()
        sound = ~called.any(axis=1)
        rows = [ExampleStatistics(cell[..., None], lambda sums: sums[..., 0] / regime.examples) for cell in right]
        rows = [replace(row, collapsed=not whole) for row, whole in zip(rows, sound, strict=True)]
        scores = resample_scores(rows, None, RESAMPLES)
        for cell in np.flatnonzero(sound):
            low, high = scores.interval(cell)
            covered, intervals = covered + (low <= SCORE <= high), intervals + 1
        level_all += (compare_pairs(scores).adjusted <= ALPHA).any()
        if sound.sum() > 1:
            compared += 1
            level += (compare_pairs(scores.rows(np.flatnonzero(sound))).adjusted <= ALPHA).any()
    figures = [hits[1] / runs[1], hits[0] / runs[0], covered / intervals, level_all / studies]
    figures += [level / compared, compared / studies]
    return [seeds, rate, studies, *(f"{figure:.3f}" for figure in figures)]


def _called(cell: np.ndarray, baseline: np.ndarray) -> list[bool]:
    """Which runs of a cell the rule calls collapsed; `cell`: [seeds, examples] of right answers."""
    differences = cell - baseline
    errors = differences.std(axis=1, ddof=1) / np.sqrt(cell.shape[1])
    separated = differences.mean(axis=1) - 1.96 * errors > 0
    return [bool(reason) for reason in find_collapses(cell.mean(axis=1), CHANCE, separated).reasons]


if __name__ == "__main__":
    main()
