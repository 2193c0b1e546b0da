"""SQuAD's exact match and F1 (Rajpurkar et al. 2016), with the official normalisation."""

from statistics import fmean

from transformers.data.metrics.squad_metrics import compute_exact, compute_f1, normalize_answer

from tunegrid.tasks.metrics.base import TextMetric


def best_over_references(prediction: str, references: list[str]) -> tuple[float, float]:
    """Exact match and F1 of one prediction, each the best over the gold answers (0 to 1)."""
    return (
        float(max(compute_exact(reference, prediction) for reference in references)),
        float(max(_f1(reference, prediction) for reference in references)),
    )


def _f1(reference: str, prediction: str) -> float:
    """That of SQuAD 1.1: without a common word it is 0. (The library's is that of 2.0: two empty answers agree.)"""
    return compute_f1(reference, prediction) if normalize_answer(reference) else 0.0


class SquadScore(TextMetric):
    """`exact_match` and `f1`, means over the questions."""

    description = "SQuAD's exact match and F1, from 0 to 1, best over the gold answers."
    citation = "Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text"
    many_references = True

    def _compute(self, predictions: list[str], references: list[list[str]]) -> dict[str, float]:
        scores = [best_over_references(*pair) for pair in zip(predictions, references, strict=True)]
        exact, f1 = zip(*scores, strict=True)
        return {"exact_match": fmean(exact), "f1": fmean(f1)}
