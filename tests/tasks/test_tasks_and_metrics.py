"""Tasks and metrics against independent values: hand-worked, or by another implementation."""

import json
import math
import random
import subprocess
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from tests.support.rows_of_tasks import make_task
from tunegrid.tasks import TASKS, RowError

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


# -- question answering -----------------------------------------------------------------------------------------------


def test_squad_scores_equal_torchmetrics_on_random_strings():
    from torchmetrics.functional.text import squad

    from tunegrid.tasks.metrics.squad import SquadScore, best_over_references

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
    total = SquadScore().compute(predictions=predictions, references=references)
    assert total["exact_match"] == pytest.approx(np.mean([exact for exact, _ in each]))
    assert total["f1"] == pytest.approx(np.mean([f1 for _, f1 in each]))


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
    from tunegrid.tasks.metrics.squad import SquadScore, best_over_references

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
    total = SquadScore().compute(predictions=predictions, references=references)
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
    from tunegrid.tasks.metrics.squad import best_over_references

    assert best_over_references(prediction, gold) == pytest.approx((exact, f1))


# -- translation ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def translations() -> tuple[list[str], list[str]]:
    generator = random.Random(3)
    words = ["der", "die", "das", "kleine", "große", "Hund,", "Haus.", "sieht!", "rot", "und", "„alt“", "3,5", "Größe"]
    references = [" ".join(generator.choices(words, k=generator.randint(4, 14))) for _ in range(60)]
    predictions = []
    for reference in references:
        kept = [word if generator.random() < 0.85 else generator.choice(words) for word in reference.split()]
        predictions.append(" ".join(kept[: generator.randint(3, 14)]))
    return [*predictions, ""], [*references, "leer"]


def test_bleu_and_chrf_equal_sacrebleu_s_own_command_to_the_last_digit(translations, tmp_path):
    from tunegrid.tasks.metrics.bleu import Bleu
    from tunegrid.tasks.metrics.chrf import ChrF

    predictions, references = translations
    for name, texts in (("predictions", predictions), ("references", references)):
        Path(tmp_path, name).write_text("\n".join(texts) + "\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "sacrebleu",
        "references",
        "-i",
        "predictions",
        "-m",
        "bleu",
        "chrf",
        "-f",
        "json",
        "-w",
        "15",
    ]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    theirs = {score["name"]: score for score in json.loads(output)}
    ours = Bleu().compute(predictions=predictions, references=references)
    assert ours["bleu"] == theirs["BLEU"]["score"] / 100
    assert ours["bleu_signature"].replace("#:1", "nrefs:1") == theirs["BLEU"]["signature"]
    assert 0.1 < ours["bleu"] < 0.9
    ours = ChrF().compute(predictions=predictions, references=references)
    assert ours["chrf"] == theirs["chrF2"]["score"] / 100


def test_the_kept_statistics_of_each_sentence_sum_to_corpus_bleu(translations):
    from tunegrid.tasks.metrics.bleu import Bleu, bleu_statistics

    predictions, references = translations
    statistics = np.array(bleu_statistics(predictions, references))
    assert statistics.shape == (61, 10)
    hypothesis, reference, *counts = statistics.sum(axis=0)
    correct, total = counts[:4], counts[4:]
    precision = math.exp(sum(math.log(c / t) for c, t in zip(correct, total, strict=True)) / 4)
    brevity = min(1.0, math.exp(1 - reference / hypothesis))
    assert brevity < 1
    assert Bleu().compute(predictions=predictions, references=references)["bleu"] == pytest.approx(precision * brevity)


def test_bleu_statistics_worked_by_hand():
    from tunegrid.tasks.metrics.bleu import bleu_statistics

    # Tokens: the cat sat . against the cat sat down . — 4 of 4 words, 2 of 3 pairs, 1 of 2 triples, 0 of 1 quadruple.
    assert bleu_statistics(["the cat sat."], ["the cat sat down."]) == [[4, 5, 4, 2, 1, 0, 4, 3, 2, 1]]


def test_bleu_of_perfect_translations_is_one():
    from tunegrid.tasks.metrics.bleu import Bleu

    texts = ["der kleine Hund sieht ein Haus", "das Haus ist sehr alt"]
    assert Bleu().compute(predictions=texts, references=texts)["bleu"] == pytest.approx(1)


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
    from tunegrid.tasks.metrics.cosine import tfidf_cosines

    assert tfidf_cosines([first], [second]) == [pytest.approx(by_hand_cosine(first, second))]


def test_tfidf_cosine_equals_scikit_learns_vectors_fitted_on_each_pair():
    from sklearn.feature_extraction.text import TfidfVectorizer

    from tunegrid.tasks.metrics.cosine import tfidf_cosines

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
    from tunegrid.tasks.metrics.cosine import CosineSimilarity, tfidf_cosines

    assert tfidf_cosines(["", "a"], ["", "!"]) == [0, 0]
    assert tfidf_cosines(["", "cat", "a"], ["dog", "dog", "!"]) == [0, 0, 0]
    mean = CosineSimilarity().compute(predictions=["dog", "cat"], references=["dog", "dog"])
    assert mean == {"cosine_similarity": pytest.approx(0.5)}


# -- classification ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("predictions", "references", "expected"),
    [
        # 3 true positives, 1 false positive, 2 false negatives, 4 true negatives
        ("pppp nn nnnn", "pppn pp nnnn", {"accuracy": 7 / 10, "precision": 3 / 4, "recall": 3 / 5, "f1": 2 / 3}),
        ("nnnn", "pnpn", {"accuracy": 0.5, "precision": 0, "recall": 0, "f1": 0}),  # positive is never predicted
        ("pppp", "nnnn", {"accuracy": 0, "precision": 0, "recall": 0, "f1": 0}),
        ("ppp", "ppp", {"accuracy": 1, "precision": 1, "recall": 1, "f1": 1}),
        ("pxn", "pnx", {"accuracy": 1 / 3, "precision": 1, "recall": 1, "f1": 1}),  # three classes
    ],
)
def test_precision_recall_and_f1_worked_by_hand(predictions, references, expected):
    from tunegrid.tasks.metrics.classification import LabelScores

    names = {"p": "positive", "n": "negative", "x": "mixed"}
    predicted, gold = ([names[letter] for letter in text.replace(" ", "")] for text in (predictions, references))
    scores = LabelScores().compute(predictions=predicted, references=gold)
    assert scores == pytest.approx(expected)


def test_the_positive_class_is_a_setting():
    from tunegrid.tasks.metrics.classification import LabelScores

    scores = LabelScores("bad").compute(predictions=["bad", "bad", "good"], references=["bad", "good", "good"])
    assert (scores["precision"], scores["recall"]) == (0.5, 1)


def test_metrics_combine_with_others_offline():
    import evaluate

    from tunegrid.tasks.metrics.bleu import Bleu
    from tunegrid.tasks.metrics.chrf import ChrF
    from tunegrid.tasks.metrics.classification import LabelScores
    from tunegrid.tasks.metrics.cosine import CosineSimilarity

    texts = ["der kleine Hund", "das Haus"]
    scores = evaluate.combine([Bleu(), ChrF(), CosineSimilarity(), LabelScores()]).compute(
        predictions=texts, references=texts
    )
    assert {"bleu", "chrf", "cosine_similarity", "accuracy"} <= scores.keys()
    assert scores["cosine_similarity"] == pytest.approx(1)


# -- tasks ------------------------------------------------------------------------------------------------------------

ROWS = {
    "qa": [
        {"id": "1", "group": "g", "question": "who?", "context": "Anna saw Ben", "answers": ["Anna", "Anna B."], "candidates": ["Ben"]},
        {"id": "2", "group": "g", "question": "who?", "context": "Ben saw Anna", "answers": ["Ben"], "candidates": []},
    ],
    "translation": [{"id": "1", "source": "a dog", "target": "ein Hund"}, {"id": "2", "source": "Ben", "target": "Ben"}],
    "sentiment": [{"id": "1", "text": "good", "label": "positive"}, {"id": "2", "text": "bad", "label": "negative"}],
}  # fmt: skip


@pytest.mark.parametrize("kind", TASKS)
def test_scores_hold_every_metric_and_a_row_per_example_in_order(kind):
    task = make_task(kind)
    predictions = [task.target_text(row) for row in ROWS[kind]]
    predictions[1] = "nothing alike"
    scores = task.score(predictions, ROWS[kind])
    assert set(scores.metrics) == {metric.name for metric in task.metrics}
    assert task.primary in scores.metrics
    assert len(scores.examples) == 2
    first, second = scores.examples.iloc[0], scores.examples.iloc[1]
    column = {"qa": "exact_match", "translation": "cosine_similarity", "sentiment": "correct"}[kind]
    assert (first[column], second[column]) == (pytest.approx(1), 0)
    assert set(scores.signatures) == ({"bleu", "chrf"} if kind == "translation" else set())
    with pytest.raises(ValueError, match=r"zip|Mismatch"):
        task.score(predictions[:1], ROWS[kind])


@pytest.mark.parametrize("kind", ["qa", "sentiment"])
def test_metrics_are_the_means_of_the_examples(kind):
    task = make_task(kind)
    scores = task.score([task.target_text(ROWS[kind][0]), "x"], ROWS[kind])
    pairs = {"qa": [("exact_match",) * 2, ("f1",) * 2], "sentiment": [("accuracy", "correct")]}[kind]
    for metric, column in pairs:
        assert scores.metrics[metric] == pytest.approx(scores.examples[column].mean()) == 0.5


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("family", ["t5", "flan-t5", "bart"])
def test_a_prompt_holds_the_text_as_it_is_braces_and_all(kind, family):
    task = make_task(kind)
    row = ROWS[kind][0] | {task.cuttable: "x {y} {0} {{z}} %s"}
    assert "x {y} {0} {{z}} %s" in task.source_text(row, family)
    own = make_task(kind, prompts={family: "mine: {" + task.cuttable + "}"})
    assert own.source_text(row, family) == "mine: x {y} {0} {{z}} %s"


def test_flan_t5_s_question_stands_at_the_end():
    assert make_task("qa").source_text(ROWS["qa"][0], "flan-t5").endswith("who?")


def test_the_first_answer_is_the_target_and_all_are_references():
    task = make_task("qa")
    assert task.target_text(ROWS["qa"][0]) == "Anna"
    assert task.references(ROWS["qa"][0]) == ["Anna", "Anna B."]


def test_html_breaks_of_a_review_are_removed():
    row = {"id": None, "text": "good<br /><br />film", "label": 1}
    assert make_task("sentiment").clean(row)["text"] == "good  film"


def test_a_review_of_breaks_alone_is_empty():
    with pytest.raises(RowError, match="text"):
        make_task("sentiment").clean({"id": None, "text": "<br /><br />", "label": 1})


# -- baselines --------------------------------------------------------------------------------------------------------


def predictions_of(task, name: str, train: list, test: list, seed: int = 0) -> list[str]:
    return task.baselines()[name].predict(train, test, random.Random(seed))


@pytest.mark.parametrize("kind", TASKS)
def test_the_trivial_baseline_is_one_of_the_baselines(kind):
    task = make_task(kind)
    assert task.trivial_baseline in task.baselines()
    predicted = predictions_of(task, task.trivial_baseline, ROWS[kind], ROWS[kind])
    assert len(predicted) == 2
    assert predicted == predictions_of(task, task.trivial_baseline, ROWS[kind], ROWS[kind])


def test_the_majority_class_is_the_training_rows_and_ties_do_not_depend_on_order():
    rows = [{"label": label} for label in ("positive", "negative", "positive")]
    task = make_task("sentiment")
    assert predictions_of(task, "majority-class", rows, [{}, {}]) == ["positive"] * 2
    assert predictions_of(task, "majority-class", rows[:2], [{}]) == predictions_of(
        task, "majority-class", rows[1::-1], [{}]
    )


def test_n_grams_learn_what_words_and_their_order_tell():
    train = [
        {"text": text, "label": label} for text, label in (("very good", "positive"), ("not good", "negative"))
    ] * 10
    test = [{"text": "very good"}, {"text": "not good"}]
    assert predictions_of(make_task("sentiment"), "ngram-logistic-regression", train, test) == ["positive", "negative"]


def test_the_copy_is_the_source():
    assert predictions_of(make_task("translation"), "copy", [], ROWS["translation"]) == ["a dog", "Ben"]


def test_a_random_candidate_is_a_candidate_or_else_a_span_of_the_usual_length():
    train = [{"answers": ["two words"]}] * 3
    rows = [{"candidates": ["x", "y"], "context": "c"}] * 50 + [
        {"candidates": [], "context": "one two three four"}
    ] * 50
    predicted = predictions_of(make_task("qa"), "random-candidate", train, rows)
    assert set(predicted[:50]) == {"x", "y"}
    assert set(predicted[50:]) == {"one two", "two three", "three four"}
    assert predicted != predictions_of(make_task("qa"), "random-candidate", train, rows, seed=1)
    short = [{"candidates": [], "context": "one"}]
    assert predictions_of(make_task("qa"), "random-candidate", train, short) == ["one"]
