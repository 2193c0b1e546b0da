"""Rows of the tidy tables of instruction tuning: mixtures, scores in each wording, differences to the untuned model."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import read_object
from tunegrid.results.expected import ExpectedTask, Row
from tunegrid.results.read import StudyResults, parquet_frame
from tunegrid.results.records import WordingsRecord, read_record
from tunegrid.results.statistics.intervals import RESAMPLES, ExampleStatistics, resample_scores
from tunegrid.results.statistics.permutations import PERMUTATIONS, spread_p_value
from tunegrid.results.tables.frames import with_interval
from tunegrid.study.cells import Cell, Run
from tunegrid.tasks import Metric

COLUMNS = {
    "mixtures": "study model method task in_mixture examples share validation_examples",
    "wordings": "study kind task model method seed wording template trained in_mixture metric primary value examples "
    "status reason",
    "instruction": "study task model method metric in_mixture asked wordings examples seeds_ok mean ci_low ci_high "
    "sd_wordings lowest highest wordings_p untuned difference difference_low difference_high untuned_prompt "
    "prompt_difference prompt_difference_low prompt_difference_high",
}


def instruction_rows(study: StudyResults, resamples: int | None = None) -> dict[str, list[Row]]:
    """The rows of all three tables, in the order of the cells; none in a study without instruction tuning.

    Raises TuneGridError, naming the file, for a record that is not what it should be.
    """
    rows: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    expected = study.expected
    for model in expected.models:
        for method in expected.methods:
            if method.name in expected.mixtures:
                rows["mixtures"] += _mixture_rows(study, model.name, method.name)
    for task in expected.tasks:
        for key in expected.keys(task):
            if key[2] in expected.mixtures:
                cell = _Cell(study, task, Cell(*key))
                rows["wordings"] += cell.wording_rows()
                rows["instruction"] += cell.rows(resamples or RESAMPLES)
    return rows


def _mixture_rows(study: StudyResults, model: str, method: str) -> Iterator[Row]:
    mixed = study.expected.mixtures[method]
    file = study.paths.mixture_tokens(model, method) / "stats.json"
    splits = read_object(file).get("splits", {}) if file.is_file() else {}
    counts = {
        split: {task: sum(part["rows"] for part in parts if part["task"] == task) for task in mixed}
        for split, parts in splits.items()
    }
    total = sum(counts.get("train", {}).values())
    for task in study.expected.tasks:
        row: Row = {"model": model, "method": method, "task": task.name, "in_mixture": task.name in mixed}
        if counts and task.name in mixed:
            row |= {"examples": counts["train"][task.name], "share": counts["train"][task.name] / max(total, 1)}
            row["validation_examples"] = counts["validation"][task.name]
        yield row


class _Cell:
    """A cell of instruction tuning: the answers of its runs, and of the untuned model, to every wording."""

    def __init__(self, study: StudyResults, task: ExpectedTask, cell: Cell) -> None:
        self.study, self.task, self.names = study, task, cell.names
        self.in_mixture = task.name in study.expected.mixtures[cell.method]
        untuned = [result for result in study.of(task, "untuned") if result.model == cell.model]
        self.untuned = next((result for result in untuned if result.status == "ok"), None)  # in the task's own prompt
        self.folders = {seed: study.paths.run(Run(cell, seed)) for seed in study.expected.seeds}
        self.folders[None] = study.paths.untuned_wordings(cell.task, cell.model, cell.method)
        self.records: dict[int | None, WordingsRecord | None] = {}
        for seed, folder in self.folders.items():
            file = folder / "wordings.json"
            self.records[seed] = read_record(file, WordingsRecord, **cell.names, seed=seed) if file.exists() else None
        self.ok = [seed for seed, record in self.records.items() if record and record.status == "ok"]

    def wording_rows(self) -> Iterator[Row]:
        for seed, record in self.records.items():
            row = self.names | {"kind": "untuned" if seed is None else "run", "seed": seed}
            row |= {"in_mixture": self.in_mixture, "status": "missing", "reason": "no result"}
            if record is not None:
                row |= {"status": record.status, "reason": record.reason}
            if row["status"] != "ok":
                yield row
                continue
            row["examples"] = record.examples
            for one in record.wordings:
                for name, value in one.metrics.items():
                    values = {"wording": one.name, "template": one.template, "trained": one.trained}
                    yield row | values | {"metric": name, "primary": name == record.primary, "value": value}

    def rows(self, resamples: int) -> Iterator[Row]:
        """A row for the wordings that were trained, where there are any, and one for the others.

        `wordings_p` is about all of them: the p-value of the hypothesis that the runs answer alike in each.
        """
        seeds = [seed for seed in self.ok if seed is not None]
        if not seeds or None not in self.ok:
            return
        wordings = self.records[seeds[0]].wordings
        tables = {seed: self._answers(seed) for seed in self.ok}
        alike = {"wordings_p": self._alike([tables[seed] for seed in seeds], [one.name for one in wordings], resamples)}
        for asked, trained in (("trained", True), ("unseen", False)):
            if names := [one.name for one in wordings if one.trained == trained]:
                yield self._row(asked, names, seeds, tables, resamples) | alike

    def _alike(self, tables: Sequence[Any], names: Sequence[str], resamples: int) -> float | None:
        """p-value of the hypothesis that runs answer alike in all wordings; None where there is one wording."""
        if len(names) < 2:
            return None
        metric = self.task.primary
        columns = [self._statistics(metric, table, names) for table in tables]  # [examples, wordings x sums] each
        dealt = np.stack([each.reshape(len(each), len(names), -1) for each in columns])
        ids = tables[0][tables[0]["wording"] == names[0]]["id"].tolist()
        return spread_p_value(dealt, metric.aggregate, self._units(ids), min(resamples, PERMUTATIONS))

    def _row(
        self, asked: str, names: Sequence[str], seeds: Sequence[int], tables: dict[int | None, Any], resamples: int
    ) -> Row:
        metric, records = self.task.primary, [self.records[seed] for seed in seeds]
        blocks = {seed: self._statistics(metric, table, names) for seed, table in tables.items()}
        score = _mean_over(metric, len(names))
        samples = [
            ExampleStatistics(np.stack([blocks[seed] for seed in seeds]), score),
            ExampleStatistics(blocks[None][None], score, seeded=False),
        ]
        ids = tables[None][tables[None]["wording"] == names[0]]["id"].tolist()
        prompt = None if self.untuned is None else self.untuned.statistics(metric.name)
        if prompt is not None:
            samples.append(ExampleStatistics(prompt[self._places(ids)][None], metric.aggregate, seeded=False))
        resampled = resample_scores(samples, self._units(ids), resamples)
        scored = [{one.name: one.metrics[record.primary] for one in record.wordings} for record in records]
        means = np.mean([[scores[name] for name in names] for scores in scored], axis=0)
        row: Row = self.names | {
            "metric": metric.name,
            "in_mixture": self.in_mixture,
            "asked": asked,
            "wordings": len(names),
            "examples": len(ids),
            "seeds_ok": len(seeds),
            "mean": float(resampled.point[0]),
            "sd_wordings": float(np.std(means, ddof=1)) if len(names) > 1 else None,
            "lowest": float(means.min()),
            "highest": float(means.max()),
            "untuned": float(resampled.point[1]),
        }
        row["ci_low"], row["ci_high"] = resampled.interval(0)
        row |= with_interval("difference", row["mean"] - row["untuned"], resampled.difference_interval(0, 1))
        if prompt is not None:
            row["untuned_prompt"] = float(resampled.point[2])
            change = row["mean"] - row["untuned_prompt"]
            row |= with_interval("prompt_difference", change, resampled.difference_interval(0, 2))
        return row

    def _answers(self, seed: int | None) -> Any:
        """A result's answers to every wording. Raises TuneGridError for a file that is not what its record says."""
        file, record = self.folders[seed] / "wordings.parquet", self.records[seed]
        with parquet_frame(file) as table:
            counts = table[["wording", "id", *self.task.primary.columns]]["wording"].value_counts()
        for one in record.wordings:
            if (count := counts.get(one.name, 0)) != record.examples:
                raise TuneGridError(
                    f"{file}: has {count} answers to {one.name}, but its record says {record.examples}. Evaluate again."
                )
        return table

    @staticmethod
    def _statistics(metric: Metric, table: Any, names: Sequence[str]) -> np.ndarray:
        """What each example contributes in all of these wordings, [examples, wordings x statistics]."""
        parts = [metric.statistics(table[table["wording"] == name].reset_index(drop=True)) for name in names]
        return np.concatenate(parts, axis=1)

    def _units(self, ids: Sequence[str]) -> np.ndarray | None:
        """The unit of each example in resamples; None: each is one."""
        units = self.study.units(self.task)
        return None if units is None or self.untuned is None else units[self._places(ids)]

    def _places(self, ids: Sequence[str]) -> np.ndarray:
        """Places of these examples in the test set, by the untuned model's answers to it."""
        place = {name: number for number, name in enumerate(self.untuned.predictions["id"])}
        return np.array([place[name] for name in ids])


def _mean_over(metric: Metric, wordings: int) -> Any:
    """The mean of a metric over wordings, from their summed statistics side by side."""

    def score(sums: np.ndarray) -> np.ndarray:
        parts = np.split(sums, wordings, axis=-1)
        return np.mean([metric.aggregate(part) for part in parts], axis=0)

    return score
