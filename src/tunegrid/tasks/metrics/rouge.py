"""ROUGE as Google's rouge-score computes it (Lin 2004), with its Porter stemmer and its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from tunegrid.common.citations import LIN_2004, Formula
from tunegrid.tasks.metrics.base import MeanMetric
from tunegrid.tasks.sentences import sentences

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

FORMULA = Formula(
    "ROUGE",
    r"P = \dfrac{m}{p}, \quad R = \dfrac{m}{r}, \quad \mathrm{ROUGE} = \dfrac{2 P R}{P + R}",
    "P is m over p, R is m over r, and ROUGE is two P R over P plus R",
    "Of a prediction with p n-grams and a reference with r, m in common: n is 1 for ROUGE-1 and 2 for ROUGE-2. For "
    "ROUGE-L, m is the longest common subsequence of their p and r words; for ROUGE-Lsum, the union of those of each "
    "sentence of the reference with all sentences of the prediction. The mean over the examples, of each the best over "
    "its references.",
    (LIN_2004,),
)


class Rouge(MeanMetric):
    """The mean F-measure of one kind of ROUGE, best over the references of each example."""

    variant: ClassVar[str]  # rouge-score's name
    citation = "Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries"
    formula = FORMULA
    many_references = True

    def value(self, prediction: str, references: Sequence[str]) -> float:
        scorer, written = _scorer(self.variant), self._text(prediction)
        return max(scorer.score(self._text(text), written)[self.variant].fmeasure for text in references)

    def _text(self, text: str) -> str:
        return text

    def signature(self) -> str:
        return f"rouge-score:{version('rouge-score')}|stemmer:porter|tok:a-z0-9|agg:mean-f"


class Rouge1(Rouge):
    """ROUGE-1: single words."""

    name, title, label = "rouge1", "ROUGE-1", "ROUGE-1"
    columns, variant = ("rouge1",), "rouge1"
    description = "Mean F-measure of ROUGE-1, from 0 to 1."


class Rouge2(Rouge):
    """ROUGE-2: pairs of words."""

    name, title, label = "rouge2", "ROUGE-2", "ROUGE-2"
    columns, variant = ("rouge2",), "rouge2"
    description = "Mean F-measure of ROUGE-2, from 0 to 1."


class RougeL(Rouge):
    """ROUGE-L: the longest common subsequence of words of the whole texts."""

    name, title, label = "rouge_l", "ROUGE-L", "ROUGE-L"
    columns, variant = ("rouge_l",), "rougeL"
    description = "Mean F-measure of ROUGE-L, from 0 to 1."


class RougeLsum(Rouge):
    """ROUGE-Lsum: the union of longest common subsequences, sentence by sentence."""

    name, title, label = "rouge_lsum", "ROUGE-Lsum", "ROUGE-Lsum"
    columns, variant = ("rouge_lsum",), "rougeLsum"
    description = "Mean F-measure of ROUGE-Lsum, from 0 to 1; sentences end at line breaks and after . ! ?"

    def _text(self, text: str) -> str:
        return "\n".join(sentences(text))  # the library takes lines for sentences

    def signature(self) -> str:
        return f"{super().signature()}|sent:.!?"


@lru_cache
def _scorer(variant: str) -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([variant], use_stemmer=True)
