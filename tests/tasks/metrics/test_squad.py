"""SQuAD's exact match and F1 against torchmetrics, the official formula, and values worked by hand."""

import random
from itertools import groupby

import evaluate
import numpy as np
import pytest

from tunegrid.tasks.metrics.evaluate_metric import as_evaluate
from tunegrid.tasks.metrics.squad import ExactMatch, SquadF1

WORDS = [
    "the",
    "a",
    "An",
    "cat",
    "Cat!",
    "sat",
    "on",
    "mat.",
    "(red)",
    "blue-green",
    "1,000",
    "é",
    "naïve",
    "the-",
    "\u00a0",
    "—",
    "a.",
]


def random_texts(count: int, seed: int, least: int = 0) -> list[str]:
    generator = random.Random(seed)
    return [" ".join(generator.choices(WORDS, k=generator.randint(least, 6))) for _ in range(count)]


def references_like(texts: list[str], seed: int) -> list[list[str]]:
    """One to three answers each; some are the text itself or a piece of it."""
    generator = random.Random(seed)
    others = random_texts(len(texts), seed + 1, least=1)

    def one(text: str, other: str) -> str:
        words = text.split()
        return generator.choice([text or other, other, " ".join(words[1:]) or other, text.upper() or other])

    return [
        [one(text, other) for _ in range(generator.randint(1, 3))] for text, other in zip(texts, others, strict=True)
    ]


def test_squad_scores_equal_torchmetrics_on_random_strings():
    from torchmetrics.functional.text import squad

    predictions = random_texts(400, seed=1)
    references = references_like(predictions, seed=2)
    assert len({best_over_references(*pair) for pair in zip(predictions, references, strict=True)}) > 5
    for prediction, gold in zip(predictions, references, strict=True):
        theirs = squad(
            [{"prediction_text": prediction, "id": "1"}], [{"answers": {"text": gold, "answer_start": [0]}, "id": "1"}]
        )
        ours = best_over_references(prediction, gold)
        assert ours[0] == theirs["exact_match"].item() / 100, (prediction, gold)
        if not by_hand_words(prediction):
            continue  # torchmetrics follows SQuAD 2.0, in which no answer is an answer
        assert ours[1] == pytest.approx(theirs["f1"].item() / 100, abs=1e-6), (prediction, gold)
    each = [best_over_references(*pair) for pair in zip(predictions, references, strict=True)]
    total = totals(predictions, references)
    assert total["exact_match"] == pytest.approx(np.mean([exact for exact, _ in each]))
    assert total["f1"] == pytest.approx(np.mean([f1 for _, f1 in each]))


def best_over_references(prediction: str, gold: list[str]) -> tuple[float, float]:
    """Exact match and F1 of one prediction."""
    (exact,), (f1,) = (metric.examples([prediction], [gold])[metric.name] for metric in (ExactMatch(), SquadF1()))
    return exact, f1


def totals(predictions: list[str], references: list[list[str]]) -> dict[str, float]:
    """Both metrics over all predictions, by `evaluate`."""
    both = evaluate.combine([as_evaluate(ExactMatch()), as_evaluate(SquadF1())])
    return both.compute(predictions=predictions, references=references)


def by_hand_words(text: str) -> list[str]:
    """What the official script of SQuAD 1.1 compares, by its description: lower case, no ASCII punctuation, no articles.

    An article is one between word boundaries, so also one that stands at a dash or quotation mark outside ASCII.
    """
    kept = [character for character in text.lower() if character not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]
    runs = ["".join(run) for _, run in groupby(kept, key=str.isalnum)]
    return "".join(" " if run in ("a", "an", "the") else run for run in runs).split()


def by_hand_squad(prediction: str, gold: list[str]) -> tuple[float, float]:
    """(exact match, F1) by the formulas of evaluate-v1.1.py."""
    said, exact, f1 = by_hand_words(prediction), [], []
    for words in map(by_hand_words, gold):
        exact.append(float(words == said))
        same = sum(min(said.count(word), words.count(word)) for word in set(said))
        precision, recall = (same / len(said), same / len(words)) if same else (0.0, 0.0)
        f1.append(2 * precision * recall / (precision + recall) if same else 0.0)
    return max(exact), max(f1)


def test_squad_scores_equal_the_official_formula_on_a_thousand_random_strings():
    generator = random.Random(11)
    # Articles at all kinds of borders, punctuation in and outside ASCII, blanks, accents apart and composed, digits.
    pieces = [
        "a", "an", "the", "A", "THE", "Theatre", "an_a", "a1", "the-end", "dog", "Dog", "dogs", "1,000", "1000", "$5.50",
        "—", "the—", "“an”", "«a»", "don't", "don’t", "¿", "。", "…", "%", "_", "\u00a0", "\u2009", "\t", "e\u0301", "é",
        "a\u0301", "İ", "ß", "SS", "中文", "ﬁ", "½", "a.", "(the)", "a\u200bn", "",
    ]  # fmt: skip

    def text() -> str:
        return generator.choice((" ", " ", "", "  ")).join(generator.choices(pieces, k=generator.randint(0, 6)))

    predictions = [text() for _ in range(1000)]
    references = [
        [generator.choice((text(), prediction.upper(), prediction + " dog")) for _ in range(generator.randint(1, 4))]
        for prediction in predictions
    ]
    expected = [by_hand_squad(*pair) for pair in zip(predictions, references, strict=True)]
    found = [best_over_references(*pair) for pair in zip(predictions, references, strict=True)]
    assert [pair for pair in zip(predictions, references, found, expected, strict=True) if pair[2] != pair[3]] == []
    assert len(set(found)) > 15
    assert sum(exact == 1 and f1 == 0 for exact, f1 in found) > 5, "nothing left of either, which SQuAD 2.0 scores 1"
    total = totals(predictions, references)
    exact, f1 = zip(*expected, strict=True)
    assert total == {"exact_match": pytest.approx(sum(exact) / 1000), "f1": pytest.approx(sum(f1) / 1000)}


@pytest.mark.parametrize(
    ("prediction", "gold", "exact", "f1"),
    [
        ("The  Cat!", ["a cat"], 1, 1),  # articles, case, punctuation and blanks do not count
        ("cat sat", ["cat"], 0, 2 / 3),  # precision 1/2, recall 1
        ("red cat", ["a red hat", "the red cat sat"], 0, 0.8),  # best: precision 1, recall 2/3
        ("cat cat", ["cat"], 0, 2 / 3),  # a word counts as often as both have it
        ("dog", ["cat"], 0, 0),
        ("", ["cat"], 0, 0),
        ("the", ["a"], 1, 0),  # nothing is left of either: the same, but without a common word
        ("1,000", ["1000"], 1, 1),
        ("theatre", ["atre"], 0, 0),  # only whole words are articles
        ("naïve", ["naive"], 0, 0),
    ],
)
def test_squad_scores_worked_by_hand(prediction, gold, exact, f1):
    assert best_over_references(prediction, gold) == pytest.approx((exact, f1))
