"""Rows of the table of main effects: method against method over models and tasks, model against model."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from tunegrid.results.expected import Expected, Row
from tunegrid.results.statistics.effects import Contrast, contrast, mean_of
from tunegrid.results.statistics.intervals import ALPHA
from tunegrid.results.statistics.paired_tests import holm
from tunegrid.results.tables.scores import TaskScores

COLUMNS = (
    "study kind task metric first second difference ci_low ci_high p_value p_holm separated about tasks blocks "
    "blocks_ahead left_out_blocks lowest highest"
)
METHODS, MODELS = "method", "model"


def effect_rows(expected: Expected, tasks: Sequence[TaskScores]) -> list[Row]:
    """Rows of all effects: for each pair of methods and of models one over all tasks (no task), and one per task.

    A block is a model (of methods: a method) of which both have a result in a task; blocks of which a seed collapsed in
    either cell are left out and counted. Holm's correction is over the pairs of methods, or of models, over all tasks.
    """
    rows: list[Row] = []
    for factor, levels in ((METHODS, expected.methods), (MODELS, expected.models)):
        pairs = combinations([level.name for level in levels], 2)
        over_all = [row for pair in pairs for row in _pair_rows(factor, pair, tasks)]
        corrected = [row for row in over_all if row["task"] is None and np.isfinite(row["p_value"])]
        for row, adjusted in zip(corrected, holm([row["p_value"] for row in corrected]), strict=True):
            row |= {"p_holm": float(adjusted), "separated": bool(adjusted <= ALPHA)}
        rows += over_all
    return rows


def _pair_rows(factor: str, pair: tuple[str, str], tasks: Sequence[TaskScores]) -> Iterator[Row]:
    """The row of a pair over all tasks, and of each task in which it has a block; none where there is no block."""
    found: list[tuple[Row, Contrast]] = []
    without = 0
    for scores in tasks:
        firsts, seconds, left_out = _blocks(factor, pair, scores)
        without += left_out
        if not firsts:
            continue
        effect = contrast(scores.cell_scores, firsts, seconds)
        differences = scores.cell_scores.point[firsts] - scores.cell_scores.point[seconds]
        row = {"task": scores.task.name, "metric": scores.task.primary.name, "about": scores.about, "tasks": 1}
        row |= {"blocks": len(differences), "blocks_ahead": int((differences > 0).sum()), "left_out_blocks": left_out}
        row |= {"lowest": float(differences.min()), "highest": float(differences.max())}
        found.append((row | _measured(effect), effect))
    if not found:
        return
    rows = [row for row, _ in found]
    overall = mean_of([effect for _, effect in found])
    shared: Row = {"kind": factor, "first": pair[0], "second": pair[1]}
    about = "methods" if all(row["about"] == "methods" for row in rows) else "runs"
    whole = {"task": None, "about": about, "tasks": len(rows)} | _measured(overall)
    whole |= {name: sum(row[name] for row in rows) for name in ("blocks", "blocks_ahead")}
    whole |= {"lowest": min(row["lowest"] for row in rows), "highest": max(row["highest"] for row in rows)}
    whole |= {"left_out_blocks": without, "p_value": overall.p_value}
    yield from (shared | row for row in (whole, *rows))


def _blocks(factor: str, pair: tuple[str, str], scores: TaskScores) -> tuple[list[int], list[int], int]:
    """(numbers of the first's cells, of the second's in the same blocks, number of blocks that are left out)."""
    places = [(key.model, key.method) if factor == METHODS else (key.method, key.model) for key in scores.cells]
    numbers = {place: number for number, place in enumerate(places)}
    blocks = [[numbers.get((other, name)) for name in pair] for other in dict.fromkeys(other for other, _ in places)]
    whole = [ends for ends in blocks if None not in ends]
    kept = [ends for ends in whole if not any(scores.collapses[scores.cells[number]].count for number in ends)]
    return [first for first, _ in kept], [second for _, second in kept], len(whole) - len(kept)


def _measured(effect: Contrast) -> Row:
    low, high = effect.interval()
    return {"difference": effect.difference, "ci_low": low, "ci_high": high}
