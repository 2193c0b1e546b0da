"""Accuracy, and precision, recall and F1 of the positive class, by scikit-learn."""

from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from tunegrid.tasks.metrics.base import TextMetric


class LabelScores(TextMetric):
    """`accuracy`, `precision`, `recall` and `f1`; a class that is never predicted has precision 0."""

    description = "Accuracy, and precision, recall and F1 of the positive class, from 0 to 1."

    def __init__(self, positive: str = "positive", **options: object) -> None:
        self.positive = positive
        super().__init__(**options)

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        # `labels` with one entry rather than pos_label: it also holds for more than two classes.
        precision, recall, f1, _ = precision_recall_fscore_support(
            references, predictions, labels=[self.positive], average=None, zero_division=0.0
        )
        return {
            "accuracy": float(accuracy_score(references, predictions)),
            "precision": float(precision[0]),
            "recall": float(recall[0]),
            "f1": float(f1[0]),
        }
