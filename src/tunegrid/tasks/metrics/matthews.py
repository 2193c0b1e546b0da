"""The Matthews correlation of predicted labels and references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tunegrid.tasks.metrics.confusion import Confusion, by_label

if TYPE_CHECKING:
    import numpy as np


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
