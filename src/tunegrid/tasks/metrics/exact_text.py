"""Exact text: whether an answer is a reference, character by character."""

from __future__ import annotations

from collections.abc import Sequence

from tunegrid.common.citations import Formula
from tunegrid.tasks.metrics.base import MeanMetric


class ExactText(MeanMetric):
    """The share of predictions that are one of the references, but for white space.

    Case, punctuation and articles count, unlike in SQuAD's exact match. White space does not: vocabularies such as
    T5's have no line break and no tab.
    """

    name, title, label = "exact_text", "Exact Text", "exact text"
    columns = ("exact_text",)
    description = "Share of predictions that are one of the references, but for white space, from 0 to 1."
    formula = Formula(
        "Exact text",
        r"\mathrm{exact} = \dfrac{1}{n} \sum_{i=1}^{n} \max_{a \in A_i} \, [\hat{a}_i = a]",
        "exact text is the mean over the examples of whether the answer is one of the references",
        "Of the answers to n examples, each with references A. Runs of white space are one blank; all else counts.",
    )
    many_references = True

    def value(self, prediction: str, references: Sequence[str]) -> int:
        return int(prediction.split() in [text.split() for text in references])
