"""Rows of the tidy tables of scores of one task: means over seeds, intervals, paired tests."""

from collections.abc import Iterable
from functools import cached_property
from typing import TypeVar

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.results.expected import ExpectedTask, Row
from tunegrid.results.read import Result, ResultKey, StudyResults
from tunegrid.results.statistics.collapses import Collapses, find_collapses
from tunegrid.results.statistics.intervals import ALPHA, RESAMPLES, ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.statistics.paired_tests import PairedTests, compare_pairs
from tunegrid.results.statistics.replication import probability_best
from tunegrid.results.statistics.seeds import next_run
from tunegrid.results.tables.frames import with_interval

K = TypeVar("K")
SECONDARY_RESAMPLES = 2_000  # of metrics that nothing is tested in: enough for an interval


class TaskScores:
    """The scores of one task: means over seeds, bootstrap, tests."""

    def __init__(self, study: StudyResults, task: ExpectedTask, resamples: int | None = None) -> None:
        self.task, self.expected, self.paths = task, study.expected, study.paths
        self.groups: dict[ResultKey, list[Result]] = {}  # in the order of the tables
        for result in study.results:
            if result.task == task:
                self.groups.setdefault(result.key, []).append(result)
        self.forms = _forms(study, task, study.expected.recommend.compressed)
        self.ok = {key: [r for r in group if r.status == "ok"] for key, group in (self.groups | self.forms).items()}
        self.cells = [key for key in self.groups if key.kind == "run" and self.ok[key]]
        # Forms that can be compared with their cell: evaluated for each seed that the cell has a result of.
        self.formed = [key for key in self.forms if self._seeds(key) == self._seeds(cell_key(key)) != []]
        trivial = ResultKey("baseline", task.name, None, task.trivial)
        self.trivial = trivial if self.ok.get(trivial) else None
        self.units = study.units(task)
        self.resamples = resamples or RESAMPLES
        self._check_same_examples()
        self.by_run = self._resample_runs()
        self.collapses = {key: self._collapses(key) for key in [*self.cells, *self.formed]}
        names = [metric.name for metric in task.all_metrics]
        self.resampled = {name: self._resample(name) for name in names}
        self.next_runs = {name: self._next_runs(name) for name in names}

    def _check_same_examples(self) -> None:
        first = None
        for result in (result for ok in self.ok.values() for result in ok):
            ids = result.predictions["id"].tolist()
            first = first or (result.folder, ids)
            if ids != first[1]:
                raise TuneGridError(
                    f"{result.folder}: its predictions are not of the same test examples in the same order as those in "
                    f"{first[0]}. Results of different data cannot be compared: evaluate them again."
                )
        if first and self.units is not None and len(self.units) != len(first[1]):
            raise TuneGridError(
                f"data/{self.task.name}/test.parquet has {len(self.units)} rows, but the predictions in {first[0]} "
                f"{len(first[1])}. Evaluate again."
            )

    def _resample(self, metric: str) -> tuple[list[ResultKey], ResampledScores] | None:
        """Resampled scores in a metric, with the keys of their rows; None where no row has per-example statistics."""
        samples: dict[ResultKey, ExampleStatistics] = {}
        primary, score = metric == self.task.primary.name, self.task.metric(metric).aggregate
        for key in [*self.groups, *(self.formed if primary else [])]:
            blocks = [result.statistics(metric) for result in self.ok[key]]
            if blocks and all(block is not None for block in blocks):
                owner = list(samples).index(cell_key(key)) if key.form else None
                fell = key in self.collapsed
                samples[key] = ExampleStatistics(np.stack(blocks), score, key.kind == "run", fell, owner)
        return self._on_units(samples, self.resamples if primary else min(self.resamples, SECONDARY_RESAMPLES))

    def _on_units(self, samples: dict[K, ExampleStatistics], resamples: int) -> tuple[list[K], ResampledScores] | None:
        return (list(samples), resample_scores(list(samples.values()), self.units, resamples)) if samples else None

    def _next_runs(self, metric: str) -> dict[ResultKey, tuple[float, float] | None]:
        """For each cell, where one more run of it would score on the same test set; None where that is not known."""
        records = {key: [r.metrics.metrics for r in self.ok[key] if r.metrics] for key in self.cells}
        found = {key: [scores[metric].value for scores in each if metric in scores] for key, each in records.items()}
        values = {key: scores for key, scores in found.items() if scores}
        collapsed = [key in self.collapsed for key in values]
        ends = next_run([np.array(v) for v in values.values()], 1 - ALPHA, collapsed)
        return dict(zip(values, ends, strict=True))

    def _resample_runs(self) -> tuple[list[tuple[ResultKey, int | None]], ResampledScores] | None:
        """Resampled scores of every single run and of the trivial baseline in the primary metric, seeds not shifted."""
        metric, samples = self.task.primary, {}
        for key in [*self.cells, *([self.trivial] if self.trivial else []), *self.formed]:
            for result in self.ok[key]:
                statistics = result.statistics(metric.name)
                if statistics is not None:
                    samples[key, result.seed] = ExampleStatistics(statistics[None], metric.aggregate, seeded=False)
        return self._on_units(samples, min(self.resamples, SECONDARY_RESAMPLES))

    def _collapses(self, key: ResultKey) -> Collapses:
        name = self.task.primary.name
        values = [r.metrics.metrics[name].value for r in self.ok[key]]
        if self.trivial is None:
            return find_collapses(values)
        trivial = self.ok[self.trivial][0].metrics.metrics[name].value
        keys, scores = self.by_run or ([], None)
        if scores is None or (self.trivial, None) not in keys:
            return find_collapses(values, trivial)
        baseline = keys.index((self.trivial, None))
        rows = [keys.index((key, result.seed)) for result in self.ok[key]]
        return find_collapses(values, trivial, [scores.difference_interval(row, baseline)[0] > 0 for row in rows])

    @property
    def collapsed(self) -> set[ResultKey]:
        """Cells of which a seed collapsed."""
        return {key for key, collapses in self.collapses.items() if collapses.count}

    def collapse_of(self, result: Result) -> str:
        """Why a run counts as collapsed; "" where it does not."""
        collapses = self.collapses.get(result.key)
        if collapses is None or result.status != "ok":
            return ""
        return collapses.reasons[self.ok[result.key].index(result)]

    def _seeds(self, key: ResultKey) -> list[int | None]:
        return [result.seed for result in self.ok[key]]

    def cell_rows(self) -> list[Row]:
        return [self.cell_row(key, metric) for key in self.groups for metric in self.resampled]

    def cell_row(self, key: ResultKey, metric: str) -> Row:
        records = [r.metrics for r in self.ok[key] if r.metrics and metric in r.metrics.metrics]
        ok = [record.metrics[metric].value for record in records]
        group = (self.forms if key.form else self.groups)[key]
        status, reason = cell_status(group)
        row: Row = key._asdict() | {
            "metric": metric,
            "primary": metric == self.task.primary.name,
            "mean": float(np.mean(ok)) if ok else None,
            "sd": float(np.std(ok, ddof=1)) if len(ok) > 1 else None,
            "seeds_ok": len(ok),
            "seeds_expected": len(group),
            "note": _joined(record.note for record in records),
            "undefined": _joined(record.metrics[metric].undefined for record in records),
            "status": status,
            "reason": reason,
        }
        if ahead := self.next_runs[metric].get(key):
            row["next_low"], row["next_high"] = ahead
        keys, scores = self.resampled[metric] or ([], None)
        if scores is not None and key in keys:
            row["ci_low"], row["ci_high"] = scores.interval(keys.index(key))
            if self.trivial in keys and key != self.trivial:
                number, baseline = keys.index(key), keys.index(self.trivial)
                row["baseline"] = self.task.trivial
                change = scores.point[number] - scores.point[baseline]
                row |= with_interval("difference", change, scores.difference_interval(number, baseline))
        if row["primary"] and key in self.cells:
            collapses = self.collapses[key]
            row |= {"median": collapses.median, "collapsed": collapses.count, "collapse_rate": collapses.rate}
            row["collapse_rate_low"], row["collapse_rate_high"] = collapses.rate_interval
            row["seeds_above_baseline"] = collapses.above_baseline if self.trivial else None
            row["probability_best"] = float(self._best_probabilities[self.cells.index(key)])
        return row

    @cached_property
    def _best_probabilities(self) -> np.ndarray:
        return probability_best(self.cell_scores)

    @property
    def about(self) -> str:
        """What tests tell apart: methods, or with one seed for every cell these runs only."""
        return "methods" if any(len(self.ok[key]) > 1 for key in self.cells) else "runs"

    @cached_property
    def cell_scores(self) -> ResampledScores:
        """Resampled scores of the cells in the primary metric."""
        keys, scores = self.resampled[self.task.primary.name]
        chosen = [keys.index(key) for key in self.cells]
        return scores.rows(chosen)

    @cached_property
    def tests(self) -> PairedTests:
        """Tests of all pairs of cells, in the order of `cells`."""
        return compare_pairs(self.cell_scores)

    def pair_rows(self) -> list[Row]:
        if len(self.cells) < 2:
            return []
        tests = self.tests
        separated = tests.adjusted <= ALPHA
        return [
            {
                "task": self.task.name,
                "metric": self.task.primary.name,
                "first_model": self.cells[first].model,
                "first_method": self.cells[first].method,
                "second_model": self.cells[second].model,
                "second_method": self.cells[second].method,
                "difference": tests.difference[pair],
                "p_value": tests.p_value[pair],
                "p_holm": tests.adjusted[pair],
                "separated": bool(separated[pair]),
                "about": self.about,
                "collapsed": sum(self.collapses[self.cells[end]].count for end in (first, second)),
            }
            for pair, (first, second) in enumerate(zip(tests.first, tests.second, strict=True))
        ]


def _forms(study: StudyResults, task: ExpectedTask, names: list[str]) -> dict[ResultKey, list[Result]]:
    """The results of a task's runs in these forms, grouped as those of the cells."""
    groups: dict[ResultKey, list[Result]] = {}
    for run, forms in study.forms:
        for name in names if run.task == task else ():
            groups.setdefault(run.key._replace(form=name), []).append(forms[name])
    return groups


def cell_key(key: ResultKey) -> ResultKey:
    """The key of the cell whose weights are in a form; the key itself where it is the cell's."""
    return key._replace(form=None)


def _joined(texts: Iterable[str | None]) -> str:
    return "; ".join(dict.fromkeys(filter(None, texts)))


def cell_status(results: list[Result]) -> tuple[str, str]:
    """Status and reason of all seeds of a cell together: ok if one seed is, the reason then names the others."""
    bad = [result for result in results if result.status != "ok"]
    named = [f"seed {r.seed}: {r.status}, {r.reason}" if r.seed is not None else str(r.reason) for r in bad]
    if len(bad) < len(results):
        return "ok", "; ".join(named)
    kinds = [result.status for result in results]
    worst = next(kind for kind in ("diverged", "failed", "missing") if kind in kinds)
    alike = len({(result.status, result.reason) for result in results}) == 1
    return worst, str(results[0].reason) if alike else "; ".join(named)
