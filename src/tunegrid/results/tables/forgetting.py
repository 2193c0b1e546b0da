"""Forgetting: how much the pretraining loss on held-out text rises by tuning, of each cell and each method.

All models read the same documents, which are what the bootstrap draws: a loss is the sum of nats over the sum of
tokens of a resample. The spread of the losses between seeds is what other seeds might add. Losses have no upper bound,
so that an interval is that of a main effect (`results/statistics/effects.py`): symmetric, of the normal form.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.results.expected import Row
from tunegrid.results.read import ResultKey, parquet_frame
from tunegrid.results.records import ForgettingRecord
from tunegrid.results.statistics.effects import Contrast, contrast
from tunegrid.results.statistics.intervals import ALPHA
from tunegrid.results.statistics.paired_tests import holm
from tunegrid.results.tables.asked import Asked, by_method
from tunegrid.results.tables.frames import with_interval
from tunegrid.results.tables.scores import TaskScores

COLUMNS = {
    "forgetting": "study kind task model method examples loss untuned_loss change change_low change_high seeds_ok "
    "seeds_expected status reason",
    "forgetting_pairs": "study task model first_method second_method difference difference_low difference_high p_value "
    "p_holm separated",
    "forgetting_methods": "study task method models change change_low change_high",
}
SCALE = 100.0  # nats: a loss is computed as its share of so many, for differences are bounded by 1
TOLERANCE = 1e-6


def forgetting_rows(scores: TaskScores) -> dict[str, list[Row]]:
    """Rows of `COLUMNS` of a task; none where the study measures no forgetting.

    Raises TuneGridError for results that are not what they should be.
    """
    if not scores.expected.forgetting:
        return {name: [] for name in COLUMNS}
    measured = _Losses(scores)
    return dict(zip(COLUMNS, (measured.cell_rows(), measured.pair_rows(), measured.method_rows()), strict=True))


class _Losses:
    """The losses of the cells of a task and of the untuned models."""

    def __init__(self, scores: TaskScores) -> None:
        self.scores = scores
        self.asked = Asked(scores, {key: group for key, group in scores.groups.items() if key.kind == "run"})
        self.text: tuple[Path, str] | None = None  # a result and the fingerprint of what it read
        self.blocks: dict[ResultKey, np.ndarray] = {}  # [seeds, documents, 2]: nats and tokens
        for model in dict.fromkeys(key.model for key in self.asked.groups):
            key = self._untuned(model)
            if (block := self._read(key, scores.paths.untuned_forgetting(model), None)) is not None:
                self.blocks[key] = block[None]
        answers = self.asked.answers(lambda key, result: self._read(key, result.folder, result.seed))
        self.blocks |= {key: np.stack(blocks) for key, blocks in answers.items()}
        self.keys = list(self.blocks)
        if self.keys:
            self.resampled = self.asked.resample(self.blocks, _loss)

    def _read(self, key: ResultKey, folder: Path, seed: int | None) -> np.ndarray | None:
        """Nats and tokens of each document, [documents, 2]; None where there are none."""
        task = key.task if key.kind == "run" else None  # an untuned model's is that of all tasks
        file = folder / "forgetting.json"
        record = self.asked.record(key, seed, file, ForgettingRecord, "not measured", task=task)
        if record is None:
            return None
        with parquet_frame(file.with_suffix(".parquet")) as frame:
            block = frame[["nats", "tokens"]].to_numpy(dtype=float)
        nats, tokens = block.sum(axis=0)
        if len(block) != record.documents or not abs(nats / tokens - record.loss) <= TOLERANCE:
            raise TuneGridError(
                f"{folder}: forgetting.json says {record.loss:.6f}, forgetting.parquet gives {nats / tokens:.6f}. One "
                "of the two files is not of this run: run its job again."
            )
        fingerprint = record.provenance.data_fingerprint
        self.text = self.text or (folder, fingerprint)
        if fingerprint != self.text[1]:
            raise TuneGridError(f"{folder}: its text is not that of {self.text[0]}. Run both jobs again.")
        return block

    def _untuned(self, model: str | None) -> ResultKey:
        return ResultKey("untuned", self.scores.task.name, model, "untuned")

    def _contrast(self, firsts: Sequence[ResultKey], seconds: Sequence[ResultKey]) -> Contrast:
        return contrast(self.resampled, [self.keys.index(k) for k in firsts], [self.keys.index(k) for k in seconds])

    def cell_rows(self) -> list[Row]:
        rows = []
        for key in self.asked.groups:
            row, base = self.asked.row(key, len(self.blocks.get(key, ()))), self._untuned(key.model)
            if key in self.blocks:
                row |= {"examples": self.blocks[key].shape[1], "loss": self._point(key)}
                if base in self.blocks:
                    row |= {"untuned_loss": self._point(base)} | _change(self._contrast([key], [base]), "change")
                else:
                    row["reason"] = row["reason"] or f"untuned: {self.asked.problems.get(base, 'no result')}"
            rows.append(row)
        return rows

    def _point(self, key: ResultKey) -> float:
        return float(SCALE * self.resampled.point[self.keys.index(key)])

    def pair_rows(self) -> list[Row]:
        """Every two methods of one model; the p-values are corrected over all pairs of the task."""
        cells = [key for key in self.keys if key.kind == "run"]
        pairs = [pair for pair in combinations(cells, 2) if pair[0].model == pair[1].model]
        contrasts = [self._contrast([first], [second]) for first, second in pairs]
        rows, adjusted = [], holm([one.p_value for one in contrasts])
        for (first, second), one, p_holm in zip(pairs, contrasts, adjusted, strict=True):
            row = {"task": first.task, "model": first.model, "first_method": first.method}
            row |= {"second_method": second.method, "p_value": one.p_value, "p_holm": float(p_holm)}
            rows.append(row | _change(one, "difference") | {"separated": bool(p_holm <= ALPHA)})
        return rows

    def method_rows(self) -> list[Row]:
        """Means over the models of which all methods have a loss."""
        rows = []
        for method, cells in by_method(key for key in self.keys if self._untuned(key.model) in self.blocks).items():
            one = self._contrast(cells, [self._untuned(key.model) for key in cells])
            row = {"task": self.scores.task.name, "method": method, "models": len(cells)}
            rows.append(row | _change(one, "change"))
        return rows


def _loss(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / np.maximum(sums[..., 1], 1) / SCALE


def _change(one: Contrast, name: str) -> dict[str, float]:
    return with_interval(name, SCALE * one.difference, (SCALE * end for end in one.interval()))
