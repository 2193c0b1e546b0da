"""Cosine similarity of TF-IDF vectors fitted on each pair: what the paper's numbers fit (see docs/metrics.md)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from sklearn.feature_extraction.text import CountVectorizer

from tunegrid.tasks.metrics.base import TextMetric

# Inverse document frequency of a word that only one of two texts has (of one that both have it is 1): scikit-learn's
# smoothed ln((1 + n) / (1 + df)) + 1, for n = 2 documents and df = 1.
OF_ONE_TEXT = math.log(3 / 2) + 1


def tfidf_cosines(predictions: Sequence[str], references: Sequence[str]) -> list[float]:
    """For each pair, the cosine of the angle between the TF-IDF vectors of its texts (0 to 1); 0 where one has no word.

    What `TfidfVectorizer().fit_transform([prediction, reference])` gives, of all pairs at once: to fit it on each pair
    took most of the time of a translation's scoring.
    """
    try:
        counts = CountVectorizer(dtype=float).fit_transform([*predictions, *references])
    except ValueError:  # no word of two letters or more in any text: there is nothing to compare
        return [0.0] * len(predictions)
    first, second = counts[: len(predictions)], counts[len(predictions) :]
    in_both = first.sign().multiply(second.sign())

    def weighted(texts):
        return texts * OF_ONE_TEXT + texts.multiply(in_both) * (1 - OF_ONE_TEXT)

    u, v = weighted(first), weighted(second)
    uv, uu, vv = (one.multiply(other).sum(1).flat for one, other in ((u, v), (u, u), (v, v)))
    return [min(float(a / math.sqrt(b * c)), 1.0) if b and c else 0.0 for a, b, c in zip(uv, uu, vv, strict=True)]


class CosineSimilarity(TextMetric):
    """`cosine_similarity`, the mean over the pairs."""

    description = "Mean cosine similarity of TF-IDF vectors fitted on each (prediction, reference) pair, from 0 to 1."

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        return {"cosine_similarity": fmean(tfidf_cosines(predictions, references))}
