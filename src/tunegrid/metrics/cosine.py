"""Cosine similarity of TF-IDF vectors fitted on each pair: what the paper's numbers fit (see docs/metrics.md)."""

from statistics import fmean

from sklearn.feature_extraction.text import TfidfVectorizer

from tunegrid.metrics.base import TextMetric


def tfidf_cosine(prediction: str, reference: str) -> float:
    """Cosine of the angle between the TF-IDF vectors of two texts (0 to 1); 0 where neither has a word."""
    try:
        vectors = TfidfVectorizer().fit_transform([prediction, reference])
    except ValueError:  # no word of two letters or more in either text: there is nothing to compare
        return 0.0
    return float(vectors[0].multiply(vectors[1]).sum())


class CosineSimilarity(TextMetric):
    """`cosine_similarity`, the mean over the pairs."""

    description = "Mean cosine similarity of TF-IDF vectors fitted on each (prediction, reference) pair, from 0 to 1."

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        return {"cosine_similarity": fmean(map(tfidf_cosine, predictions, references))}
