"""Bias probes: the difference that a word makes to each cell, and how tuning changed it.

The difference of a run is a score by itself, (1 + first - second) / 2 on 0 to 1. It is resampled as any other, with the
templates as units: texts of one template are alike, and what the study is to say something about are other texts of
the same kind. The spread of the differences between seeds is what other seeds might add.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.results.expected import ExpectedProbe, Row
from tunegrid.results.read import Result, ResultKey, parquet_frame
from tunegrid.results.records import ProbeRecord
from tunegrid.results.statistics.intervals import ALPHA, ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.tables.asked import Asked
from tunegrid.results.tables.frames import with_interval
from tunegrid.results.tables.scores import TaskScores
from tunegrid.study.paths import Paths

COLUMNS = {
    "probes": "study kind task model method probe condition templates examples first_score second_score difference "
    "difference_low difference_high separated change change_low change_high seeds_ok seeds_expected status reason",
}
TOLERANCE = 1e-6  # between a record and the scores of its pairs


def probe_rows(scores: TaskScores) -> dict[str, list[Row]]:
    """Rows of `probes` of a task; none where it has no probes.

    Raises TuneGridError for results that are not what they should be.
    """
    return {"probes": [row for probe in scores.task.probes for row in _Probe(scores, probe).rows()]}


def difference_scores(
    values: Mapping[ResultKey, np.ndarray], templates: np.ndarray, collapsed: Collection[ResultKey], resamples: int
) -> ResampledScores:
    """Differences of results, on 0 to 1 (`_share`), on the same resamples of the templates.

    Args:
        values: of each result the scores of both sides, [seeds, pairs, 2].
        templates: that of each pair, [pairs].
        collapsed: results of which a seed collapsed.
    """
    rows = []
    for key, block in values.items():
        counted = np.concatenate([block, np.ones((*block.shape[:2], 1))], axis=2)
        rows.append(ExampleStatistics(counted, _share, key.kind == "run", key in collapsed))
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
        self.texts: tuple[Path, str | None] | None = None  # a result and the hash of its texts
        self.asked = Asked(scores, {key: group for key, group in scores.groups.items() if key.kind != "baseline"})
        self.frames: dict[ResultKey, list[Any]] = self.asked.answers(self._read)

    def _read(self, key: ResultKey, result: Result) -> Any:
        """The scores of the pairs of a result; None where there are none."""
        folder = Paths.probe_results(result.folder) / self.probe.name
        file = folder / "probe.json"
        record = self.asked.record(key, result.seed, file, ProbeRecord, "not probed", probe=self.probe.name)
        if record is None:
            return None
        with parquet_frame(folder / "scores.parquet", "Probe again.") as frame:
            _check(folder, record, frame)
        self.texts = self.texts or (folder, record.texts)
        if record.texts != self.texts[1]:
            raise TuneGridError(f"{folder}: its texts are not those of {self.texts[0]}. Probe both again.")
        return frame

    def rows(self) -> list[Row]:
        if not self.frames:
            return [self._row(key, "") for key in self.asked.groups]
        first = next(iter(self.frames.values()))[0]
        conditions, rows = first["condition"].unique(), []
        for condition in conditions:
            rows += self._condition_rows(condition, star_level(len(self.frames), len(conditions)))
        return rows

    def _condition_rows(self, condition: str, level: float) -> list[Row]:
        """`level`: of the interval that has to exclude 0 for a star."""
        values, templates = {}, np.array([])
        for key, frames in self.frames.items():
            parts = [frame[frame["condition"] == condition] for frame in frames]
            values[key] = np.stack([part[["first_score", "second_score"]].to_numpy() for part in parts])
            templates = parts[0]["template"].to_numpy()
        keys = list(values)
        differences = difference_scores(values, templates, self.scores.collapsed, self.scores.resamples)
        rows = []
        for key in self.asked.groups:
            row = self._row(key, condition)
            if key in values:
                number, (first, second) = keys.index(key), values[key].mean(axis=(0, 1))
                row |= {"templates": len(set(templates)), "examples": len(templates)}
                row |= {"first_score": float(first), "second_score": float(second)}
                row |= with_interval("difference", first - second, map(difference_of, differences.interval(number)))
                low, high = map(difference_of, differences.interval(number, level))
                row["separated"] = low > 0 or high < 0
                untuned = ResultKey("untuned", key.task, key.model, "untuned")
                if key.kind == "run" and untuned in values:
                    base = keys.index(untuned)
                    change = 2 * (differences.point[number] - differences.point[base])
                    ends = (2 * end for end in differences.difference_interval(number, base))
                    row |= with_interval("change", change, ends)
            rows.append(row)
        return rows

    def _row(self, key: ResultKey, condition: str) -> Row:
        row = self.asked.row(key, len(self.frames.get(key, ())))
        return row | {"probe": self.probe.name, "condition": condition or None}


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
