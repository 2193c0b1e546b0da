"""Scores on other domains: each cell's score there, and what it loses against the task's own test set.

The two test sets are independent samples, and both are scored by the same runs. So the loss of a run is a score by
itself, and that of a cell is resampled as any other: examples of both sets are drawn, and the spread of the losses
between seeds is what other seeds might add.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunegrid.results.expected import ExpectedTask
from tunegrid.results.read import Result, ResultKey, example_statistics
from tunegrid.results.records import MetricsRecord, read_record
from tunegrid.results.statistics.intervals import ALPHA, ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.tables.scores import SECONDARY_RESAMPLES, TaskScores
from tunegrid.study.paths import Paths

COLUMNS = {
    "domains": "study kind task model method domain metric examples in_domain score score_low score_high loss loss_low "
    "loss_high seeds_ok seeds_expected status reason",
    "transfer": "study task method domain metric models in_domain score loss loss_low loss_high",
}


def domain_rows(scores: TaskScores, paths: Paths) -> dict[str, list[dict[str, Any]]]:
    """Rows of `domains` and `transfer` of a task, in its primary metric; none where it is evaluated on no other domain.

    Raises TuneGridError for results on other domains that are not what they should be.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    for domain in scores.task.domains:
        measured = _Domain(scores, domain, paths)
        rows["domains"] += measured.cell_rows()
        rows["transfer"] += measured.method_rows()
    return rows


class _Domain:
    """The scores of one task on one other domain."""

    def __init__(self, scores: TaskScores, name: str, paths: Paths) -> None:
        self.scores, self.name, self.metric = scores, name, scores.task.primary
        self.problems: dict[ResultKey, str] = {}
        own, other = {}, {}
        for key, group in scores.groups.items():
            pairs = [pair for result in group if (pair := self._statistics(key, result)) is not None]
            if pairs:
                own[key], other[key] = (np.stack(blocks) for blocks in zip(*pairs, strict=True))
        self.keys = list(own)
        self.own = [self.metric.aggregate(block.sum(axis=1)).mean() for block in own.values()]
        self.counts = {key: len(block) for key, block in own.items()}
        self.examples = {key: block.shape[1] for key, block in other.items()}
        if not self.keys:
            return
        resamples = min(scores.resamples, SECONDARY_RESAMPLES)
        units = _groups(paths.domain(scores.task.name, name) / "test.parquet", scores.task)
        self.other = resample_scores(self._samples(other, self.metric.aggregate), units, resamples)
        width = next(iter(own.values())).shape[2]
        both = {key: _side_by_side(own[key], other[key]) for key in self.keys}
        self.losses = resample_scores(
            self._samples(both, lambda sums: _as_share(self.metric.aggregate, sums, width)),
            _both_units(scores.units, units, next(iter(own.values())).shape[1], next(iter(other.values())).shape[1]),
            resamples,
        )

    def _statistics(self, key: ResultKey, result: Result) -> tuple[np.ndarray, np.ndarray] | None:
        """What each example of the two test sets adds to a result's score; None, and why, where there is no score."""
        if result.status != "ok":
            self.problems.setdefault(key, f"{result.status}: {result.reason}")
            return None
        folder = Paths.domain_results(result.folder) / self.name
        if not (folder / "metrics.json").is_file():
            self.problems.setdefault(key, "missing: not evaluated on this domain")
            return None
        names = {"kind": key.kind, "task": key.task, "model": key.model, "method": key.method, "seed": result.seed}
        record = read_record(folder / "metrics.json", MetricsRecord, **names, domain=self.name)
        if record.status != "ok":
            self.problems.setdefault(key, f"{record.status}: {record.reason}")
            return None
        own = result.statistics(self.metric.name)
        other = example_statistics(self.metric, folder, record)
        return None if own is None or other is None else (own, other)

    def _samples(
        self, blocks: dict[ResultKey, np.ndarray], score: Callable[[np.ndarray], np.ndarray]
    ) -> list[ExampleStatistics]:
        collapsed = self.scores.collapsed
        return [
            ExampleStatistics(blocks[key], score, seeded=key.kind == "run", collapsed=key in collapsed)
            for key in self.keys
        ]

    def cell_rows(self) -> list[dict[str, Any]]:
        rows = []
        for key, group in self.scores.groups.items():
            row = key._asdict() | {"domain": self.name, "metric": self.metric.name, "seeds_expected": len(group)}
            row |= {"seeds_ok": self.counts.get(key, 0), "reason": self.problems.get(key)}
            if key not in self.counts:
                status, _, reason = self.problems.get(key, "missing: no result").partition(": ")
                rows.append(row | {"status": status, "reason": reason})
                continue
            number = self.keys.index(key)
            low, high = self.losses.interval(number)
            row |= {"status": "ok", "examples": self.examples[key], "in_domain": float(self.own[number])}
            row |= dict(zip(("score_low", "score_high"), self.other.interval(number), strict=True))
            row |= {"score": float(self.other.point[number]), "loss": _loss(self.losses.point[number])}
            rows.append(row | {"loss_low": _loss(low), "loss_high": _loss(high)})
        return rows

    def method_rows(self) -> list[dict[str, Any]]:
        """What each method loses, as a mean over the models of which all methods have a score."""
        cells = [key for key in self.keys if key.kind == "run"]
        methods = list(dict.fromkeys(key.method for key in cells))
        models = [
            model
            for model in dict.fromkeys(key.model for key in cells)
            if all(any((key.model, key.method) == (model, method) for key in cells) for method in methods)
        ]
        rows = []
        for method in methods if models else ():
            chosen = [self.keys.index(key) for key in cells if key.method == method and key.model in models]
            row = {"task": self.scores.task.name, "method": method, "domain": self.name, "metric": self.metric.name}
            low, high = _mean_interval(self.losses, chosen)
            rows.append(
                row
                | {"models": len(models), "in_domain": float(np.mean([self.own[number] for number in chosen]))}
                | {"score": float(self.other.point[chosen].mean()), "loss": _loss(self.losses.point[chosen].mean())}
                | {"loss_low": low, "loss_high": high}
            )
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


def _loss(share: float) -> float:
    return float(2 * share - 1)


def _mean_interval(losses: ResampledScores, rows: Sequence[int]) -> tuple[float, float]:
    """Percentiles of the mean loss of several rows over the resamples that they share."""
    drawn = losses.resampled[rows].mean(axis=0)
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    return _loss(low), _loss(high)


def _groups(file: Path, task: ExpectedTask) -> np.ndarray | None:
    """Group of each row of a domain in the bootstrap, see `StudyResults.units`; None: rows are drawn one by one."""
    if not task.grouped or not file.is_file():
        return None
    import pandas as pd

    groups = pd.read_parquet(file, columns=["group"])["group"].to_numpy()
    named = np.array([group or f"\0{number}" for number, group in enumerate(groups)], dtype=object)
    return named if 1 < len(set(named)) < len(named) else None


def _both_units(own: np.ndarray | None, other: np.ndarray | None, first: int, second: int) -> np.ndarray | None:
    if own is None and other is None:
        return None
    parts = (own if own is not None else range(first), other if other is not None else range(second))
    return np.array([f"{number} {unit}" for number, part in enumerate(parts) for unit in part], dtype=object)
