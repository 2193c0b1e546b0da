"""F1 of one label: harmonic mean of its precision and recall; 0 without a true positive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunegrid.tasks.metrics.base import ratio
from tunegrid.tasks.metrics.label_counts import LabelCounts

if TYPE_CHECKING:
    import numpy as np


class LabelF1(LabelCounts):
    """F1 of one label: harmonic mean of its precision and recall; 0 without a true positive."""

    name, title, label = "f1", "F1 Score", "F1"
    description = "Harmonic mean of precision and recall of one label, from 0 to 1."

    def why_undefined(self, predicted: bool, actual: bool) -> str | None:
        return None if predicted or actual else f"no prediction and no test row is “{self.positive}”"

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        return ratio(2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2])
