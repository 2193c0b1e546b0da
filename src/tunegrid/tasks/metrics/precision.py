"""Precision of one label; 0 where the label is never predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunegrid.tasks.metrics.base import ratio
from tunegrid.tasks.metrics.label_counts import LabelCounts

if TYPE_CHECKING:
    import numpy as np


class Precision(LabelCounts):
    """Precision of one label; 0 where the label is never predicted."""

    name, title, label = "precision", "Precision", "precision"
    description = "Share of the predictions of one label that are right, from 0 to 1; 0 where it is never predicted."

    def why_undefined(self, predicted: bool, actual: bool) -> str | None:
        return None if predicted else f"no prediction is “{self.positive}”"

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        return ratio(sums[..., 0], sums[..., 0] + sums[..., 1])
