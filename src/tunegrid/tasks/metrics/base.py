"""What the package's `evaluate.Metric` classes share."""

from typing import Any, ClassVar

import datasets
import evaluate


class TextMetric(evaluate.Metric):
    """A metric of predicted texts against reference texts, computed in memory and without the Hub."""

    description: ClassVar[str]
    citation: ClassVar[str] = ""
    many_references: ClassVar[bool] = False

    def __init__(self, **options: Any) -> None:
        # The library's default writes to a cache in the home folder, which concurrent jobs would share.
        super().__init__(keep_in_memory=True, seed=0, **options)

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        references = datasets.Sequence(text) if self.many_references else text
        return evaluate.MetricInfo(
            description=self.description,
            citation=self.citation,
            inputs_description="\nArgs:\n    predictions: texts.\n    references: for each prediction, its reference"
            + (" texts.\n" if self.many_references else " text.\n"),
            features=datasets.Features({"predictions": text, "references": references}),
        )
