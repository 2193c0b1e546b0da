"""The generated world: deterministic, split without overlap, and German that a German would write."""

from itertools import islice
from random import Random

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.data import miniworld
from tunegrid.data.miniworld import grammar, lexicon, reviews, stories
from tunegrid.data.miniworld.grammar import Clause, Phrase, translate
from tunegrid.data.miniworld.keys import SPLITS, split_of
from tunegrid.data.miniworld.tables import table
from tunegrid.tasks.label_task import ngram_logistic_regression

TASKS = miniworld.TASKS


def noun(english):
    return next(n for n in lexicon.BEINGS + lexicon.THINGS + lexicon.PLACES if n.english == english)


def verb(english):
    return next(v for v in lexicon.THING_VERBS + lexicon.BEING_VERBS if v.english == english)


def phrase(determiner, adjective, english, plural=False):
    return Phrase(determiner, adjective, noun(english), plural)


@pytest.mark.parametrize("task", TASKS)
def test_rows_are_deterministic_numbered_and_a_prefix_of_more_rows(task):
    few, many = miniworld.rows(task, "test", 40, seed=3), miniworld.rows(task, "test", 80, seed=3)
    assert few == many[:40] == miniworld.rows(task, "test", 40, seed=3)
    assert few[17]["id"] == f"{task}-test-00017"
    assert few != miniworld.rows(task, "test", 40, seed=4)


@pytest.mark.parametrize("task", TASKS)
def test_no_text_occurs_in_two_splits_whatever_the_seed(task):
    keys = {
        split: {
            miniworld.text_key(text)
            for seed in (1, 2)
            for row in miniworld.rows(task, split, 300, seed)
            for text in miniworld.row_texts(task, row)
        }
        for split in SPLITS
    }
    assert all(keys.values())
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert keys[first].isdisjoint(keys[second])


def test_what_a_text_is_about_decides_its_split():
    for row in miniworld.rows("translation", "validation", 50, seed=1):
        assert split_of(row["source"]) == split_of(row["target"]) == "validation"


def test_questions_have_their_answer_in_the_context_and_among_the_candidates():
    for row in miniworld.rows("qa", "validation", 100, seed=1):
        assert row["answers"][0] in row["context"]
        assert row["answers"][0] in row["candidates"]
        assert len(set(row["candidates"])) == stories.CAST
        assert all(value in row["context"] for value in row["candidates"])


def test_sentiment_labels_are_balanced():
    positive = sum(row["label"] == "positive" for row in miniworld.rows("sentiment", "train", 1000, seed=1))
    assert 430 < positive < 570


def test_questions_need_the_person_and_the_relation():
    rows = miniworld.rows("qa", "validation", 300, seed=1)
    for row in rows:
        people = {word for word in row["context"].replace(".", "").split() if word in stories.PEOPLE}
        assert len(people) == stories.CAST
        assert sum(person in row["question"] for person in people) == 1
    # Both questions about a context are asked: the relation alone makes the difference.
    answers = {}
    for row in rows:
        answers.setdefault(row["context"], set()).add(row["answers"][0])
    assert sum(len(values) == 2 for values in answers.values()) > 0.9 * len(answers)


def test_a_review_has_the_sign_of_the_sum_of_its_writers_opinions():
    random = Random(0)
    drawn = [reviews.draw_review(random, "train") for _ in range(500)]
    assert all(sum(review.opinions.values()) * review.verdict > 0 for review in drawn)
    assert 0.1 < sum(len(set(review.opinions.values())) == 2 for review in drawn) / len(drawn) < 0.5
    for review in drawn:
        for aspect, sign in review.opinions.items():
            (sentence,) = [text for text in review.sentences[1:] if f"the {aspect}" in text.lower()]
            plain = f"The {aspect} was "
            if sentence.startswith(plain) and "," not in sentence and sentence.split()[3] in _words("good", "bad"):
                assert sentence.split()[3].strip(".") in _words("good" if sign > 0 else "bad")


def _words(*names):
    return [word for name in names for word in table("reviews")[name].split()]


def test_closing_sentences_of_pretraining_text_agree_with_the_verdict():
    random, again, closings = Random(0), Random(0), table("reviews")["closings"]
    for _ in range(100):
        label = reviews.draw_review(again, "train").label
        _, closing = reviews.draw_closed_review(random)
        assert closing.endswith(tuple(closings[label]))
        again.setstate(random.getstate())


def test_words_and_pairs_of_words_decide_most_reviews_and_not_nearly_all():
    train, held_out = (
        miniworld.rows("sentiment", split, count, seed=0) for split, count in (("train", 4000), ("validation", 500))
    )
    predicted = ngram_logistic_regression(train, held_out, Random(0), ("text",))
    accuracy = sum(label == row["label"] for label, row in zip(predicted, held_out, strict=True)) / len(held_out)
    assert 0.78 < accuracy < 0.9


def test_no_entry_of_a_glossary_is_a_held_out_sentence():
    random = Random(0)
    for _ in range(200):
        for draw in (grammar.draw_clause_entry, grammar.draw_subordinate_entry):
            assert {split_of(text) for text in draw(random)} == {"train"}


def test_pretraining_text_contains_no_held_out_text():
    held_out = {
        miniworld.text_key(text)
        for task in TASKS
        for split in ("validation", "test")
        for row in miniworld.rows(task, split, 500, seed=1)
        for text in miniworld.row_texts(task, row)
    }
    texts = [*islice(miniworld.documents(1), 1500)]
    for easy in (True, False):
        texts += [text for pair in islice(miniworld.instructions(1, easy), 500) for text in pair]
    assert all(held_out.isdisjoint(miniworld.contained_keys(text)) for text in texts)


def test_a_text_is_found_inside_a_longer_one_whatever_its_spacing_and_case():
    keys = miniworld.contained_keys("One here. Ben  LIVES in Oslo. Anna is a nurse.\nMore.")
    assert miniworld.text_key("Ben lives in Oslo. Anna is a nurse.") in keys
    assert miniworld.text_key("Ben lives in Lima.") not in keys


@pytest.mark.parametrize(
    ("case", "words", "german"),
    [
        ("nominative", ("the", "old", "man"), "der alte Mann"),
        ("accusative", ("the", "old", "man"), "den alten Mann"),
        ("dative", ("the", "old", "woman"), "der alten Frau"),
        ("nominative", ("a", "small", "child"), "ein kleines Kind"),
        ("accusative", ("a", "red", "apple"), "einen roten Apfel"),
        ("dative", ("my", "poor", "dog"), "meinem armen Hund"),
        ("accusative", ("no", "new", "bag"), "keine neue Tasche"),
        ("dative", ("the", "", "child", True), "den Kindern"),
        ("nominative", ("", "big", "cat", True), "große Katzen"),
        ("dative", ("", "young", "doctor", True), "jungen Ärztinnen"),
        ("accusative", ("our", "old", "book", True), "unsere alten Bücher"),
    ],
)
def test_articles_adjectives_and_nouns_agree(case, words, german):
    assert phrase(*words).german(case) == german


def test_phrases_of_a_glossary():
    buying = Clause(
        phrase("the", "", "man"),
        verb("take along"),
        phrase("a", "old", "key"),
        "present",
        "",
        "in",
        phrase("the", "", "school"),
    )
    assert buying.german_infinitive() == "einen alten Schlüssel mitnehmen"
    assert buying.german_place() == "in der Schule"


def test_word_order():
    man, apple, child = phrase("the", "old", "man"), phrase("a", "", "apple"), phrase("the", "", "child")
    place = ("in", phrase("the", "", "garden"))
    seen = Clause(man, verb("buy"), apple, "present", "today", *place, time_first=True)
    assert translate("", seen) == (
        "Today the old man buys an apple in the garden.",
        "Heute kauft der alte Mann einen Apfel im Garten.",
    )
    assert translate("", Clause(man, verb("throw away"), apple, "present"))[1] == "Der alte Mann wirft einen Apfel weg."
    assert translate("I know that", Clause(man, verb("throw away"), apple, "present"))[1] == (
        "Ich weiß, dass der alte Mann einen Apfel wegwirft."
    )
    assert translate("", Clause(man, verb("help"), child, "perfect"))[1] == "Der alte Mann hat dem Kind geholfen."
    helping = Clause(man, verb("help"), child, "wants to")
    assert translate("because", seen, helping)[1].endswith("im Garten, weil der alte Mann dem Kind helfen will.")


def test_an_unknown_name_is_said():
    with pytest.raises(TuneGridError, match="summary"):
        miniworld.rows("summary", "train", 1, seed=1)
