"""How often the intervals of main effects hold the true effect, in simulated studies of which the truth is known.

Usage: python benchmarks/main_effects_coverage.py [--studies 300] [--over-tasks] [--csv FILE]

A simulated study has three tasks with a test set each, three models and three methods; cells, seeds and rows as in
`statistics_coverage.py`, 300 rows a task. True scores are .7, plus an effect of the method in the task (normal, drawn
for each study and task: `tasks differ`), plus one of the cell by itself (`cells differ`). The effect of the first
method against the second is estimated in three ways:

- these tasks: `results/statistics/effects.py`, held against the mean difference of the true scores of this study;
- other tasks, by blocks: Student's t over the nine differences of two cells of one task and model, and
- other tasks, by tasks: Student's t over the three differences of the tasks, both held against the mean effect over all
  tasks that there might be, which is 0.

Columns: share of the 95 % intervals that hold what they are held against, and their mean width in points.

`--over-tasks`: the same of the interquartile mean and mean of normalised scores (`results/statistics/over_tasks.py`) of
one method with true scores of .5, .7 and .9 in three tasks whose trivial baseline scores .3, held against what such
studies find on average.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from statistics_coverage import CELLS, Regime, one_study, share_resamples

from tunegrid.results.statistics.effects import contrast, mean_of
from tunegrid.results.statistics.intervals import ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.statistics.over_tasks import interquartile_mean, normalise, resample_runs

TASKS, EXAMPLES, RESAMPLES = 3, 300, 1000
FIRST, SECOND = [0, 3, 6], [1, 4, 7]  # cells of the first and the second method, model by model
HEADS = (
    "seeds sd_of_seeds tasks_differ cells_differ studies here here_width blocks blocks_width tasks tasks_width".split()
)


def lines() -> Iterator[tuple[int, float, float, float]]:
    """Seeds, their standard deviation, that of the methods' effects in tasks, and that of the cells' own."""
    for seeds in (1, 2, 3, 5):
        yield seeds, 0.015, 0.0, 0.0
    for seeds in (2, 3):
        yield seeds, 0.04, 0.0, 0.0
        yield seeds, 0.015, 0.0, 0.03
        yield seeds, 0.015, 0.03, 0.0
        yield seeds, 0.015, 0.06, 0.02


OVER_TASKS_HEADS = "seeds sd_of_seeds studies iqm iqm_width mean mean_width".split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=300, help="per line")
    parser.add_argument("--over-tasks", action="store_true", help="interquartile means instead of main effects")
    parser.add_argument("--csv", type=Path, help="write the table to this file")
    options = parser.parse_args()
    share_resamples()
    with options.csv.open("w", newline="") if options.csv else sys.stdout as file:
        writer = csv.writer(file)
        if options.over_tasks:
            writer.writerow(OVER_TASKS_HEADS)
            for seeds in (1, 2, 3, 5, 10):
                for spread in (0.015, 0.04):
                    writer.writerow([seeds, spread, options.studies, *over_tasks(seeds, spread, options.studies)])
                    file.flush()
            return
        writer.writerow(HEADS)
        for number, line in enumerate(lines()):
            found = np.array(list(studies(*line, options.studies, number)))
            row = [*line, options.studies, *(f"{value:.3f}" for value in found.mean(axis=0))]
            writer.writerow(row)
            file.flush()


def studies(
    seeds: int, spread: float, tasks_differ: float, cells_differ: float, count: int, number: int
) -> Iterator[tuple[float, ...]]:
    """Of each study whether the three intervals hold their truth, each with its width."""
    generator = np.random.default_rng([seeds, number])
    for _ in range(count):
        truths, scores = [], []
        for _ in range(TASKS):
            methods = np.tile(tasks_differ / np.sqrt(2) * generator.standard_normal(3), 3)
            truths.append(0.7 + methods + cells_differ / np.sqrt(2) * generator.standard_normal(CELLS))
            scores.append(_scores(generator, seeds, spread, truths[-1]))
        effect = mean_of([contrast(one, FIRST, SECOND) for one in scores])
        here = np.mean([truth[FIRST].mean() - truth[SECOND].mean() for truth in truths])
        blocks = np.array([one.point[FIRST] - one.point[SECOND] for one in scores])
        ends = [effect.interval(), _students(blocks.ravel()), _students(blocks.mean(axis=1))]
        yield tuple(
            value
            for (low, high), true in zip(ends, (here, 0, 0), strict=True)
            for value in (low <= true <= high, 100 * (high - low))
        )


def over_tasks(seeds: int, spread: float, count: int) -> list[str]:
    """Coverage and mean width, in points, of the intervals of the interquartile mean and of the mean."""
    generator = np.random.default_rng([seeds, count])
    found = []
    for _ in range(count):
        points, resampled = [], []
        for truth in (0.5, 0.7, 0.9):
            regime = Regime("over tasks", EXAMPLES, seeds, (spread,) * CELLS)
            right = one_study(generator, regime, np.full(CELLS, truth), None)[0, :-1]
            rows = [ExampleStatistics(run[None, :, None], lambda sums: sums[..., 0] / EXAMPLES, False) for run in right]
            scores = resample_scores(rows, None, RESAMPLES)
            points.append(normalise(scores.point, 0.3))
            resampled.append(normalise(scores.resampled.T, 0.3))
        runs, observed = resample_runs(resampled), np.concatenate(points)
        ends = np.quantile([interquartile_mean(runs), runs.mean(axis=1)], [0.025, 0.975], axis=1)
        found.append([[interquartile_mean(observed), observed.mean()], *ends])
    point, low, high = np.array(found).transpose(1, 0, 2)
    truth = point.mean(axis=0)
    covered, width = ((low <= truth) & (truth <= high)).mean(axis=0), 100 * (high - low).mean(axis=0)
    return [f"{value:.3f}" for value in (covered[0], width[0], covered[1], width[1])]


def _scores(generator: np.random.Generator, seeds: int, spread: float, truth: np.ndarray) -> ResampledScores:
    regime = Regime("effects", EXAMPLES, seeds, (spread,) * CELLS)
    right = one_study(generator, regime, truth, None)[:, :-1]
    rows = [ExampleStatistics(cell[..., None], lambda sums: sums[..., 0] / EXAMPLES) for cell in right]
    return resample_scores(rows, None, RESAMPLES)


def _students(values: np.ndarray) -> tuple[float, float]:
    from scipy.stats import t

    half = t.isf(0.025, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


if __name__ == "__main__":
    main()
