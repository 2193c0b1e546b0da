"""Named entity recognition: rows in the forms that data sets have, the baseline, and rows without an answer."""

import pytest
from pydantic import ValidationError

from tests.support.rows_of_tasks import make_task, predict_baseline
from tunegrid.data.formats import ClassIndex, RawRow
from tunegrid.tasks import RowError
from tunegrid.tasks.rows import canonical_row, unlabelled_row

FILES = {"kind": "files", "paths": {"train": "a.jsonl", "test": "b.jsonl"}}
TAGS = ("O", "B-person", "I-person", "B-place")
WORDS, ENTITIES = ["Ann", "Lee", "saw", "Rome"], "Ann Lee: person; Rome: place"


def ner(**settings):
    return make_task("ner", source=FILES, **settings)


@pytest.mark.parametrize(
    "row",
    [
        {"tokens": WORDS, "ner_tags": ["B-person", "I-person", "O", "B-place"]},
        {"tokens": WORDS, "ner_tags": [ClassIndex(number, TAGS) for number in (1, 2, 0, 3)]},
        {"tokens": WORDS, "ner_tags": [1, 2, 0, 3]},
        {"tokens": WORDS, "ner_tags": [1.0, "2", 0, 3.0]},
        {"text": "Ann Lee saw Rome", "entities": [{"start": 12, "end": 16, "label": "place"}, [0, 7, "person"]]},
    ],
)
def test_a_row_in_each_form(row):
    canonical = canonical_row(ner(tags=list(TAGS)), RawRow(row, "here"))
    assert (canonical["text"], canonical["entities"]) == ("Ann Lee saw Rome", ENTITIES)


@pytest.mark.parametrize(
    "tags", ["[1, 2, 0, 3]", '["B-person", "I-person", "O", "B-place"]', "B-person I-person O B-place"]
)
def test_a_row_of_csv(tags):
    row = {"tokens": "Ann Lee saw Rome", "ner_tags": tags}
    assert canonical_row(ner(tags=list(TAGS)), RawRow(row, "here", typed=False))["entities"] == ENTITIES


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"tokens": WORDS, "ner_tags": ["O"]}, "1 tags for 4 words"),
        ({"tokens": WORDS, "ner_tags": [0, 0, 0, 0]}, "say their names: `tags:"),
        ({"tokens": ["Ann"], "ner_tags": ["B-animal"]}, "'animal' is not one of the types: person, place"),
        ({"tokens": ["Ann"], "ner_tags": ["I-person"]}, "not IOB2"),
        ({"tokens": [1], "ner_tags": ["O"]}, "list of words"),
        ({"tokens": ["Ann"], "ner_tags": None}, "expected a list"),
        ({"text": "Ann"}, "a list of start, end and label"),
        ({"text": "Ann", "entities": [[0, 9, "person"]]}, "no part of the text"),
        ({"tokens": ["", "Ann"], "ner_tags": ["B-person", "O"]}, "an entity of the type 'person' has no text"),
        ({"tokens": ["\u200b", "Ann"], "ner_tags": ["B-person", "O"]}, "an entity of the type 'person' has no text"),
        ({"tokens": ["Ann"], "ner_tags": ["9" * 5000]}, "not IOB2"),
        ({"tokens": ["Ann"], "ner_tags": [0.5]}, "is the index of a tag"),
        ({}, "column text"),
    ],
)
def test_rows_that_cannot_be_used(row, says):
    with pytest.raises(RowError, match=says):
        canonical_row(ner(), RawRow(row, "here"))


def test_a_test_file_is_an_input_of_predict_too():
    assert unlabelled_row(ner(), RawRow({"tokens": WORDS, "ner_tags": []}, "here")) == {"text": "Ann Lee saw Rome"}
    assert unlabelled_row(ner(), RawRow({"text": "Ann"}, "here")) == {"text": "Ann"}
    with pytest.raises(RowError, match="lacks text"):
        unlabelled_row(ner(), RawRow({"words": WORDS}, "here"))
    for empty in (None, "", " "):
        with pytest.raises(RowError, match="column tokens: expected a list of words, found"):
            unlabelled_row(ner(), RawRow({"tokens": empty}, "here"))


def test_words_stand_for_types():
    task = ner(types=["PER", "LOC"], type_words={"PER": "person"})
    row = {"tokens": ["Ann", "Rome"], "ner_tags": ["B-PER", "B-LOC"]}
    assert canonical_row(task, RawRow(row, "here"))["entities"] == "Ann: person; Rome: LOC"
    assert "(person, LOC)" in task.source_text({"text": "x"}, "flan-t5")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"type_words": {"persons": "human"}}, "'persons' is not one of the types"),
        ({"type_words": {"person": "place"}}, "'place' is the word of two types"),
        ({"types": ["person", "place", "person"]}, "'person' is the word of two types"),
        ({"type_words": {"person": "b, c"}, "separator": ","}, "neither a colon nor ','"),
        ({"type_words": {"person": "a: b"}}, "neither a colon nor ';'"),
    ],
)
def test_words_of_types_that_could_not_be_read(settings, says):
    with pytest.raises(ValidationError, match=says):
        ner(**settings)


@pytest.mark.parametrize(("separator", "other"), [(";", ","), (",", ";"), ("|", ";")])
def test_the_separator_is_that_of_the_target_the_scores_and_the_baseline(separator, other):
    task = ner(separator=separator)
    row = {
        "tokens": ["Lee;", "Ann", "|", "saw", "Rome"],
        "ner_tags": ["B-person", "I-person", "I-person", "O", "B-place"],
    }
    canonical = canonical_row(task, RawRow(row, "here"))
    assert canonical["entities"].count(separator) == 1
    answers = [canonical["entities"], canonical["entities"].replace(separator, other)]
    scored = task.score(answers, [canonical] * 2)
    assert scored.examples["entities_right"].tolist() == [2, 0]
    assert scored.examples["entities_exact"].tolist() == [1, 0]
    train = [{"entities": task.target_text(canonical)}, {"entities": f"Rome: place{separator} Ann: person"}]
    predicted = predict_baseline(task, "known-entities", train, [{"text": "Ann saw Rome"}])
    assert predicted == [f"Ann: person{separator} Rome: place"]


def test_known_entities_are_the_longest_with_their_most_frequent_type():
    texts = ("New York: place; York: person", "York: place", "York: place", "New York City: place", "none")
    train = [{"entities": text} for text in texts]
    rows = [{"text": "York and New York City and New York"}, {"text": "nobody"}]
    expected = ["York: place; New York City: place; New York: place", "none"]
    assert predict_baseline(ner(), "known-entities", train, rows) == expected
    assert predict_baseline(ner(), "known-entities", [{"entities": "none"}], rows) == ["none", "none"]


def test_known_entities_stand_beside_punctuation_and_may_have_some():
    train = [{"entities": "Rome: place; Ann Lee: person; Dr.: person"}]
    rows = [
        {"text": 'In "Rome", Ann Lee, or (Ann Lee) saw Dr. Romeo.'},
        {"text": "Ann , Lee ."},
        {"text": "... ! Rome"},
    ]
    expected = ["Rome: place; Ann Lee: person; Ann Lee: person; Dr.: person", "none", "Rome: place"]
    assert predict_baseline(ner(), "known-entities", train, rows) == expected


def test_the_order_of_the_rows_does_not_decide_between_types():
    train = [{"entities": "Paris: place"}, {"entities": "Paris: person"}]
    for rows in (train, train[::-1]):
        assert predict_baseline(ner(), "known-entities", rows, [{"text": "Paris"}]) == ["Paris: person"]
