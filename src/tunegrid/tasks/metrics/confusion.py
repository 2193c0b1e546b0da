"""Macro F1 and the Matthews correlation: scores over all labels, from true and false predictions of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunegrid.common.citations import GORODKIN_2004, Formula
from tunegrid.tasks.metrics.base import Metric, References, ratio

if TYPE_CHECKING:
    import numpy as np

MOST_LABELS = 200  # of which each example's counts are kept for resampling: 600 numbers
FORMULA = Formula(
    "Macro F1 and Matthews correlation",
    r"\mathrm{macro\ F1} = \dfrac{1}{K} \sum_{k=1}^{K} \mathrm{F1}_k, \quad "
    r"\mathrm{MCC} = \dfrac{c\, n - \sum_k p_k t_k}{\sqrt{(n^2 - \sum_k p_k^2)\,(n^2 - \sum_k t_k^2)}}",
    "macro F1 is the mean of the F1 of each label; the Matthews correlation is c n minus the sum of p t, over the root "
    "of n squared minus the sum of p squared, times n squared minus the sum of t squared",
    "K labels occur in n test rows or their predictions; label k is the reference of t rows and the prediction of p, "
    "and c predictions are right. Both are as in scikit-learn.",
    (GORODKIN_2004,),
)


@dataclass(frozen=True)
class Confusion(Metric):
    """A score from the true positives, false positives and false negatives of every label.

    Attributes:
        labels: all labels; none: those that occur. A prediction that is no label counts as one that is missed.
    """

    labels: tuple[str, ...] = ()
    formula = FORMULA

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[Any]]:
        return {}

    def statistics(self, table: Mapping[str, Any]) -> np.ndarray | None:
        """Marks true positives, false positives and false negatives of each label, [examples, 3 · labels].

        None: there are too many labels to keep that of each example.
        """
        import numpy as np

        predicted, actual, count = self._codes(table)
        if count > MOST_LABELS:
            return None
        marks = np.zeros((len(actual), 3, count + 1))
        rows, right = np.arange(len(actual)), predicted == actual
        marks[rows[right], 0, actual[right]] = 1
        marks[rows[~right], 1, predicted[~right]] = 1
        marks[rows[~right], 2, actual[~right]] = 1
        return marks[:, :, :count].reshape(len(actual), 3 * count)

    def score(self, table: Mapping[str, Any]) -> float:
        import numpy as np

        predicted, actual, count = self._codes(table)
        right = predicted == actual
        parts = (actual[right], predicted[~right], actual[~right])
        sums = np.stack([np.bincount(part, minlength=count + 1)[:count] for part in parts])
        return float(self.aggregate(sums.reshape(3 * count).astype(np.float64)))

    def _codes(self, table: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, int]:
        """(number of each predicted label, of each reference, how many labels there are); the last is of all else."""
        import numpy as np

        references = [texts[0] for texts in table["references"]]
        labels = self.labels or tuple(sorted({*references, *table["prediction"]}))
        numbers = {label: number for number, label in enumerate(labels)}
        predicted, actual = (
            np.array([numbers.get(label, len(labels)) for label in texts], dtype=np.int64)
            for texts in (table["prediction"], references)
        )
        return predicted, actual, len(labels)


class MacroF1(Confusion):
    """The mean F1 of the labels that occur among predictions or references, as scikit-learn's `average="macro"`."""

    name, title, label = "macro_f1", "Macro F1", "macro F1"
    description = "Mean F1 of the labels that occur among predictions or references, from 0 to 1."

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        right, wrong, missed = by_label(sums)
        occurs = right + wrong + missed > 0
        return ratio(ratio(2 * right, 2 * right + wrong + missed).sum(axis=-1), occurs.sum(axis=-1))


class Matthews(Confusion):
    """Matthews correlation of two labels, Gorodkin's of more: 0 is chance, below it is worse. It has no interval."""

    name, title, label = "matthews", "Matthews Correlation", "Matthews correlation"
    lowest = -1.0
    description = "Matthews correlation of predictions and references, from -1 to 1; 0 where one has a single label."
    citation = "Gorodkin 2004, Comparing two K-category assignments by a K-category correlation coefficient"

    def statistics(self, table: Mapping[str, Any]) -> None:
        return None  # intervals are of scores on 0 to 1

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        import numpy as np

        right, wrong, missed = by_label(sums)
        actual, predicted = right + missed, right + wrong
        examples, correct = actual.sum(axis=-1), right.sum(axis=-1)
        covariance = correct * examples - (actual * predicted).sum(axis=-1)
        spread = (examples**2 - (predicted**2).sum(axis=-1)) * (examples**2 - (actual**2).sum(axis=-1))
        return np.where(spread > 0, covariance / np.sqrt(np.where(spread > 0, spread, 1)), 0.0)

    def undefined(self, table: Mapping[str, Any]) -> str | None:
        for name, texts in (
            ("prediction", table["prediction"]),
            ("test row", [references[0] for references in table["references"]]),
        ):
            if len(labels := set(texts)) == 1:
                return f"every {name} is “{labels.pop()}”"
        return None


def by_label(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True positives, false positives and false negatives, each [..., labels], of sums [..., 3 · labels]."""
    parts = sums.reshape(*sums.shape[:-1], 3, sums.shape[-1] // 3)
    return parts[..., 0, :], parts[..., 1, :], parts[..., 2, :]
