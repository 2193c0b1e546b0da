"""Forgetting: how much the pretraining loss on held-out text rises by tuning, of each cell and each method.

All models read the same documents, which are what the bootstrap draws: a loss is the sum of nats over the sum of
tokens of a resample. The spread of the losses between seeds is what other seeds might add. Losses have no upper bound,
so that an interval is that of a main effect (`results/statistics/effects.py`): symmetric, of the normal form.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.results.read import ResultKey
from tunegrid.results.records import ForgettingRecord, read_record
from tunegrid.results.statistics.effects import Contrast, contrast
from tunegrid.results.statistics.intervals import ALPHA, ExampleStatistics, resample_scores
from tunegrid.results.statistics.paired_tests import holm
from tunegrid.results.tables.scores import SECONDARY_RESAMPLES, TaskScores
from tunegrid.study.paths import Paths

COLUMNS = {
    "forgetting": "study kind task model method examples loss untuned_loss change change_low change_high seeds_ok "
    "seeds_expected status reason",
    "forgetting_pairs": "study task model first_method second_method difference difference_low difference_high p_value "
    "p_holm separated",
    "forgetting_methods": "study task method models change change_low change_high",
}
SCALE = 100.0  # nats: a loss is computed as its share of so many, for differences are bounded by 1
TOLERANCE = 1e-6


def forgetting_rows(scores: TaskScores, paths: Paths) -> dict[str, list[dict[str, Any]]]:
    """Rows of `COLUMNS` of a task; none where the study measures no forgetting.

    Raises TuneGridError for results that are not what they should be.
    """
    if not scores.expected.forgetting:
        return {name: [] for name in COLUMNS}
    measured = _Losses(scores, paths)
    return {
        "forgetting": measured.cell_rows(),
        "forgetting_pairs": measured.pair_rows(),
        "forgetting_methods": measured.method_rows(),
    }


class _Losses:
    """The losses of the cells of a task and of the untuned models."""

    def __init__(self, scores: TaskScores, paths: Paths) -> None:
        self.scores = scores
        self.groups = {key: group for key, group in scores.groups.items() if key.kind == "run"}
        self.problems: dict[ResultKey, str] = {}
        self.blocks: dict[ResultKey, np.ndarray] = {}  # [seeds, documents, 2]: nats and tokens
        self.text: tuple[Path, str] | None = None  # a result and the fingerprint of what it read
        for model in dict.fromkeys(key.model for key in self.groups):
            key = ResultKey("untuned", scores.task.name, model, "untuned")
            if (block := self._read(key, paths.untuned_forgetting(model), None)) is not None:
                self.blocks[key] = block[None]
        for key, group in self.groups.items():
            blocks = []
            for result in group:
                if result.status != "ok":
                    self.problems.setdefault(key, f"{result.status}: {result.reason}")
                elif (block := self._read(key, result.folder, result.seed)) is not None:
                    blocks.append(block)
            if blocks:
                self.blocks[key] = np.stack(blocks)
        self.keys = list(self.blocks)
        if self.keys:
            collapsed = scores.collapsed
            samples = [
                ExampleStatistics(block, _loss, seeded=key.kind == "run", collapsed=key in collapsed)
                for key, block in self.blocks.items()
            ]
            self.resampled = resample_scores(samples, None, min(scores.resamples, SECONDARY_RESAMPLES))

    def _read(self, key: ResultKey, folder: Path, seed: int | None) -> np.ndarray | None:
        """Nats and tokens of each document, [documents, 2]; None, and why, where there are none."""
        import pandas as pd

        if not (folder / "forgetting.json").is_file():
            self.problems.setdefault(key, "missing: not measured")
            return None
        task = key.task if key.kind == "run" else None  # an untuned model's is that of all tasks
        names = {"kind": key.kind, "task": task, "model": key.model, "method": key.method, "seed": seed}
        record = read_record(folder / "forgetting.json", ForgettingRecord, **names)
        if record.status != "ok":
            self.problems.setdefault(key, f"{record.status}: {record.reason}")
            return None
        try:
            block = pd.read_parquet(folder / "forgetting.parquet")[["nats", "tokens"]].to_numpy(dtype=float)
        except (OSError, KeyError, ValueError) as error:
            raise TuneGridError(
                f"{folder / 'forgetting.parquet'}: cannot be read ({error}). Run its job again."
            ) from error
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

    def cell_rows(self) -> list[dict[str, Any]]:
        rows = []
        for key, group in self.groups.items():
            row = key._asdict() | {"seeds_expected": len(group), "seeds_ok": len(self.blocks.get(key, ()))}
            base = self._untuned(key.model)
            if key not in self.blocks:
                status, _, reason = self.problems.get(key, "missing: no result").partition(": ")
                rows.append(row | {"status": status, "reason": reason})
                continue
            row |= {"status": "ok", "reason": self.problems.get(key), "examples": self.blocks[key].shape[1]}
            row["loss"] = float(SCALE * self.resampled.point[self.keys.index(key)])
            if base in self.blocks:
                row["untuned_loss"] = float(SCALE * self.resampled.point[self.keys.index(base)])
                row |= _change(self._contrast([key], [base]), "change")
            else:
                row["reason"] = row["reason"] or f"untuned: {self.problems.get(base, 'no result')}"
            rows.append(row)
        return rows

    def pair_rows(self) -> list[dict[str, Any]]:
        """Every two methods of one model; the p-values are corrected over all pairs of the task."""
        cells = [key for key in self.keys if key.kind == "run"]
        pairs = [pair for pair in combinations(cells, 2) if pair[0].model == pair[1].model]
        contrasts = [self._contrast([first], [second]) for first, second in pairs]
        p_values = np.array([one.p_value for one in contrasts])
        adjusted = holm(p_values) if len(pairs) else p_values
        rows = []
        for (first, second), one, p_value, p_holm in zip(pairs, contrasts, p_values, adjusted, strict=True):
            row = {"task": first.task, "model": first.model, "first_method": first.method}
            row |= {"second_method": second.method, "p_value": float(p_value), "p_holm": float(p_holm)}
            rows.append(row | _change(one, "difference") | {"separated": bool(p_holm <= ALPHA)})
        return rows

    def method_rows(self) -> list[dict[str, Any]]:
        """Means over the models of which all methods have a loss."""
        cells = [key for key in self.keys if key.kind == "run" and self._untuned(key.model) in self.blocks]
        methods = list(dict.fromkeys(key.method for key in cells))
        of_model = {key.model: {k.method for k in cells if k.model == key.model} for key in cells}
        models = [model for model, own in of_model.items() if own == set(methods)]
        rows = []
        for method in methods if models else ():
            firsts = [key for key in cells if key.method == method and key.model in models]
            one = self._contrast(firsts, [self._untuned(key.model) for key in firsts])
            row = {"task": self.scores.task.name, "method": method, "models": len(models)}
            rows.append(row | _change(one, "change"))
        return rows


def _loss(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / np.maximum(sums[..., 1], 1) / SCALE


def _change(one: Contrast, name: str) -> dict[str, float]:
    low, high = one.interval()
    values = {name: one.difference, f"{name}_low": low, f"{name}_high": high}
    return {key: float(SCALE * value) for key, value in values.items()}
