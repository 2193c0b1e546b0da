"""F1 of each label of a classification."""

from __future__ import annotations

from tunegrid.tasks.metrics.label_f1 import LabelF1


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
