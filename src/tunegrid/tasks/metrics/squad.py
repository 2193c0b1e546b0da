"""SQuAD's exact match and F1 of words (Rajpurkar et al. 2016), with the official normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from tunegrid.common.citations import RAJPURKAR_2016, Formula
from tunegrid.tasks.metrics.base import MeanMetric


class SquadMetric(MeanMetric):
    """The mean over the questions of a score of each answer, the best over its gold answers."""

    percent = True
    citation = "Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text"
    formula = Formula(
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
    many_references = True


class ExactMatch(SquadMetric):
    """The share of predictions that equal one of the gold answers after normalisation."""

    name, title, label = "exact_match", "Exact Match (EM)", "EM"
    columns = ("exact_match",)
    description = "SQuAD's exact match, from 0 to 1, best over the gold answers."

    def value(self, prediction: str, references: Sequence[str]) -> float:
        from transformers.data.metrics.squad_metrics import compute_exact

        return float(max(compute_exact(gold, prediction) for gold in references))


class SquadF1(SquadMetric):
    """The mean over the questions of the best F1 over the gold answers."""

    name, title, label = "f1", "F1 Score", "F1"
    columns = ("f1",)
    description = "SQuAD's F1 of words, from 0 to 1, best over the gold answers."

    def value(self, prediction: str, references: Sequence[str]) -> float:
        return float(max(word_f1(gold, prediction) for gold in references))


def word_f1(reference: str, prediction: str) -> float:
    """F1 as SQuAD 1.1 defines it: 0 without a common word. (The library follows 2.0: two empty answers agree.)"""
    from transformers.data.metrics.squad_metrics import compute_f1, normalize_answer

    return compute_f1(reference, prediction) if normalize_answer(reference) else 0.0
