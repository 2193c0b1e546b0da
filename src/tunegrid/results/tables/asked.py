"""What results were asked beside their own test rows (other domains, probes, held-out text): answers by cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tunegrid.common.records import Record
from tunegrid.results.expected import Row
from tunegrid.results.read import Result, ResultKey
from tunegrid.results.records import read_record
from tunegrid.results.statistics.intervals import ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.tables.scores import SECONDARY_RESAMPLES, TaskScores

T = TypeVar("T")


class Asked:
    """The results of a task that one question was put to, and the first reason why each cell lacks an answer."""

    def __init__(self, scores: TaskScores, groups: Mapping[ResultKey, list[Result]]) -> None:
        self.scores, self.groups = scores, groups
        self.problems: dict[ResultKey, str] = {}

    def answers(self, read: Callable[[ResultKey, Result], T | None]) -> dict[ResultKey, list[T]]:
        """What `read` makes of the results of each cell that are ok, without None; cells without any are left out."""
        found: dict[ResultKey, list[T]] = {}
        for key, group in self.groups.items():
            for result in group:
                if result.status != "ok":
                    self.problems.setdefault(key, f"{result.status}: {result.reason}")
                elif (answer := read(key, result)) is not None:
                    found.setdefault(key, []).append(answer)
        return found

    def record(
        self, key: ResultKey, seed: int | None, file: Path, cls: type[Record], missing: str, **place: Any
    ) -> Record | None:
        """The record of an answer; None, and a problem noted, where it is missing or not ok.

        Args:
            missing: the problem where there is no file.
            place: as for `read_record`, beside the names of the result.

        Raises:
            TuneGridError: the file is not what it should be.
        """
        if not file.is_file():
            self.problems.setdefault(key, f"missing: {missing}")
            return None
        names = {"kind": key.kind, "task": key.task, "model": key.model, "method": key.method, "seed": seed}
        record = read_record(file, cls, **names | place)
        if record.status != "ok":
            self.problems.setdefault(key, f"{record.status}: {record.reason}")
            return None
        return record

    def resample(
        self,
        blocks: Mapping[ResultKey, np.ndarray],
        score: Callable[[np.ndarray], np.ndarray],
        units: np.ndarray | None = None,
    ) -> ResampledScores:
        """Scores of cells on the same resamples, in their order; `blocks`: [seeds, examples, statistics] of each."""
        fell = self.scores.collapsed
        rows = [ExampleStatistics(block, score, key.kind == "run", key in fell) for key, block in blocks.items()]
        return resample_scores(rows, units, min(self.scores.resamples, SECONDARY_RESAMPLES))

    def row(self, key: ResultKey, seeds: int) -> Row:
        """The names of a cell, how many of its seeds have an answer, and why not all of them, as columns of a row."""
        status, reason = "ok", self.problems.get(key)
        if not seeds:
            status, _, reason = (reason or "missing: no result").partition(": ")
        counts = {"seeds_ok": seeds, "seeds_expected": len(self.groups[key])}
        return key._asdict() | counts | {"status": status, "reason": reason}


def by_method(keys: Iterable[ResultKey]) -> dict[str, list[ResultKey]]:
    """The cells of each method, of the models of which every method has one; {} where there is no such model."""
    cells = [key for key in keys if key.kind == "run"]
    methods = dict.fromkeys(key.method for key in cells)
    own = {key.model: {cell.method for cell in cells if cell.model == key.model} for key in cells}
    whole = [key for key in cells if own[key.model] == methods.keys()]
    return {method: [key for key in whole if key.method == method] for method in methods} if whole else {}
