"""Accuracy of predicted labels; precision, recall and F1 of one label from counts of its true and false predictions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunegrid.common.citations import Formula
from tunegrid.tasks.metrics.base import MeanMetric, Metric, References, ratio

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


class Accuracy(MeanMetric):
    """The share of predictions that are the reference label."""

    name, title, label = "accuracy", "Accuracy", "accuracy"
    columns = ("correct",)
    description = "Share of predictions that are the reference label, from 0 to 1."
    formula = FORMULA

    def value(self, prediction: str, references: Sequence[str]) -> int:
        return int(prediction == references[0])


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


class Precision(LabelCounts):
    """Precision of one label; 0 where the label is never predicted."""

    name, title, label = "precision", "Precision", "precision"
    description = "Share of the predictions of one label that are right, from 0 to 1; 0 where it is never predicted."

    def why_undefined(self, predicted: bool, actual: bool) -> str | None:
        return None if predicted else f"no prediction is “{self.positive}”"

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        return ratio(sums[..., 0], sums[..., 0] + sums[..., 1])


class Recall(LabelCounts):
    """Recall of one label; 0 where the label never occurs."""

    name, title, label = "recall", "Recall", "recall"
    description = "Share of the examples of one label that are predicted as such, from 0 to 1; 0 where it never occurs."

    def why_undefined(self, predicted: bool, actual: bool) -> str | None:
        return None if actual else f"no test row is “{self.positive}”"

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        return ratio(sums[..., 0], sums[..., 0] + sums[..., 2])


class LabelF1(LabelCounts):
    """F1 of one label: harmonic mean of its precision and recall; 0 without a true positive."""

    name, title, label = "f1", "F1 Score", "F1"
    description = "Harmonic mean of precision and recall of one label, from 0 to 1."

    def why_undefined(self, predicted: bool, actual: bool) -> str | None:
        return None if predicted or actual else f"no prediction and no test row is “{self.positive}”"

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        return ratio(2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


class ClassF1(LabelF1):
    """F1 of one label among several; its name is that of the label. It stands in `tables/`, not in the report."""

    printed = False

    @property
    def name(self) -> str:
        return f"f1_{self.positive}"

    @property
    def title(self) -> str:
        return f"F1, {self.positive}"

    @property
    def label(self) -> str:
        return f"F1 of “{self.positive}”"
