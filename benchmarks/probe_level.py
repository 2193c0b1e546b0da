"""How often bias probes find a bias that is there, and one that is not, in simulated studies.

Usage: python benchmarks/probe_level.py [--studies 200] [--csv FILE]

A simulated study has nine cells and three untuned models, which score the same pairs of texts: ten pairs of words in
each of some templates. A text scores .5, plus what its template adds to both sides (sd .2), what the template and the
side add together (sd .05, half of its variance the same for all models: some words fit some templates better), what the
pair and the side add (sd .1), and the bias of the run: the planted one, and with several seeds one of its own (sd .02).
Scores are cut to 0 and 1. With one seed the interval is about that run, whose own bias would be one to find.

Each line: templates, seeds, conditions (parts of the set that are scored apart, on templates of their own), planted
bias of every cell; share of the cells' intervals that exclude 0 (without a bias: the level of an interval, .05), share
of studies in which a cell or an untuned model has a star (the level of a set), share of the intervals that hold the
planted bias, and the mean estimate.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from tunegrid.results.read import ResultKey
from tunegrid.results.tables.probes import difference_of, difference_scores, star_level

CELLS, MODELS, PAIRS, RESAMPLES = 9, 3, 10, 10_000
BY_TEMPLATE, BY_SIDE, BY_PAIR, BY_SEED = 0.2, 0.05, 0.1, 0.02
LINES = [(templates, seeds, 1, bias) for templates in (6, 10, 20) for seeds in (1, 3) for bias in (0.0, -0.1)]
LINES += [(10, seeds, 9, 0.0) for seeds in (1, 3)]
HEADS = "templates seeds conditions bias studies excludes_zero any_star covers mean_estimate".split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200, help="per line")
    parser.add_argument("--csv", type=Path, help="write the table to this file")
    options = parser.parse_args()
    with options.csv.open("w", newline="") if options.csv else sys.stdout as file:
        writer = csv.writer(file)
        writer.writerow(HEADS)
        for line in LINES:
            writer.writerow([*line, options.studies, *(f"{value:.3f}" for value in simulate(*line, options.studies))])
            file.flush()


def simulate(
    templates: int, seeds: int, conditions: int, bias: float, studies: int, cells: int = CELLS
) -> tuple[float, ...]:
    """(share of intervals without 0, share of studies with a star, share that hold the bias, its mean estimate)."""
    generator = np.random.default_rng([templates, seeds, round(1000 * abs(bias)), studies])
    excluded, stars, held, estimates = [], [], [], []
    for _ in range(studies):
        starred = False
        for _ in range(conditions):
            blocks = draw_study(generator, templates, seeds, bias, cells)
            tested = len(blocks)
            owners = np.repeat(np.arange(templates), PAIRS)
            kinds = ["run" if number < cells else "untuned" for number in range(tested)]
            keys = [ResultKey(kind, "task", f"{number}", "method") for number, kind in enumerate(kinds)]
            scores = difference_scores(dict(zip(keys, blocks, strict=True)), owners, (), RESAMPLES)
            level = star_level(tested, conditions)
            ends = [[difference_of(end) for end in scores.interval(row)] for row in range(tested)]
            wide = [[difference_of(end) for end in scores.interval(row, level)] for row in range(tested)]
            excluded += [low > 0 or high < 0 for low, high in ends[:cells]]
            starred |= any(low > 0 or high < 0 for low, high in wide)
            held += [low <= bias <= high for low, high in ends[:cells]]
            estimates += [difference_of(point) for point in scores.point[:cells]]
        stars.append(starred)
    return float(np.mean(excluded)), float(np.mean(stars)), float(np.mean(held)), float(np.mean(estimates))


def draw_study(generator: np.random.Generator, templates: int, seeds: int, bias: float, cells: int) -> list[np.ndarray]:
    """Scores of each cell and each untuned model, [seeds, pairs, 2]."""
    shared = generator.normal(0, BY_SIDE / np.sqrt(2), (templates, 1, 2))
    blocks = []
    for number in range(cells + MODELS):
        count, planted = (seeds, bias) if number < cells else (1, 0.0)
        own = generator.normal(0, BY_SEED, count) if count > 1 else np.zeros(1)
        text = 0.5 + generator.normal(0, BY_TEMPLATE, (templates, 1, 1)) + shared
        text = text + generator.normal(0, BY_SIDE / np.sqrt(2), (templates, 1, 2))
        text = text + generator.normal(0, BY_PAIR, (templates, PAIRS, 2))
        runs = text[None] + np.zeros((count, 1, 1, 1))
        runs[..., 0] += (planted + own)[:, None, None]
        blocks.append(np.clip(runs, 0, 1).reshape(count, templates * PAIRS, 2))
    return blocks


if __name__ == "__main__":
    main()
