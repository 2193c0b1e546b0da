"""chrF from counts: sacreBLEU's own corpus score, of all examples and of resamples."""

import random

import numpy as np
import pytest
from sacrebleu.metrics import CHRF

from tunegrid.tasks.metrics.chrf import ChrF, ChrFCounts

WORDS = ["", "a", "Haus", "größer", "дом", "家", "x y z", "the house is red", "the house is green and blue"]


def table(predictions: list[str], references: list[str]) -> dict:
    texts = [[text] for text in references]
    return {"prediction": predictions, "references": texts} | ChrFCounts().examples(predictions, texts)


@pytest.mark.parametrize("seed", range(5))
def test_sums_of_counts_give_the_corpus_score(seed):
    generator = random.Random(seed)
    for _ in range(200):
        size = generator.randint(1, 8)
        predictions, references = (generator.choices(WORDS, k=size) for _ in range(2))
        columns = table(predictions, references)
        expected = CHRF().corpus_score(predictions, [references]).score / 100
        sums = ChrFCounts().statistics(columns).sum(axis=0)
        assert float(ChrFCounts().aggregate(sums)) == pytest.approx(expected, abs=1e-12)
        assert ChrFCounts().score(columns) == pytest.approx(ChrF().score(columns), abs=1e-12) == expected


def test_many_resamples_at_once():
    predictions, references = WORDS[2:], WORDS[:-2]
    counts = ChrFCounts().statistics(table(predictions, references))
    drawn = np.random.default_rng(0).integers(0, len(counts), (50, len(counts)))
    together = ChrFCounts().aggregate(counts[drawn].sum(axis=1))
    for rows, score in zip(drawn, together, strict=True):
        expected = CHRF().corpus_score([predictions[i] for i in rows], [[references[i] for i in rows]]).score / 100
        assert score == pytest.approx(expected, abs=1e-12)


def test_white_space_does_not_count():
    """As in sacreBLEU's default settings, which docs/metrics.md says."""
    metric = ChrFCounts()
    columns = metric.examples(["nowhere"], [["now here"]])
    assert metric.score({"prediction": ["nowhere"], "references": [["now here"]], **columns}) == 1
    assert "space:no" in metric.signature()
