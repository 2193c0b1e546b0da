"""Accuracy of predicted labels."""

from __future__ import annotations

from collections.abc import Sequence

from tunegrid.tasks.metrics.base import MeanMetric, References
from tunegrid.tasks.metrics.label_counts import FORMULA


class Accuracy(MeanMetric):
    """The share of predictions that are the reference label."""

    name, title, label = "accuracy", "Accuracy", "accuracy"
    columns = ("correct",)
    description = "Share of predictions that are the reference label, from 0 to 1."
    formula = FORMULA

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[int]]:
        pairs = zip(predictions, references, strict=True)
        return {"correct": [int(prediction == labels[0]) for prediction, labels in pairs]}
