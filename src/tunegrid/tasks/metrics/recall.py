"""Recall of one label; 0 where the label never occurs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunegrid.tasks.metrics.base import ratio
from tunegrid.tasks.metrics.label_counts import LabelCounts

if TYPE_CHECKING:
    import numpy as np


class Recall(LabelCounts):
    """Recall of one label; 0 where the label never occurs."""

    name, title, label = "recall", "Recall", "recall"
    description = "Share of the examples of one label that are predicted as such, from 0 to 1; 0 where it never occurs."

    def why_undefined(self, predicted: bool, actual: bool) -> str | None:
        return None if actual else f"no test row is “{self.positive}”"

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        return ratio(sums[..., 0], sums[..., 0] + sums[..., 2])
