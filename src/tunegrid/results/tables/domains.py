"""Scores on other domains: each cell's score there, and what it loses against the task's own test set.

The two test sets are independent samples, and both are scored by the same runs. So the loss of a run is a score by
itself, and that of a cell is resampled as any other: examples of both sets are drawn, and the spread of the losses
between seeds is what other seeds might add.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from tunegrid.results.expected import Row
from tunegrid.results.read import Result, ResultKey, row_groups
from tunegrid.results.records import MetricsRecord
from tunegrid.results.statistics.intervals import ALPHA
from tunegrid.results.tables.asked import Asked, by_method
from tunegrid.results.tables.frames import with_interval
from tunegrid.results.tables.scores import TaskScores
from tunegrid.study.paths import Paths

COLUMNS = {
    "domains": "study kind task model method domain metric examples in_domain score score_low score_high loss loss_low "
    "loss_high seeds_ok seeds_expected status reason",
    "transfer": "study task method domain metric models in_domain score loss loss_low loss_high",
}


def domain_rows(scores: TaskScores) -> dict[str, list[Row]]:
    """Rows of `domains` and `transfer` of a task, in its primary metric; none where it is evaluated on no other domain.

    Raises TuneGridError for results on other domains that are not what they should be.
    """
    rows: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    for domain in scores.task.domains:
        measured = _Domain(scores, domain)
        rows["domains"] += measured.cell_rows()
        rows["transfer"] += measured.method_rows()
    return rows


class _Domain:
    """The scores of one task on one other domain."""

    def __init__(self, scores: TaskScores, name: str) -> None:
        self.scores, self.name, self.metric = scores, name, scores.task.primary
        self.asked = Asked(scores, scores.groups)
        self.answers = self.asked.answers(self._statistics)
        self.keys = list(self.answers)
        if not self.keys:
            return
        own, other = (
            {key: np.stack([pair[side] for pair in pairs]) for key, pairs in self.answers.items()} for side in (0, 1)
        )
        self.own = [self.metric.aggregate(block.sum(axis=1)).mean() for block in own.values()]
        units = row_groups(scores.paths.domain(scores.task.name, name) / "test.parquet", scores.task)
        self.other = self.asked.resample(other, self.metric.aggregate, units)
        (first, width), second = own[self.keys[0]].shape[1:], other[self.keys[0]].shape[1]
        both = {key: _side_by_side(own[key], other[key]) for key in self.keys}
        self.losses = self.asked.resample(
            both,
            lambda sums: _as_share(self.metric.aggregate, sums, width),
            _both_units(scores.units, units, first, second),
        )

    def _statistics(self, key: ResultKey, result: Result) -> tuple[np.ndarray, np.ndarray] | None:
        """What each example of the two test sets adds to a result's score; None where there is no score."""
        folder = Paths.domain_results(result.folder) / self.name
        file, missing = folder / "metrics.json", "not evaluated on this domain"
        record = self.asked.record(key, result.seed, file, MetricsRecord, missing, domain=self.name)
        if record is None:
            return None
        own = result.statistics(self.metric.name)
        other = replace(result, folder=folder, metrics=record).statistics(self.metric.name)
        return None if own is None or other is None else (own, other)

    def cell_rows(self) -> list[Row]:
        rows = []
        for key in self.scores.groups:
            row = self.asked.row(key, len(self.answers.get(key, ())))
            row |= {"domain": self.name, "metric": self.metric.name}
            if key in self.answers:
                number = self.keys.index(key)
                row |= {"examples": len(self.answers[key][0][1]), "in_domain": float(self.own[number])}
                row |= with_interval("score", self.other.point[number], self.other.interval(number))
                row |= _loss(self.losses.point[number], self.losses.interval(number))
            rows.append(row)
        return rows

    def method_rows(self) -> list[Row]:
        """What each method loses, as a mean over the models of which all methods have a score."""
        rows = []
        for method, cells in by_method(self.keys).items():
            chosen = [self.keys.index(key) for key in cells]
            row = {"task": self.scores.task.name, "method": method, "domain": self.name, "metric": self.metric.name}
            row |= {"models": len(cells), "in_domain": float(np.mean([self.own[number] for number in chosen]))}
            row["score"] = float(self.other.point[chosen].mean())
            # Percentiles of the mean over the resamples that the cells share.
            ends = np.quantile(self.losses.resampled[chosen].mean(axis=0), [ALPHA / 2, 1 - ALPHA / 2])
            rows.append(row | _loss(self.losses.point[chosen].mean(), ends))
        return rows


def _side_by_side(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Statistics of two test sets as of one whose examples add to the columns of their own set alone."""
    seeds, first, width = own.shape
    both = np.zeros((seeds, first + other.shape[1], 2 * width))
    both[:, :first, :width], both[:, first:, width:] = own, other
    return both


def _as_share(score: Callable[[np.ndarray], np.ndarray], sums: np.ndarray, width: int) -> np.ndarray:
    """The loss, which is on -1 to 1, on 0 to 1, as the intervals have it."""
    return (1 + score(sums[..., :width]) - score(sums[..., width:])) / 2


def _loss(share: float, ends: Iterable[float]) -> dict[str, float]:
    """The loss and its interval, from their shares."""
    return with_interval("loss", 2 * share - 1, (2 * end - 1 for end in ends))


def _both_units(own: np.ndarray | None, other: np.ndarray | None, first: int, second: int) -> np.ndarray | None:
    if own is None and other is None:
        return None
    parts = (own if own is not None else range(first), other if other is not None else range(second))
    return np.array([f"{number} {unit}" for number, part in enumerate(parts) for unit in part], dtype=object)
