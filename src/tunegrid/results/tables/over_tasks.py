"""Rows of the tables of scores over tasks: interquartile means, and performance profiles."""

from collections.abc import Sequence

import numpy as np

from tunegrid.results.expected import Row
from tunegrid.results.statistics.intervals import ALPHA
from tunegrid.results.statistics.over_tasks import THRESHOLDS, interquartile_mean, normalise, profile, resample_runs
from tunegrid.results.tables.frames import with_interval
from tunegrid.results.tables.scores import TaskScores

COLUMNS = {
    "over_tasks": "study model method about tasks runs iqm iqm_low iqm_high mean mean_low mean_high collapsed",
    "profiles": "study model method threshold share share_low share_high",
}
Cell = tuple[str | None, str]  # model and method


def over_tasks_rows(tasks: Sequence[TaskScores]) -> dict[str, list[Row]]:
    """Rows of both tables: of each model and method that has a run in every task with a trivial baseline below 1.

    No rows where fewer than two tasks have one. Collapsed runs count as they are, and are counted.
    """
    tables: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    counted = {scores: runs for scores in tasks if (runs := _runs(scores)) is not None}
    of_tasks = list(counted.values())
    for cell in of_tasks[0] if len(counted) > 1 else ():
        if not all(cell in runs for runs in of_tasks):
            continue
        observed = np.concatenate([runs[cell][0] for runs in of_tasks])
        resampled = resample_runs([runs[cell][1] for runs in of_tasks])
        named = {"model": cell[0], "method": cell[1]}
        row = named | {"tasks": len(counted), "runs": len(observed)}
        for name, mean in (("iqm", interquartile_mean), ("mean", lambda runs: runs.mean(axis=-1))):
            row |= with_interval(name, mean(observed), _ends(mean(resampled)))
        row["about"] = "methods" if all(scores.about == "methods" for scores in counted) else "runs"
        of_cell = [(scores, key) for scores in counted for key in scores.cells if (key.model, key.method) == cell]
        row["collapsed"] = sum(scores.collapses[key].count for scores, key in of_cell)
        tables["over_tasks"].append(row)
        for threshold, share, ends in zip(THRESHOLDS, profile(observed), _ends(profile(resampled)).T, strict=True):
            tables["profiles"].append(named | {"threshold": threshold} | with_interval("share", share, ends))
    return tables


def _runs(scores: TaskScores) -> dict[Cell, tuple[np.ndarray, np.ndarray]] | None:
    """Normalised scores of each model and method: (on the test rows [runs], on resamples [resamples, runs]).

    None: the task has no trivial baseline, or none that leaves room above it.
    """
    keys, resampled = scores.by_run or ([], None)
    baseline = (scores.trivial, None)
    if baseline not in keys or (trivial := float(resampled.point[keys.index(baseline)])) >= 1:
        return None
    places: dict[Cell, list[int]] = {}
    for place, (key, _) in enumerate(keys):
        if key in scores.cells:  # and is no form of a cell's weights, nor the baseline
            places.setdefault((key.model, key.method), []).append(place)
    return {
        cell: (normalise(resampled.point[of], trivial), normalise(resampled.resampled[of].T, trivial))
        for cell, of in places.items()
    }


def _ends(resampled: np.ndarray) -> np.ndarray:
    """Percentile interval over the first axis: [low and high, ...]."""
    return np.quantile(resampled, [ALPHA / 2, 1 - ALPHA / 2], axis=0)
