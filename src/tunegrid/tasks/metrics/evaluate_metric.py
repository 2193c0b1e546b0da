"""TuneGrid's metrics as `evaluate.Metric` classes: they work offline, and in anybody's `evaluate.combine`."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate

from tunegrid.tasks.metrics.base import Metric


class EvaluateMetric(evaluate.Metric):
    """An `evaluate.Metric` of predicted texts against reference texts, computed in memory and without the Hub."""

    def __init__(self, metric: Metric, **options: Any) -> None:
        self.metric = metric
        # The library's default writes to a cache in the home folder, which concurrent jobs would share.
        super().__init__(keep_in_memory=True, seed=0, **options)

    def _info(self) -> evaluate.MetricInfo:
        text, many = datasets.Value("string"), self.metric.many_references
        return evaluate.MetricInfo(
            description=self.metric.description,
            citation=self.metric.citation,
            inputs_description="\nArgs:\n    predictions: texts.\n    references: for each prediction, its reference"
            + (" texts.\n" if many else " text.\n")
            + "    examples: whether the result also holds the columns per example.\n",
            features=datasets.Features({"predictions": text, "references": datasets.Sequence(text) if many else text}),
        )

    def _compute(self, predictions: list[str], references: list[Any], examples: bool = False) -> dict[str, Any]:
        metric = self.metric
        if not metric.many_references:
            references = [[text] for text in references]
        columns = metric.examples(predictions, references)
        result = {metric.name: metric.score({"prediction": predictions, "references": references, **columns})}
        if (signature := metric.signature()) is not None:
            result[f"{metric.name}_signature"] = signature
        return result | ({"examples": columns} if examples else {})


def as_evaluate(metric: Metric) -> EvaluateMetric:
    """The metric for `compute` and `evaluate.combine`, which tells metrics apart by the names of their classes."""
    return type(type(metric).__name__, (EvaluateMetric,), {"__doc__": metric.description})(metric)
