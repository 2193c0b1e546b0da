"""Macro F1: the mean F1 of the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunegrid.tasks.metrics.base import ratio
from tunegrid.tasks.metrics.confusion import Confusion, by_label

if TYPE_CHECKING:
    import numpy as np


class MacroF1(Confusion):
    """The mean F1 of the labels that occur among predictions or references, as scikit-learn's `average="macro"`."""

    name, title, label = "macro_f1", "Macro F1", "macro F1"
    description = "Mean F1 of the labels that occur among predictions or references, from 0 to 1."

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        right, wrong, missed = by_label(sums)
        occurs = right + wrong + missed > 0
        return ratio(ratio(2 * right, 2 * right + wrong + missed).sum(axis=-1), occurs.sum(axis=-1))
