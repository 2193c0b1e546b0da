"""What a training learns from: the rows of one task, or a mixture of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunegrid.common.files import read_object
from tunegrid.data.parquet import count_rows, iterate_parquet, read_parquet
from tunegrid.data.tokens import read_tokens
from tunegrid.study.cells import Cell, MixtureCell
from tunegrid.study.mixtures import mixed_tasks
from tunegrid.study.study import Study
from tunegrid.tasks import Row, Task
from tunegrid.tasks.mixture import MixedTask, assign_wordings, chosen_rows, part_of_task
from tunegrid.training.selection import MeanMetric, ValidationMetric

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class TrainingData:
    """The tokens of a training.

    Attributes:
        task: the task that is learnt; of a mixture, its first.
        read_rows: reads the training rows; of a mixture there are none, for no objective needs them.
        metric: makes what weights are chosen by, given the tokenizer.
        read_validation_rows: reads the validation rows; of a mixture there are none.
    """

    task: Task
    train: Any
    validation: Any
    read_rows: Callable[[], Sequence[Row]]
    metric: Callable[[PreTrainedTokenizerBase], ValidationMetric | MeanMetric]
    read_validation_rows: Callable[[], Sequence[Row]] = list


def training_data(study: Study, cell: Cell) -> TrainingData:
    """Reads what the runs of a cell, or of a mixture, are trained on."""
    folder = study.paths.training_tokens(cell)
    train, validation = (read_tokens(folder / f"{split}.arrow") for split in ("train", "validation"))
    if isinstance(cell, MixtureCell):
        return _of_mixture(study, cell, train, validation)
    limit, precision = study.training_settings(cell).validation_rows, study.hardware.precision
    task = study.task(cell.task, cell.model)

    def rows(split: str) -> list[Row]:
        return read_parquet(study.paths.split(cell.task, split))

    def metric(tokenizer: PreTrainedTokenizerBase) -> ValidationMetric:
        return ValidationMetric(task, tokenizer, validation, rows("validation"), limit=limit, precision=precision)

    return TrainingData(task, train, validation, lambda: rows("train"), metric, lambda: rows("validation"))


def _of_mixture(study: Study, cell: MixtureCell, train: Any, validation: Any) -> TrainingData:
    tasks = mixed_tasks(study, cell)

    def metric(tokenizer: PreTrainedTokenizerBase) -> MeanMetric:
        accounts = read_object(study.paths.training_tokens(cell) / "stats.json")["splits"]
        limit = study.training_settings(cell).validation_rows
        share = None if limit is None else max(1, limit // len(tasks))
        return MeanMetric(
            [
                ValidationMetric(
                    mixed.task,
                    tokenizer,
                    part_of_task(validation, accounts["validation"], mixed.name),
                    validation_rows(study, mixed),
                    limit=share,
                    precision=study.hardware.precision,
                )
                for mixed in tasks
            ]
        )

    return TrainingData(tasks[0].task, train, validation, list, metric)


def validation_rows(study: Study, mixed: MixedTask) -> list[Row]:
    """The validation rows of a task in the order of a mixture's file: wording by wording."""
    file = study.paths.split(mixed.name, "validation")
    rows = count_rows(file)
    return [
        row
        for times in assign_wordings(rows, rows, len(mixed.templates))
        for batch in chosen_rows(iterate_parquet(file), times)
        for row in batch
    ]
