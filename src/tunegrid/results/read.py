"""Reads a results folder into typed objects: every expected result, with its records or as missing.

Only files are looked at, never their times, so that results copied from another machine read the same.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.common.records import DataCard, ModelCard, TokenStats, check_place, read_card
from tunegrid.results.ceilings import Ceilings, read_ceilings
from tunegrid.results.expected import Expected, ExpectedTask
from tunegrid.results.records import MetricsRecord, TrainRecord, read_record
from tunegrid.study.cells import Cell, Run
from tunegrid.study.paths import Paths

ResultStatus = Literal["ok", "diverged", "failed", "missing"]
TOLERANCE = 1e-6  # between a metric and what its per-example scores give
SPLITS = ("train", "validation", "test")
# Every file of a results folder that the tables follow from, as patterns of paths in it.
FILES = (
    "data/*/card.json",
    "data/*/test.parquet",
    "data/*/overlap.parquet",
    "models/*/card.json",
    "cards/*.json",
    "tokens/*/*/stats.json",
    "tokens/*/*/ceiling.json",
    "tokens/*/*/unknown.parquet",
    "search/*/*/*/*.json",
    "mixtures/tokens/*/*/*.json",
    "mixtures/untuned/*/*/*/*.*",
    "runs/*/*/*/*/*.*",
    "rewards/*/*/*/reward.json",
    "runs/*/*/*/*/variants/*/*.*",
    "untuned/*/*/*.*",
    "baselines/*/*/*.*",
    "domains/*/*/*.*",
    "runs/*/*/*/*/domains/*/*.*",
    "untuned/*/*/domains/*/*.*",
    "baselines/*/*/domains/*/*.*",
    "runs/*/*/*/*/probes/*/*.*",
    "forgetting/untuned/*/*.*",
    "untuned/*/*/probes/*/*.*",
)


class ResultKey(NamedTuple):
    """What the results of all seeds of a cell have in common; a baseline and an untuned model have one result each.

    `form`: of the weights; None: as they were trained.
    """

    kind: str
    task: str
    model: str | None  # None: a baseline
    method: str
    form: str | None = None


@dataclass(frozen=True)
class Result:
    """Result of a run, an untuned model or a baseline of the study; `status` is "missing" where it does not exist."""

    kind: Literal["run", "untuned", "baseline"]
    task: ExpectedTask
    model: str | None
    method: str
    seed: int | None
    folder: Path
    status: ResultStatus
    reason: str | None
    metrics: MetricsRecord | None
    training: TrainRecord | None
    form: str | None = None

    @property
    def key(self) -> ResultKey:
        return ResultKey(self.kind, self.task.name, self.model, self.method, self.form)

    @property
    def names(self) -> dict[str, Any]:
        """What its records say of themselves, and its rows in the tables."""
        of_cell = {"kind": self.kind, "task": self.task.name, "model": self.model, "method": self.method}
        return of_cell | {"seed": self.seed}

    @cached_property
    def predictions(self) -> Any:
        """predictions.parquet as a pandas frame. Raises TuneGridError if it is missing or cannot be read."""
        path = self.folder / "predictions.parquet"
        with parquet_frame(path) as frame:
            if self.metrics is not None and len(frame) != self.metrics.examples:
                raise TuneGridError(
                    f"{path}: has {len(frame)} rows, but metrics.json says {self.metrics.examples}. Evaluate it again."
                )
        return frame

    def statistics(self, metric: str) -> np.ndarray | None:
        """What each example contributes to a metric, [examples, statistics]; None where it is no function of that.

        Raises TuneGridError if the primary metric in metrics.json is not what the predictions give.
        """
        counted, predictions = self.task.metric(metric), self.predictions
        try:
            values = counted.statistics(predictions)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            what = f"no usable scores for {metric} ({type(error).__name__}: {error})"
            raise TuneGridError(f"{self.folder / 'predictions.parquet'}: {what}. Evaluate again.") from error
        if values is None or self.metrics is None:
            return None
        recorded, computed = self.metrics.metrics.get(metric), float(counted.aggregate(values.sum(axis=0)))
        if recorded is not None and abs(recorded.value - computed) <= TOLERANCE:
            return values
        if metric == self.task.primary.name:
            says = "nothing" if recorded is None else f"{recorded.value:.6f}"
            raise TuneGridError(
                f"{self.folder}: metrics.json says {metric} {says}, but the scores in predictions.parquet give "
                f"{computed:.6f}. One of the two files is not of this run: evaluate it again."
            )
        return None


@dataclass(frozen=True)
class StudyResults:
    """Everything in a results folder that the tables follow from."""

    folder: Path
    expected: Expected
    results: tuple[Result, ...]
    data_cards: dict[str, dict[str, Any]]  # by task; {} where missing
    model_cards: dict[str, dict[str, Any]]  # by model
    tokens: dict[tuple[str, str], dict[str, Any]]  # by task and model
    ceilings: Ceilings  # those that were recorded
    forms: tuple[tuple[Result, dict[str, Result]], ...]  # runs with their results in other forms, by the form's name
    unexpected: tuple[str, ...]  # folders of runs that are not of this study's configuration

    def of(self, task: ExpectedTask, kind: str) -> list[Result]:
        return [result for result in self.results if result.task == task and result.kind == kind]

    @property
    def paths(self) -> Paths:
        return Paths(self.folder.name, self.folder.parent)

    def units(self, task: ExpectedTask) -> np.ndarray | None:
        """Group of each test example in the bootstrap, see `row_groups`."""
        return row_groups(self.paths.split(task.name, "test"), task)


@contextmanager
def parquet_frame(path: Path, remedy: str = "Run its job again.", columns: list[str] | None = None) -> Iterator[Any]:
    """A Parquet file as a pandas frame.

    Raises TuneGridError, with what to do, where it cannot be read, or is not what is made of it in the block.
    """
    import pandas as pd

    try:
        yield pd.read_parquet(path, columns=columns)
    except TuneGridError:
        raise
    except Exception as error:  # pyarrow raises many kinds
        raise TuneGridError(f"{path}: cannot be read ({error}). {remedy}") from error


def row_groups(path: Path, task: ExpectedTask) -> np.ndarray | None:
    """Group of each row of a file of test rows in the bootstrap, [rows]; None: rows are drawn one by one.

    Questions about one article share it, so they are drawn together, as long as some group holds more than one.
    Rows without a group are drawn one by one. Raises TuneGridError if the file cannot be read.
    """
    if not task.grouped or not path.exists():
        return None
    with parquet_frame(path, "Fetch the data again.", ["group"]) as frame:
        groups = np.array([group or f"\0{number}" for number, group in enumerate(frame["group"])], dtype=object)
    distinct = len(set(groups))
    return groups if 1 < distinct < len(groups) else None


def read_results(folder: Path, expected: Expected) -> StudyResults:
    """Reads all results of a study that exist. Raises TuneGridError, naming the file, for an invalid one."""
    if not folder.is_dir():
        raise TuneGridError(
            f"{folder}: no such folder of results. Run the study first, or name another results folder."
        )
    paths = Paths(folder.name, folder.parent)
    results = []
    for task in expected.tasks:
        for baseline in task.baselines:
            place = paths.baseline(task.name, baseline.name)
            results.append(_read(place, "baseline", task, None, baseline.name, None))
        for model in expected.models if expected.untuned else ():
            place = paths.untuned(task.name, model.name)
            results.append(_read(place, "untuned", task, model.name, "untuned", None))
        for key in expected.keys(task):
            for seed in expected.seeds:
                results.append(_read(paths.run(Run(Cell(*key), seed)), "run", task, *key[1:], seed))
    known = {result.folder for result in results}
    found = sorted(path.parent for path in folder.glob("runs/*/*/*/seed-*/metrics.json"))
    tasks, models = [task.name for task in expected.tasks], [model.name for model in expected.models]
    return StudyResults(
        folder=folder,
        expected=expected,
        results=tuple(results),
        data_cards={task: _card(paths.data_card(task), DataCard) for task in tasks},
        model_cards={
            model: _card(paths.model_card(model), ModelCard) or _card(paths.kept_card(model), ModelCard)
            for model in models
        },
        tokens={
            (task, model): _card(paths.tokens(task, model) / "stats.json", TokenStats)
            for task in tasks
            for model in models
        },
        ceilings=read_ceilings(paths, expected),
        forms=tuple(
            (result, _forms(result, expected.forms))
            for result in results
            if (result.task.name, result.model, result.method) in expected.formed
        ),
        unexpected=tuple(str(place.relative_to(folder)) for place in found if place not in known),
    )


def _read(
    folder: Path,
    kind: Any,
    task: ExpectedTask,
    model: str | None,
    method: str,
    seed: int | None,
    form: str | None = None,
) -> Result:
    metrics_path, training_path = folder / "metrics.json", folder / "train.json"
    names = {"task": task.name, "model": model, "method": method, "seed": seed}
    metrics = None
    if metrics_path.exists():
        metrics = read_record(metrics_path, MetricsRecord, kind=kind, **names, domain=None)
        if metrics.status == "ok":
            check_place(metrics_path, {"form": metrics.form and metrics.form.name}, {"form": form})
    trained = kind == "run" and training_path.exists()
    training = read_record(training_path, TrainRecord, **names) if trained else None
    status, reason = _status(metrics, training)
    return Result(kind, task, model, method, seed, folder, status, reason, metrics, training, form)


def _forms(run: Result, names: Sequence[str]) -> dict[str, Result]:
    """The results of a run in these forms, by the form's name; missing where it was not evaluated in one."""
    places = {name: run.folder / "variants" / name for name in names}
    cell = run.task, run.model, run.method
    return {name: _read(place, "run", *cell, run.seed, form=name) for name, place in places.items()}


def _status(metrics: MetricsRecord | None, training: TrainRecord | None) -> tuple[ResultStatus, str | None]:
    if training is not None and training.status != "ok":
        return training.status, training.reason
    if metrics is not None:
        return metrics.status, metrics.reason
    return "missing", "trained, but not evaluated" if training is not None else "no result"


def _card(path: Path, cls: Any) -> dict[str, Any]:
    return read_card(path, cls) if path.exists() else {}
