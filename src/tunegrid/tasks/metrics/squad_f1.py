"""SQuAD's F1 of words (Rajpurkar et al. 2016), with the official normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from tunegrid.tasks.metrics.base import MeanMetric, References
from tunegrid.tasks.metrics.exact_match import CITATION, FORMULA


class SquadF1(MeanMetric):
    """The mean over the questions of the best F1 over the gold answers."""

    name, title, label = "f1", "F1 Score", "F1"
    percent = True
    columns = ("f1",)
    description = "SQuAD's F1 of words, from 0 to 1, best over the gold answers."
    citation = CITATION
    formula = FORMULA
    many_references = True

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[float]]:
        pairs = zip(predictions, references, strict=True)
        return {"f1": [float(max(word_f1(gold, prediction) for gold in golds)) for prediction, golds in pairs]}


def word_f1(reference: str, prediction: str) -> float:
    """F1 as SQuAD 1.1 defines it: 0 without a common word. (The library follows 2.0: two empty answers agree.)"""
    from transformers.data.metrics.squad_metrics import compute_f1, normalize_answer

    return compute_f1(reference, prediction) if normalize_answer(reference) else 0.0
