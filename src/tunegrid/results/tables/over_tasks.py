"""Rows of the tables of scores over tasks: interquartile means, and performance profiles."""

from collections.abc import Sequence

import numpy as np

from tunegrid.results.statistics.intervals import ALPHA
from tunegrid.results.statistics.over_tasks import THRESHOLDS, interquartile_mean, normalise, profile, resample_runs
from tunegrid.results.tables.frames import with_interval
from tunegrid.results.tables.scores import Row, TaskScores

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
    counted = [scores for scores in tasks if _trivial(scores) is not None]
    of_tasks = [_runs(scores) for scores in counted]
    if len(counted) < 2:
        return tables
    for cell in of_tasks[0]:
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


def _trivial(scores: TaskScores) -> float | None:
    """Score of the task's trivial baseline; None where there is none, or none that leaves room above it."""
    keys, resampled = scores.by_run or ([], None)
    if resampled is None or (scores.trivial, None) not in keys:
        return None
    trivial = float(resampled.point[keys.index((scores.trivial, None))])
    return trivial if trivial < 1 else None


def _runs(scores: TaskScores) -> dict[Cell, tuple[np.ndarray, np.ndarray]]:
    """Normalised scores of each model and method: (on the test rows [runs], on resamples [resamples, runs])."""
    keys, resampled = scores.by_run
    trivial, places = _trivial(scores), {}
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
