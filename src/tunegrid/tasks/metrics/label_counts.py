"""The common ground of precision, recall and F1 of a label: counts of its true and false predictions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunegrid.common.citations import Formula
from tunegrid.tasks.metrics.base import Metric, References

if TYPE_CHECKING:
    import numpy as np

FORMULA = Formula(
    "Accuracy, precision, recall and F1",
    r"\mathrm{accuracy} = \dfrac{k}{n}, \quad P = \dfrac{t}{t + f}, \quad R = \dfrac{t}{t + m}, \quad "
    r"\mathrm{F1} = \dfrac{2 P R}{P + R}",
    "accuracy is k over n; precision is t over t plus f; recall is t over t plus m; F1 is two P R over P plus R",
    "k of n predictions are right; of the positive label t predictions are right, f wrong, and m examples are "
    "missed. A prediction is the label whose words the model finds most probable.",
)


@dataclass(frozen=True)
class LabelCounts(Metric):
    """A score from the true positives, false positives and false negatives of one label.

    Predictions and references are labels, of two or more kinds; they are in predictions.parquet anyway, so that no
    column is added.
    """

    positive: str = "positive"
    formula = FORMULA

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[Any]]:
        return {}

    def undefined(self, table: Mapping[str, Any]) -> str | None:
        right, wrong, missed = (count > 0 for count in self.statistics(table).sum(axis=0))
        return self.why_undefined(predicted=bool(right or wrong), actual=bool(right or missed))

    @abstractmethod
    def why_undefined(self, predicted: bool, actual: bool) -> str | None:
        """Returns why the score is 0 / 0, if it is.

        Args:
            predicted: whether any prediction is the label.
            actual: whether any reference is the label.
        """

    def statistics(self, table: Mapping[str, Any]) -> np.ndarray:
        """Marks true positives, false positives and false negatives, [examples, 3]."""
        import numpy as np

        predicted = np.asarray(table["prediction"], dtype=object) == self.positive
        actual = np.array([references[0] == self.positive for references in table["references"]], dtype=bool)
        return np.stack([predicted & actual, predicted & ~actual, ~predicted & actual], axis=1).astype(np.float64)
