"""Entities of tags in three schemes, of spans, and in the text of an answer."""

import random

import pytest

from tunegrid.tasks import RowError
from tunegrid.tasks.entities import Entity, entities_of_spans, entities_of_tags, read_mentions, written

# Words 0 to 1 and 2 are two places in a row, word 4 is a person.
EXPECTED = [Entity(0, 2, "LOC"), Entity(2, 3, "LOC"), Entity(4, 5, "PER")]
SCHEMES = {
    "iob1": "I-LOC I-LOC B-LOC O I-PER",
    "iob2": "B-LOC I-LOC B-LOC O B-PER",
    "bioes": "B-LOC E-LOC S-LOC O S-PER",
}


@pytest.mark.parametrize(("scheme", "tags"), SCHEMES.items())
def test_the_same_entities_in_each_scheme(scheme, tags):
    assert entities_of_tags(tags.split(), scheme) == EXPECTED


def test_other_letters_of_bioes():
    assert entities_of_tags("B-LOC L-LOC U-LOC O U-PER".split(), "bioes") == EXPECTED
    assert entities_of_tags("B-LOC M-LOC E-LOC".split(), "bioes") == [Entity(0, 3, "LOC")]


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("iob2", "O I-LOC"),
        ("iob2", "B-LOC I-PER"),
        ("iob2", "S-LOC"),
        ("iob1", "E-LOC"),
        ("bioes", "B-LOC O"),
        ("bioes", "B-LOC B-LOC E-LOC"),
        ("bioes", "B-LOC"),
        ("bioes", "O E-LOC"),
        ("bioes", "S-LOC I-LOC"),
        ("iob2", "LOC"),
        ("iob2", "B-"),
        ("iob2", ""),
    ],
)
def test_tags_of_another_scheme_are_an_error(scheme, tags):
    with pytest.raises(RowError, match=f"which is not {scheme.upper()}"):
        entities_of_tags(tags.split(" "), scheme)


def test_the_last_tag_is_named_where_its_entity_does_not_end():
    with pytest.raises(RowError, match="tag 2 is 'B-LOC' at the end"):
        entities_of_tags(["O", "B-LOC"], "bioes")


def test_random_entities_come_back_from_each_scheme():
    generator = random.Random(0)
    for _ in range(1000):
        entities, at = [], 0
        while at < 12:
            at += generator.randrange(3)
            end = at + generator.randrange(1, 4)
            entities.append(Entity(at, end, generator.choice("AB")))
            at = end
        iob2, iob1, bioes = (["O"] * at for _ in range(3))
        for number, (begin, end, kind) in enumerate(entities):
            before = entities[number - 1] if number else None
            for word in range(begin, end):
                iob2[word] = f"{'B' if word == begin else 'I'}-{kind}"
                touches = before is not None and before.end == begin and before.type == kind
                iob1[word] = f"{'B' if word == begin and touches else 'I'}-{kind}"
                letter = "S" if end == begin + 1 else "B" if word == begin else "E" if word == end - 1 else "I"
                bioes[word] = f"{letter}-{kind}"
        for scheme, tags in (("iob2", iob2), ("iob1", iob1), ("bioes", bioes)):
            assert entities_of_tags(tags, scheme) == entities


@pytest.mark.parametrize(
    "span", [{"start": 4, "end": 8, "label": "LOC"}, {"begin": 4, "stop": 8, "type": "LOC"}, [4, 8, "LOC"]]
)
def test_spans_in_the_forms_of_several_tools(span):
    assert entities_of_spans([span], "Ann Rome") == [Entity(4, 8, "LOC")]


@pytest.mark.parametrize("span", [[4, 9, "LOC"], [4, 4, "LOC"], [-1, 3, "LOC"], [3, 4, "LOC"], [7, 8, "LOC"]])
def test_spans_that_are_no_part_of_the_text(span):
    with pytest.raises(RowError, match="is no part of the text"):
        entities_of_spans([span], "Ann Rom\u200b")


@pytest.mark.parametrize("span", [[4, 8], "4-8", {"start": 4}, ["4", "8", "LOC"], [4, 8, 1], None])
def test_what_is_no_span(span):
    with pytest.raises(RowError, match="expected start, end and label"):
        entities_of_spans([span], "Ann Rome")


def test_what_is_written_is_read_again():
    mentions = [("Ann", "PER"), ("12:30; late", "TIME"), ("a\n b", "PER"), ("none", "PER")]
    expected = [("Ann", "PER"), ("12:30, late", "TIME"), ("a b", "PER"), ("none", "PER")]
    assert read_mentions(written(mentions), {"PER", "TIME"}) == (expected, 0)
    assert written([]) == "none"
    assert read_mentions("none") == ([], 0)


@pytest.mark.parametrize(
    ("answer", "mentions", "malformed"),
    [
        ("", [], 1),
        ("Ann", [], 1),
        ("Ann: PER;", [("Ann", "PER")], 1),
        ("Ann: XXX; Rome: LOC", [("Rome", "LOC")], 1),
        (": PER; Rome:LOC", [("Rome", "LOC")], 1),
        (";;;", [], 4),
        ("none; Ann: PER", [("Ann", "PER")], 1),
        ("{}[]\x00:::", [], 1),
    ],
)
def test_malformed_parts_are_counted(answer, mentions, malformed):
    assert read_mentions(answer, {"PER", "LOC"}) == (mentions, malformed)
