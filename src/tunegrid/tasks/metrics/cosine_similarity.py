"""Cosine similarity of TF-IDF vectors fitted on each pair: what the paper's numbers fit (see docs/metrics.md)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tunegrid.common.citations import Formula
from tunegrid.tasks.metrics.base import MeanMetric, References

# Inverse document frequency of a word that only one of two texts has (of one that both have it is 1): scikit-learn's
# smoothed ln((1 + n) / (1 + df)) + 1, for n = 2 documents and df = 1.
ONE_TEXT = math.log(3 / 2) + 1


class CosineSimilarity(MeanMetric):
    """The mean over the pairs of prediction and reference."""

    name, title, label = "cosine_similarity", "Cosine Similarity", "cosine similarity"
    columns = ("cosine_similarity",)
    description = "Mean cosine similarity of TF-IDF vectors fitted on each (prediction, reference) pair, from 0 to 1."
    formula = Formula(
        "Cosine similarity",
        r"\mathrm{cosine} = \dfrac{1}{n} \sum_{i=1}^{n} \dfrac{u_i \cdot v_i}{\Vert u_i \Vert \, \Vert v_i \Vert}",
        "the cosine similarity is the mean over sentences of u times v over the lengths of u and v",
        "Of TF-IDF vectors u of the prediction and v of the reference, fitted on each pair alone: what words the "
        "two have in common, in any order. The cosine of sentence embeddings is another number.",
    )

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[float]]:
        return {"cosine_similarity": tfidf_cosines(predictions, [texts[0] for texts in references])}


def tfidf_cosines(predictions: Sequence[str], references: Sequence[str]) -> list[float]:
    """For each pair, the cosine of the angle between the TF-IDF vectors of its texts (0 to 1); 0 where one has no word.

    The values are those of `TfidfVectorizer().fit_transform([prediction, reference])`, of all pairs at once: fitting a
    vectorizer on each pair took most of the time of a translation's scoring.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    try:
        counts = CountVectorizer(dtype=float).fit_transform([*predictions, *references])
    except ValueError:  # no word of two letters or more in any text: there is nothing to compare
        return [0.0] * len(predictions)
    first, second = counts[: len(predictions)], counts[len(predictions) :]
    in_both = first.sign().multiply(second.sign())

    def weighted(texts):
        return texts * ONE_TEXT + texts.multiply(in_both) * (1 - ONE_TEXT)

    u, v = weighted(first), weighted(second)
    uv, uu, vv = (left.multiply(right).sum(1).flat for left, right in ((u, v), (u, u), (v, v)))
    return [min(float(a / math.sqrt(b * c)), 1.0) if b and c else 0.0 for a, b, c in zip(uv, uu, vv, strict=True)]
