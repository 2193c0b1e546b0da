"""The test rows of a task, side by side with what each result answered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.data.parquet import read_parquet, whole
from tunegrid.results.expected import ExpectedTask
from tunegrid.results.read import Result, ResultKey, StudyResults
from tunegrid.study.paths import Paths


@dataclass(frozen=True)
class TaskExamples:
    """The test rows of a task and the results on them.

    Attributes:
        results: every result of the study, also those that failed or are missing; in the order of the tables.
        rows: the canonical test rows; where the file is not there, their ids alone.
        unknown: model -> unknown tokens in the source of each row; of the models whose counts are there.
        overlap: the columns of overlap.parquet; None where it was not counted.
    """

    task: ExpectedTask
    results: tuple[Result, ...]
    rows: Sequence[dict[str, Any]]
    unknown: dict[str, np.ndarray] = field(default_factory=dict)
    overlap: dict[str, Any] | None = None

    @cached_property
    def answered(self) -> list[Result]:
        """The results with answers."""
        return [result for result in self.results if result.status == "ok"]

    @cached_property
    def groups(self) -> dict[ResultKey, list[Result]]:
        """The results with answers, seeds of a cell together."""
        groups: dict[ResultKey, list[Result]] = {}
        for result in self.answered:
            groups.setdefault(result.key, []).append(result)
        return groups

    def scores(self, result: Result) -> np.ndarray:
        """The score of each answer of a result, from 0 to 1, [rows]."""
        column = self.task.judge[0].columns[0]
        try:
            return np.asarray(result.predictions[column], dtype=np.float64)
        except (KeyError, ValueError, TypeError) as error:
            raise TuneGridError(
                f"{result.folder / 'predictions.parquet'}: no usable column {column}. Evaluate again."
            ) from error


def read_examples(study: StudyResults, task: ExpectedTask) -> TaskExamples:
    """Reads the test rows of a task, and what is recorded about each.

    Raises TuneGridError, naming the file, for a file that is damaged, or for answers to other rows.
    """
    paths = study.paths
    results = tuple(result for result in study.results if result.task == task)
    path = paths.split(task.name, "test")
    rows: Sequence[dict[str, Any]] = read_parquet(path) if path.is_file() else ()
    first = next((result for result in results if result.status == "ok"), None)
    if first is not None:
        ids = first.predictions["id"].tolist()
        if not rows:
            rows = [{"id": identifier} for identifier in ids]
        elif [row["id"] for row in rows] != ids:
            raise TuneGridError(
                f"{path}: its rows are not those that {first.folder / 'predictions.parquet'} answers. Evaluate again."
            )
    overlap = read_overlap(study.folder, task.name)
    if overlap is not None and len(overlap["seen"]) != len(rows):
        raise TuneGridError(f"{paths.overlap(task.name)}: is not about the rows of {path}. Fetch the data again.")
    unknown = {}
    for model in study.expected.models:
        file = paths.unknown_tokens(task.name, model.name)
        counts = read_parquet(file, ["unknown"]) if file.is_file() else []
        if len(counts) == len(rows) > 0:
            unknown[model.name] = np.array([row["unknown"] for row in counts], dtype=np.int64)
    return TaskExamples(task, results, rows, unknown, overlap)


def read_overlap(folder: Path, task: str) -> dict[str, Any] | None:
    """The columns of a task's overlap.parquet as arrays, [test rows]; None where it was not counted.

    Raises TuneGridError, naming the file, if it is damaged or lacks a column.
    """
    import pyarrow.parquet

    path = Paths(folder.name, folder.parent).overlap(task)
    if not path.is_file():
        return None
    names = ["ngrams", "seen", "same"]
    with whole(path):
        table = pyarrow.parquet.read_table(path)
    if missing := [name for name in names if name not in table.column_names]:
        raise TuneGridError(f"{path}: has no column {', '.join(missing)}. Delete it and fetch the data again.")
    return {name: table.column(name).to_numpy() for name in names}
