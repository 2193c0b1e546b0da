"""The cosine of TF-IDF vectors against a computation by hand and scikit-learn's vectors of each pair."""

import math
import random
from collections import Counter

import pytest

from tunegrid.tasks.metrics.cosine_similarity import CosineSimilarity, tfidf_cosines
from tunegrid.tasks.metrics.evaluate_metric import as_evaluate


def by_hand_cosine(first: str, second: str) -> float:
    """TF-IDF as scikit-learn documents it: tf x (ln((1 + n) / (1 + df)) + 1), n = 2, of words of two letters or more."""
    counts = [Counter(word for word in text.lower().split() if len(word) > 1) for text in (first, second)]
    vocabulary = set(counts[0]) | set(counts[1])
    idf = {word: math.log(3 / (1 + sum(word in count for count in counts))) + 1 for word in vocabulary}
    vectors = [[count[word] * idf[word] for word in sorted(vocabulary)] for count in counts]
    lengths = [math.hypot(*vector) for vector in vectors]
    return sum(a * b for a, b in zip(*vectors, strict=True)) / (lengths[0] * lengths[1])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("the red dog", "the blue dog"),
        ("a dog sees dog", "Dog sees house"),
        ("eins zwei", "eins zwei"),
        ("größe", "größe zwei"),
    ],
)
def test_tfidf_cosine_equals_a_computation_by_hand(first, second):
    assert tfidf_cosines([first], [second]) == [pytest.approx(by_hand_cosine(first, second))]


def test_tfidf_cosine_equals_scikit_learns_vectors_fitted_on_each_pair():
    from sklearn.feature_extraction.text import TfidfVectorizer

    generator = random.Random(5)
    words = ["Das", "das", "Haus", "x", "7", "rot-braun", "über", "am", "AM", "..."]
    texts = [[" ".join(generator.choices(words, k=generator.randint(1, 12))) for _ in range(300)] for _ in range(2)]
    texts[0].append("das Haus"), texts[1].append("das Haus")
    found, fitted = tfidf_cosines(*texts), []
    for pair in zip(*texts, strict=True):
        try:
            vectors = TfidfVectorizer().fit_transform(pair)
        except ValueError:  # there is no word
            fitted.append(0.0)
        else:
            fitted.append(float(vectors[0].multiply(vectors[1]).sum()))
    assert found == pytest.approx(fitted, abs=1e-14)
    assert 0 in found
    assert found[-1] == max(found) == 1


def test_tfidf_cosine_of_texts_without_a_word_is_zero():
    assert tfidf_cosines(["", "a"], ["", "!"]) == [0, 0]
    assert tfidf_cosines(["", "cat", "a"], ["dog", "dog", "!"]) == [0, 0, 0]
    mean = as_evaluate(CosineSimilarity()).compute(predictions=["dog", "cat"], references=["dog", "dog"])
    assert mean == {"cosine_similarity": pytest.approx(0.5)}
