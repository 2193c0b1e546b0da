"""Selection of the weights that a run keeps: of the last step, or of its best evaluation on validation data."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunegrid.common.fields import Closed, Count, Finite, MetricValue, NonEmpty
from tunegrid.data.tokens import take_rows
from tunegrid.training.settings import Training

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from tunegrid.tasks import Row, Task


def primary_score(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    tokens: Any,
    rows: Sequence[Row],
    precision: str,
) -> float:
    """The task's primary metric, from 0 to 1, of a model's predictions; `tokens`: those of the rows."""
    from tunegrid.tasks.predict import predict_rows

    predicted = predict_rows(model, tokenizer, task, tokens, len(rows), precision=precision)
    return task.score(predicted.texts, rows).metrics[task.primary]


class ValidationMetric:
    """The task's primary metric on validation rows, as the evaluation stage computes it on test rows.

    Args:
        tokens, rows: of the whole validation split.
        limit: at most so many rows are predicted, the same for every run of the task; None: all.
    """

    def __init__(
        self,
        task: Task,
        tokenizer: PreTrainedTokenizerBase,
        tokens: Any,
        rows: Sequence[Row],
        *,
        limit: int | None,
        precision: str,
    ) -> None:
        import numpy as np

        self.name, self.task, self.tokenizer, self.precision = task.primary, task, tokenizer, precision
        chosen = list(range(len(rows)))
        if limit is not None and limit < len(rows):
            chosen = sorted(random.Random(task.settings.source.seed).sample(chosen, limit))
        self.rows = [rows[i] for i in chosen]
        self.tokens = take_rows(tokens, np.array(chosen)) if len(chosen) < len(rows) else tokens

    def __call__(self, model: torch.nn.Module) -> float:
        """The metric of a model in evaluation mode, from 0 to 1; higher is better."""
        return primary_score(model, self.tokenizer, self.task, self.tokens, self.rows, self.precision)


class MeanMetric:
    """The mean of the primary metrics of several tasks, each on its own validation rows."""

    name = "mean_metric"

    def __init__(self, metrics: Sequence[ValidationMetric]) -> None:
        self.metrics = metrics

    def __call__(self, model: torch.nn.Module) -> float:
        return sum(metric(model) for metric in self.metrics) / len(self.metrics)


def selection(
    training: Training, metric: str | None, history: list[dict[str, float]], steps: int, of: int
) -> Selection:
    """Derives which weights were chosen from the rows of history.csv.

    Args:
        metric: name of the metric that was chosen by; None: the validation loss.
        steps, of: steps done, and steps that the run would have without early stopping.
    """
    evaluations = [row for row in history if "validation_loss" in row]
    column = "validation_metric" if metric else "validation_loss"
    # Of equals, the first: as the Trainer does.
    best = (max if metric else min)(evaluations, key=lambda row: row[column])
    saved = best if training.keep_best else evaluations[-1]
    return Selection(
        kept="best" if training.keep_best else "last",
        by=metric or "loss",
        step=int(saved["step"]),
        validation_loss=saved["validation_loss"],
        validation_metric=saved.get("validation_metric"),
        best_step=int(best["step"]),
        best_value=best[column],
        evaluations=len(evaluations),
        stopped_early=steps < of,
    )


class Selection(Closed):
    """Which weights of a run were saved, and what validation data said about them."""

    kept: Literal["best", "last"] = Field(description="The weights of the best evaluation, or those of the last step.")
    by: NonEmpty = Field(
        description="What best means: the lowest validation 'loss', or the highest metric of this name."
    )
    step: Count = Field(description="Optimiser steps after which the saved weights were there.")
    validation_loss: Finite = Field(description="Loss of the saved weights on the validation rows.")
    validation_metric: MetricValue | None = Field(
        description="Metric of the saved weights, 0 to 1; null if chosen by loss."
    )
    best_step: Count = Field(description="Step of the best evaluation, whether its weights were kept or not.")
    best_value: Finite = Field(description="The validation loss, or the metric, of the best evaluation.")
    evaluations: Count = Field(description="Evaluations on validation data.")
    stopped_early: bool = Field(description="Whether early stopping ended the run before its last step.")
