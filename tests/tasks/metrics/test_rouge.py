"""ROUGE: rouge-score's own numbers, and counts of words by hand."""

import random
from collections import Counter
from pathlib import Path

import pytest

from tunegrid.tasks.metrics.rouge import Rouge1, Rouge2, RougeL, RougeLsum

WORDS = "dog house red see blue river stone bird".split()  # which the stemmer leaves as they are


def scores(prediction, *references):
    metrics = (Rouge1(), Rouge2(), RougeL(), RougeLsum())
    return [metric.examples([prediction], [references])[metric.name][0] for metric in metrics]


def f_measure(common, predicted, reference):
    return 2 * common / (predicted + reference) if common else 0.0


def subsequence(first, second):
    lengths = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for j, other in enumerate(second):
            diagonal, lengths[j + 1] = (
                lengths[j + 1],
                diagonal + 1 if word == other else max(lengths[j], lengths[j + 1]),
            )
    return lengths[-1]


def test_a_thousand_pairs_by_a_count_of_their_words():
    generator = random.Random(0)
    for _ in range(1000):
        first, second = (generator.choices(WORDS, k=generator.randrange(1, 12)) for _ in range(2))
        grams = [
            [Counter(zip(*(words[i:] for i in range(n)), strict=False)) for words in (first, second)] for n in (1, 2)
        ]
        expected = [f_measure((a & b).total(), a.total(), b.total()) for a, b in grams]
        expected += [f_measure(subsequence(first, second), len(first), len(second))]
        assert scores(" ".join(first), " ".join(second))[:3] == pytest.approx(expected)


@pytest.mark.parametrize("cases", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_texts_have_the_scores_of_rouge_score(cases):
    from rouge_score.rouge_scorer import RougeScorer

    generator, scorer = random.Random(1), RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=True)
    words = [
        *WORDS,
        "Dogs",
        "running",
        "generalisations",
        "U.S.",
        "don't",
        "state-of-the-art",
        "3.5%",
        "über",
        "中文",
        "—",
    ]

    def text(most):
        return [
            " ".join(generator.choices(words, k=generator.randrange(1, 9))) + "."
            for _ in range(generator.randrange(1, most))
        ]

    for _ in range(cases):
        prediction, references = text(4), [text(4) for _ in range(generator.choice((1, 1, 2, 3)))]
        # The library takes lines for sentences, and has the best reference by `score_multi`.
        best = scorer.score_multi(
            ["\n".join(map(split, reference)) for reference in references], "\n".join(map(split, prediction))
        )
        expected = [best[name].fmeasure for name in ("rouge1", "rouge2", "rougeL", "rougeLsum")]
        assert scores(" ".join(prediction), *map(" ".join, references)) == pytest.approx(expected, abs=1e-12)


def test_texts_have_the_published_scores_of_the_perl_script():
    folder = Path(__file__).parent / "published"
    prediction, target = ((folder / f"rouge-{name}.txt").read_text() for name in ("prediction", "target"))
    lines = zip(prediction.splitlines(), target.splitlines(), strict=True)
    first, second, *_ = (scores(*pair) for pair in lines)
    assert first[:2] == pytest.approx([0.51163, 0.39024], abs=5e-6)
    assert second[:2] == pytest.approx([0.52941, 0.36364], abs=5e-6)
    assert scores(prediction, target)[3] == pytest.approx(0.47205, abs=5e-6)


def split(sentence):
    """A sentence with an abbreviation inside, which ends a sentence too."""
    return sentence.replace("U.S. ", "U.S.\n")


def test_sentences_that_change_places_are_all_found_by_lsum_alone():
    *_, whole, by_sentence = scores("The dog sees. A bird sings.", "A bird sings. The dog sees.")
    assert (whole, by_sentence) == pytest.approx((0.5, 1))


def test_the_best_reference_counts_and_words_are_stemmed():
    assert scores("dogs running", "a red house", "dog runs")[0] == 1


@pytest.mark.parametrize("text", ["中文摘要", "Привет мир"])
def test_texts_without_ascii_letters_have_no_words(text):
    assert scores(text, text) == [0, 0, 0, 0]


def test_the_signature_states_stemmer_and_tokenizer():
    assert RougeL().signature() == "rouge-score:0.1.2|stemmer:porter|tok:a-z0-9|agg:mean-f"
    assert RougeLsum().signature().endswith("|sent:.!?")
