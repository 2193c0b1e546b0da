"""The interface of a metric: columns per example, their sums, and the score that follows from the sums."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tunegrid.common import digits
from tunegrid.common.citations import Formula

if TYPE_CHECKING:
    import numpy as np

References = Sequence[Sequence[str]]  # of each prediction, its reference texts


@dataclass(frozen=True)
class Metric(ABC):
    """A metric of predicted texts against reference texts; higher is better.

    A score is a fraction from 0 to 1 (a correlation is one from -1 to 1), and a function of sums over the examples, so
    that test examples can be resampled. The module of a metric is imported with every study: what is slow to import
    (sacreBLEU, scikit-learn) is imported where it is used.

    Attributes:
        name: its key in metrics.json and in the tables.
        title: the head of its column.
        label: its name in a sentence.
        percent: printed as a percentage.
        lowest: the lowest score that there can be.
        printed: whether the tables of the paper's form print it.
        columns: the columns that it adds to predictions.parquet.
        description: one sentence, for `evaluate`.
        citation: the publication that defines it, for `evaluate`.
        formula: its equation, for the report; metrics may share one.
        many_references: whether an example may have several references; otherwise the first one counts.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    label: ClassVar[str]
    percent: ClassVar[bool] = False
    lowest: ClassVar[float] = 0.0
    printed: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ()
    description: ClassVar[str]
    citation: ClassVar[str] = ""
    formula: ClassVar[Formula | None] = None
    many_references: ClassVar[bool] = False

    @abstractmethod
    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[Any]]:
        """The values of `columns`, one per prediction."""

    def statistics(self, table: Mapping[str, Any]) -> np.ndarray | None:
        """Returns the terms of the sums, [examples, statistics]; None: the score is no function of such sums.

        A metric without sums has no interval and cannot be the primary one.

        Args:
            table: the columns of predictions.parquet: `prediction`, `references`, and those of the metric.
        """
        import numpy as np

        return np.stack([np.asarray(table[column], dtype=np.float64) for column in self.columns], axis=1)

    @abstractmethod
    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        """Scores from summed statistics, [..., statistics] -> [...]."""

    def score(self, table: Mapping[str, Any]) -> float:
        """The score over all examples of a table, see `statistics`."""
        import numpy as np

        # Exact sums: neither the order of the examples nor how they are added up changes the last digit.
        return float(self.aggregate(np.array([math.fsum(column) for column in self.statistics(table).T])))

    def undefined(self, table: Mapping[str, Any]) -> str | None:
        """Returns why the formula has no value over a table, so that its score is 0; None where it has a value.

        Args:
            table: as for `statistics`.
        """
        return None

    def signature(self) -> str | None:
        """Returns the signature of the computation, where the library of the metric has one (sacreBLEU)."""
        return None

    def text(self, value: float) -> str:
        """A score as tables print it."""
        return digits.score(value, self.percent)

    def short(self, value: float) -> str:
        """A score as sentences print it."""
        return digits.score(value, self.percent, decimals=1)


class MeanMetric(Metric):
    """A metric with one column, whose score is the mean of that column."""

    def value(self, prediction: str, references: Sequence[str]) -> float:
        """The value of the column for one prediction; a metric that computes them all at once has `examples`."""
        raise NotImplementedError

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[float]]:
        (column,) = self.columns
        pairs = zip(predictions, references, strict=True)
        return {column: [self.value(prediction, texts) for prediction, texts in pairs]}

    def statistics(self, table: Mapping[str, Any]) -> np.ndarray:
        import numpy as np

        (column,) = self.columns
        values = np.asarray(table[column], dtype=np.float64)
        return np.stack([values, np.ones(len(values))], axis=1)

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        return ratio(sums[..., 0], sums[..., 1])


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotients; 0 where the denominator is not positive."""
    import numpy as np

    return np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1), 0.0)
