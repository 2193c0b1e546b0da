"""SQuAD's exact match (Rajpurkar et al. 2016), with the official normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from tunegrid.common.citations import RAJPURKAR_2016, Formula
from tunegrid.tasks.metrics.base import MeanMetric, References

# Of SQuAD's two metrics.
FORMULA = Formula(
    "Exact match and F1",
    r"\mathrm{EM} = \dfrac{1}{n} \sum_{i=1}^{n} \max_{a \in A_i} \, [\hat{a}_i = a], \quad "
    r"\mathrm{F1} = \dfrac{1}{n} \sum_{i=1}^{n} \max_{a \in A_i} \, "
    r"\dfrac{2\, |\hat{a}_i \cap a|}{|\hat{a}_i| + |a|}",
    "exact match is the mean over questions of whether the answer is one of the gold answers; F1 is the mean "
    "over questions of the best, over the gold answers, of twice the number of common words over the number "
    "of words of both",
    "Of the answers to n questions, each with gold answers A. Answers are compared in lower case, without "
    "punctuation, articles and superfluous blanks; for F1 they are bags of words.",
    (RAJPURKAR_2016,),
)
CITATION = "Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text"


class ExactMatch(MeanMetric):
    """The share of predictions that equal one of the gold answers after normalisation."""

    name, title, label = "exact_match", "Exact Match (EM)", "EM"
    percent = True
    columns = ("exact_match",)
    description = "SQuAD's exact match, from 0 to 1, best over the gold answers."
    citation = CITATION
    formula = FORMULA
    many_references = True

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[float]]:
        from transformers.data.metrics.squad_metrics import compute_exact

        pairs = zip(predictions, references, strict=True)
        return {
            "exact_match": [
                float(max(compute_exact(gold, prediction) for gold in golds)) for prediction, golds in pairs
            ]
        }
