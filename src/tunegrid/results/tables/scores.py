"""Rows of the tidy tables of scores of one task: means over seeds, intervals, paired tests, recommendation."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.results.expected import ExpectedTask, title
from tunegrid.results.read import Result, ResultKey, StudyResults
from tunegrid.results.statistics import recommend
from tunegrid.results.statistics.collapses import Collapses, find_collapses
from tunegrid.results.statistics.intervals import ALPHA, RESAMPLES, ExampleStatistics, ResampledScores, resample_scores
from tunegrid.results.statistics.paired_tests import PairedTests, compare_pairs
from tunegrid.results.statistics.replication import probability_best
from tunegrid.results.statistics.seeds import next_run
from tunegrid.study.limits import Measured

Row = dict[str, Any]
RUNS_ONLY = "By one run of each cell, which tells of these runs and not of methods: "
SECONDARY_RESAMPLES = 2_000  # of metrics that nothing is tested in: enough for an interval


class TaskScores:
    """The scores of one task: means over seeds, bootstrap, tests, recommendation."""

    def __init__(self, study: StudyResults, task: ExpectedTask, resamples: int | None = None) -> None:
        self.task, self.expected = task, study.expected
        self.groups: dict[ResultKey, list[Result]] = {}  # in the order of the tables
        for result in study.results:
            if result.task == task:
                self.groups.setdefault(result.key, []).append(result)
        self.ok = {key: [r for r in group if r.status == "ok"] for key, group in self.groups.items()}
        self.cells = [key for key, ok in self.ok.items() if key.kind == "run" and ok]
        trivial = ResultKey("baseline", task.name, None, task.trivial)
        self.trivial = trivial if self.ok.get(trivial) else None
        self.units = study.units(task)
        self.resamples = resamples or RESAMPLES
        self._check_same_examples()
        self.by_run = self._resample_runs()
        self.collapses = {key: self._collapses(key) for key in self.cells}
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
        keys, samples = [], []
        for key, ok in self.ok.items():
            blocks = [result.statistics(metric) for result in ok]
            if blocks and all(block is not None for block in blocks):
                keys.append(key)
                score = self.task.metric(metric).aggregate
                blocks, seeded = np.stack(blocks), key.kind == "run"
                samples.append(ExampleStatistics(blocks, score, seeded, collapsed=key in self.collapsed))
        if not keys:
            return None
        primary = metric == self.task.primary.name
        resamples = self.resamples if primary else min(self.resamples, SECONDARY_RESAMPLES)
        return keys, resample_scores(samples, self.units, resamples)

    def _next_runs(self, metric: str) -> dict[ResultKey, tuple[float, float] | None]:
        """For each cell, where one more run of it would score on the same test set; None where that is not known."""
        values = {key: [r.metrics.metrics[metric].value for r in self.ok[key] if r.metrics] for key in self.cells}
        values = {key: scores for key, scores in values.items() if scores}
        collapsed = [key in self.collapsed for key in values]
        ends = next_run([np.array(v) for v in values.values()], 1 - ALPHA, collapsed)
        return dict(zip(values, ends, strict=True))

    def _resample_runs(self) -> tuple[list[tuple[ResultKey, int | None]], ResampledScores] | None:
        """Resampled scores of every single run and of the trivial baseline in the primary metric, seeds not shifted."""
        metric = self.task.primary
        keys, samples = [], []
        for key in [*self.cells, *([self.trivial] if self.trivial else [])]:
            for result in self.ok[key]:
                statistics = result.statistics(metric.name)
                if statistics is not None:
                    keys.append((key, result.seed))
                    samples.append(ExampleStatistics(statistics[None], metric.aggregate, seeded=False))
        if not keys:
            return None
        return keys, resample_scores(samples, self.units, min(self.resamples, SECONDARY_RESAMPLES))

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

    def cell_rows(self) -> list[Row]:
        return [self._cell_row(key, metric) for key in self.groups for metric in self.resampled]

    def _cell_row(self, key: ResultKey, metric: str) -> Row:
        records = [r.metrics for r in self.ok[key] if r.metrics and metric in r.metrics.metrics]
        ok = [record.metrics[metric].value for record in records]
        status, reason = cell_status(self.groups[key])
        row: Row = key._asdict() | {
            "metric": metric,
            "primary": metric == self.task.primary.name,
            "mean": float(np.mean(ok)) if ok else None,
            "sd": float(np.std(ok, ddof=1)) if len(ok) > 1 else None,
            "seeds_ok": len(ok),
            "seeds_expected": len(self.groups[key]),
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
                row["difference"] = float(scores.point[number] - scores.point[baseline])
                row["difference_low"], row["difference_high"] = scores.difference_interval(number, baseline)
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

    def recommendation_row(self) -> Row:
        """The recommendation among the cells whose size is known and that keep within the study's limits."""
        left_out = []
        for key, group in self.groups.items():
            status, reason = cell_status(group)
            if key.kind == "run" and key not in self.cells:
                left_out.append(f"{self._title(key)} ({status}: {reason})")
        with_size = [key for key in self.cells if any(r.training and r.training.parameters for r in self.ok[key])]
        left_out += [f"{self._title(key)} (no train.json)" for key in self.cells if key not in with_size]
        costs = {key: self._measured(key) for key in with_size}
        against = {key: self.expected.recommend.reason_against(cost) for key, cost in costs.items()}
        left_out += [f"{self._title(key)} ({reason})" for key, reason in against.items() if reason]
        with_size = [key for key in with_size if not against[key]]
        candidates = [self._candidate(key, costs[key]) for key in with_size]
        metric = self.task.primary
        if candidates:
            scores = self.cell_scores.rows([self.cells.index(key) for key in with_size])
            recommended = recommend.from_tests(
                candidates,
                scores,
                metric.label,
                left_out,
                percent=metric.percent,
                margin=self.expected.recommend.margin,
                seeds_known=any(len(self.ok[key]) > 1 for key in self.cells),
            )
        else:
            recommended = recommend.from_printed([], metric.label, left_out)
        row: Row = {
            "task": self.task.name,
            "metric": metric.name,
            "stability": recommended.stability,
            "tied": "; ".join(candidate.title for candidate in recommended.tied),
            "rationale": ("" if self.about == "methods" else RUNS_ONLY) + recommended.rationale,
            "about": self.about,
            "left_out": "; ".join(recommended.notes),
        }
        if recommended.chosen:
            chosen = with_size[candidates.index(recommended.chosen)]
            row |= {"model": chosen.model, "method": chosen.method, "score": recommended.chosen.score}
            best = with_size[candidates.index(recommended.tied[0])]
            row |= {"best_model": best.model, "best_method": best.method, "margin": self.expected.recommend.margin}
            row["collapsed"] = recommended.chosen.collapsed
            if recommended.loss:
                row |= {"loss": recommended.loss.value, "loss_low": recommended.loss.low}
                row["loss_high"] = recommended.loss.high
        return row

    def _measured(self, key: ResultKey) -> Measured:
        trained = [r.training.cost for r in self.ok[key] if r.training and r.training.cost]
        scored = [r.metrics.cost for r in self.ok[key] if r.metrics and r.metrics.cost]
        known = [cost.prediction_seconds for cost in scored if cost.prediction_seconds is not None]
        memory = [cost.peak_memory_bytes for cost in trained if cost.peak_memory_bytes is not None]
        predicting = [cost.peak_memory_bytes for cost in scored if cost.peak_memory_bytes is not None]
        flops = [cost.training_flops for cost in trained if cost.training_flops is not None]
        speeds = [cost.inference.merged or cost.inference.unmerged for cost in scored if cost.inference]
        latencies = [speed.latency_seconds for speed in speeds if speed is not None]
        return Measured(
            train_seconds=float(np.mean([cost.optimisation_seconds for cost in trained])) if trained else None,
            train_memory_bytes=float(max(memory)) if memory else None,
            train_flops=float(np.mean(flops)) if flops else None,
            prediction_memory_bytes=float(max(predicting)) if predicting else None,
            latency_seconds=float(np.mean(latencies)) if latencies else None,
            saved_bytes=float(max(cost.saved_bytes for cost in trained)) if trained else None,
            prediction_seconds=float(np.mean(known)) if known else None,
        )

    def _candidate(self, key: ResultKey, measured: Measured) -> recommend.Candidate:
        records = [r.training for r in self.ok[key] if r.training and r.training.parameters]
        row = self._cell_row(key, self.task.primary.name)
        collapses = self.collapses[key]
        return recommend.Candidate(
            model=title(self.expected.models, key.model),
            method=title(self.expected.methods, key.method),
            score=row["mean"],
            printed=self.task.primary.short(row["mean"]),
            trainable=max(record.parameters.trainable for record in records),
            total=max(record.parameters.total for record in records),
            measured=measured,
            baseline=_side(row["difference_low"], row["difference_high"]) if "difference_low" in row else None,
            incomplete=row["reason"],
            collapsed=collapses.count,
            collapse=collapses.in_words(self.task.primary.short(collapses.median)) if collapses.count else "",
            cost_name=self.expected.recommend.cost,
        )

    def _title(self, key: ResultKey) -> str:
        return f"{title(self.expected.models, key.model)} + {title(self.expected.methods, key.method)}"


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


def _side(low: float, high: float) -> str:
    """Position of an interval of differences: above 0, below 0, or level with it."""
    return "above" if low > 0 else "below" if high < 0 else "level"
