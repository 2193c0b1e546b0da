"""Bias probes: the difference that a word makes to each cell, and how tuning changed it.

The difference of a run is a score by itself, (1 + first - second) / 2 on 0 to 1. It is resampled as any other, with the
templates as units: texts of one template are alike, and what the study is to say something about are other texts of
the same kind. The spread of the differences between seeds is what other seeds might add.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.results.expected import ExpectedProbe
from tunegrid.results.read import Result, ResultKey
from tunegrid.results.records import ProbeRecord, read_record
from tunegrid.results.statistics.intervals import ALPHA, ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.tables.scores import TaskScores
from tunegrid.study.paths import Paths

COLUMNS = {
    "probes": "study kind task model method probe condition templates examples first_score second_score difference "
    "difference_low difference_high separated change change_low change_high seeds_ok seeds_expected status reason",
}
TOLERANCE = 1e-6  # between a record and the scores of its pairs


def probe_rows(scores: TaskScores) -> dict[str, list[dict[str, Any]]]:
    """Rows of `probes` of a task; none where it has no probes.

    Raises TuneGridError for results that are not what they should be.
    """
    return {"probes": [row for probe in scores.task.probes for row in _Probe(scores, probe).rows()]}


def difference_scores(
    values: list[np.ndarray], templates: np.ndarray, seeded: list[bool], collapsed: list[bool], resamples: int
) -> ResampledScores:
    """Differences of results, on 0 to 1 (`share`), on the same resamples of the templates.

    Args:
        values: of each result the scores of both sides, [seeds, pairs, 2].
        templates: that of each pair, [pairs].
        seeded: whether a result has seeds to choose.
        collapsed: whether a seed of it collapsed.
    """
    rows = []
    for block, has_seeds, fell in zip(values, seeded, collapsed, strict=True):
        counted = np.concatenate([block, np.ones((*block.shape[:2], 1))], axis=2)
        rows.append(ExampleStatistics(counted, _share, has_seeds, fell))
    return resample_scores(rows, templates, resamples)


def _share(sums: np.ndarray) -> np.ndarray:
    """The difference of the means, which is on -1 to 1, on 0 to 1, as the intervals have it."""
    return (1 + (sums[..., 0] - sums[..., 1]) / np.maximum(sums[..., 2], 1)) / 2


def difference_of(share: float) -> float:
    """The difference of a share."""
    return float(2 * share - 1)


def star_level(rows: int, conditions: int) -> float:
    """The level of each interval at which those of all rows of a set's tables, one of each condition, hold together."""
    return 1 - ALPHA / (rows * conditions)


class _Probe:
    """The scores of one task on one set of probes."""

    def __init__(self, scores: TaskScores, probe: ExpectedProbe) -> None:
        self.scores, self.probe = scores, probe
        self.problems: dict[ResultKey, str] = {}
        self.frames: dict[ResultKey, list[Any]] = {}
        self.texts: tuple[Path, str | None] | None = None  # a result and the hash of its texts
        self.groups = {key: group for key, group in scores.groups.items() if key.kind != "baseline"}
        for key, group in self.groups.items():
            frames = [frame for result in group if (frame := self._read(key, result)) is not None]
            if frames:
                self.frames[key] = frames

    def _read(self, key: ResultKey, result: Result) -> Any:
        """The scores of the pairs of a result; None, and why, where there are none."""
        import pandas as pd

        if result.status != "ok":
            self.problems.setdefault(key, f"{result.status}: {result.reason}")
            return None
        folder = Paths.probe_results(result.folder) / self.probe.name
        if not (folder / "probe.json").is_file():
            self.problems.setdefault(key, "missing: not probed")
            return None
        names = {"kind": key.kind, "task": key.task, "model": key.model, "method": key.method, "seed": result.seed}
        record = read_record(folder / "probe.json", ProbeRecord, **names, probe=self.probe.name)
        if record.status != "ok":
            self.problems.setdefault(key, f"{record.status}: {record.reason}")
            return None
        try:
            frame = pd.read_parquet(folder / "scores.parquet")
            _check(folder, record, frame)
        except (OSError, KeyError, ValueError) as error:
            raise TuneGridError(f"{folder / 'scores.parquet'}: cannot be read ({error}). Probe again.") from error
        self.texts = self.texts or (folder, record.texts)
        if record.texts != self.texts[1]:
            raise TuneGridError(f"{folder}: its texts are not those of {self.texts[0]}. Probe both again.")
        return frame

    def rows(self) -> list[dict[str, Any]]:
        if not self.frames:
            return [self._row(key, "", "missing") for key in self.groups]
        first = next(iter(self.frames.values()))[0]
        conditions, rows = first["condition"].unique(), []
        for condition in conditions:
            rows += self._condition_rows(condition, star_level(len(self.frames), len(conditions)))
        return rows

    def _condition_rows(self, condition: str, level: float) -> list[dict[str, Any]]:
        """`level`: of the interval that has to exclude 0 for a star."""
        values, templates = {}, np.array([])
        for key, frames in self.frames.items():
            parts = [frame[frame["condition"] == condition] for frame in frames]
            values[key] = np.stack([part[["first_score", "second_score"]].to_numpy() for part in parts])
            templates = parts[0]["template"].to_numpy()
        keys = list(values)
        collapsed = self.scores.collapsed
        differences = difference_scores(
            list(values.values()),
            templates,
            [key.kind == "run" for key in keys],
            [key in collapsed for key in keys],
            self.scores.resamples,
        )
        rows = []
        for key in self.groups:
            if key not in values:
                rows.append(self._row(key, condition, "missing"))
                continue
            number, row = keys.index(key), self._row(key, condition, "ok")
            first, second = values[key].mean(axis=(0, 1))
            low, high = map(difference_of, differences.interval(number))
            widest = [difference_of(end) for end in differences.interval(number, level)]
            row |= {"templates": len(set(templates)), "examples": len(templates), "difference": float(first - second)}
            row |= {"first_score": float(first), "second_score": float(second)}
            row |= {"difference_low": low, "difference_high": high}
            row["separated"] = widest[0] > 0 or widest[1] < 0
            untuned = ResultKey("untuned", key.task, key.model, "untuned")
            if key.kind == "run" and untuned in values:
                base = keys.index(untuned)
                row["change"] = 2 * float(differences.point[number] - differences.point[base])
                ends = differences.difference_interval(number, base)
                row["change_low"], row["change_high"] = (2 * end for end in ends)
            rows.append(row)
        return rows

    def _row(self, key: ResultKey, condition: str, status: str) -> dict[str, Any]:
        row = key._asdict() | {"probe": self.probe.name, "condition": condition or None}
        row |= {"seeds_ok": len(self.frames.get(key, [])), "seeds_expected": len(self.groups[key])}
        reason = self.problems.get(key)
        if status != "ok":
            status, _, reason = (reason or "missing: no result").partition(": ")
        return row | {"status": status, "reason": reason}


def _check(folder: Path, record: ProbeRecord, frame: Any) -> None:
    """Raises TuneGridError if the means of a record are not those of the scores beside it."""
    for part in record.scores:
        of_part = frame[frame["condition"] == part.condition]
        for name, recorded in (("first", part.first), ("second", part.second)):
            computed = float(of_part[f"{name}_score"].mean()) if len(of_part) else float("nan")
            if not abs(recorded - computed) <= TOLERANCE:
                raise TuneGridError(
                    f"{folder}: probe.json says {recorded:.6f} of the {name} side, scores.parquet {computed:.6f}. "
                    "One of the two files is not of this run: probe it again."
                )
