"""The tasks that were made of the world's stories and reviews later: topics, named entities, summaries, questions to write."""

import re
from random import Random

import pytest

from tests.support.rows_of_tasks import make_task
from tunegrid.data import miniworld
from tunegrid.data.formats import RawRow
from tunegrid.data.miniworld import mentions, stories, topics
from tunegrid.data.miniworld.keys import SPLITS, split_of
from tunegrid.data.miniworld.tables import table
from tunegrid.data.sources.generated import KINDS
from tunegrid.tasks.entities import read_mentions
from tunegrid.tasks.label_task import ngram_logistic_regression
from tunegrid.tasks.ner import known_entities
from tunegrid.tasks.rows import canonical_row

DENIALS = tuple(text.partition("{s}")[0] for text in stories.HOME.denials)


def entity_rows(split: str, count: int, domain: str = "home") -> list[dict]:
    task = make_task("ner", types=list(mentions.TYPES), source={"kind": "generated", "rows": {"test": 1}})
    rows = miniworld.rows("ner", split, count, 1, domain)
    return [canonical_row(task, RawRow(row, "here")) for row in rows]


def words_of(relation: stories.Relation) -> set[str]:
    return {text.split()[1] for text in relation.statements}


def test_the_configuration_names_the_kinds_that_there_are():
    assert set(KINDS) == set(miniworld.TASKS)


@pytest.mark.parametrize("domain", ["home", "away"])
def test_a_topic_is_told_of_all_people_and_no_other_one_is(domain):
    verbs = {relation.noun: words_of(relation) for relation in stories.RELATIONS}
    people = stories.world(domain).people
    for row in miniworld.rows("classification", "validation", 100, 1, domain):
        told = {noun: set() for noun in verbs}
        for sentence in re.split(r"(?<=\.) ", row["text"]):
            words = sentence.rstrip(".").split()
            if sentence.startswith(DENIALS):
                continue
            (person,) = (word for word in words if word in people)
            verb = words[words.index(person) + 1]
            for noun in verbs:
                if verb in verbs[noun]:
                    told[noun].add((person, noun))
        told = {noun: {person for person, _ in facts} for noun, facts in told.items()}
        assert len(told[row["label"]]) == stories.CAST
        assert all(len(who) < stories.CAST for noun, who in told.items() if noun != row["label"])


def test_all_topics_occur_alike():
    labels = [row["label"] for row in miniworld.rows("classification", "train", 1200, 1)]
    assert set(labels) == set(topics.LABELS)
    assert all(140 < labels.count(label) < 260 for label in topics.LABELS)


def test_words_and_pairs_of_words_decide_many_topics_and_not_nearly_all():
    train, held_out = (
        miniworld.rows("classification", split, count, 0) for split, count in (("train", 2000), ("validation", 300))
    )
    predicted = ngram_logistic_regression(train, held_out, Random(0), ("text",))
    accuracy = sum(label == row["label"] for label, row in zip(predicted, held_out, strict=True)) / len(held_out)
    assert 0.4 < accuracy < 0.75


@pytest.mark.parametrize("domain", ["home", "away"])
def test_entities_are_people_towns_and_works(domain):
    kinds = set(table("reviews")["works"])
    for row in entity_rows("test", 100, domain):
        found, malformed = read_mentions(row["entities"], mentions.TYPES)
        assert not malformed
        names = [name for name, _ in found]
        assert names == sorted(names, key=row["text"].index)  # each name stands in a text once
        works = [name for name, label in found if label in kinds]
        assert 1 <= len(works) <= 2
        assert all(split_of(title) == "test" for title in works)
        assert [label for _, label in found].count("town") == 1
        assert [label for _, label in found].count("person") == 2


def test_known_entities_are_people_and_towns_alone():
    rows = entity_rows("test", 200)
    predicted = known_entities(entity_rows("train", 1000), rows, Random(0))
    for text, row in zip(predicted, rows, strict=True):
        expected = read_mentions(row["entities"])[0]
        assert read_mentions(text)[0] == [(name, label) for name, label in expected if label in ("person", "town")]


@pytest.mark.parametrize("domain", ["home", "away"])
def test_a_summary_tells_one_thing_of_each_person_in_their_order(domain):
    restatements = {re.sub(r"\{.\}", "(.+)", relation.restatements[0]) for relation in stories.RELATIONS}
    for row in miniworld.rows("summarisation", "test", 100, 1, domain):
        sentences = re.split(r"(?<=\.) ", row["summary"])
        (pattern,) = (text for text in restatements if all(re.fullmatch(text, sentence) for sentence in sentences))
        facts = [re.fullmatch(pattern, sentence).groups() for sentence in sentences]
        assert len({person for person, _ in facts}) == len(facts) == stories.CAST
        document = re.split(r"(?<=\.) ", row["document"])
        told = [
            next(n for n, text in enumerate(document) if person in text and value in text and not text.startswith(DENIALS))
            for person, value in facts
        ]  # fmt: skip
        assert told == sorted(told)
        assert len(document) > stories.CAST


def test_a_question_asks_for_the_value_that_is_given():
    for row in miniworld.rows("generation", "test", 100, 1):
        answer = re.search(r"The answer is (.+)\.$", row["source"])[1]
        (relation,) = (relation for relation in stories.RELATIONS if answer in relation.values)
        (person,) = {word for word in re.findall(r"\w+", row["target"][0]) if word in stories.PEOPLE}
        assert row["target"] == [stories.fill(question, person) for question in relation.questions]
        told = [stories.fill(text, person, answer) for text in relation.statements]
        assert any(text in row["source"] for text in told)


@pytest.mark.parametrize("split", SPLITS)
def test_every_row_is_one_that_its_task_can_use(split):
    settings = {"classification": {"labels": list(topics.LABELS)}, "ner": {"types": list(mentions.TYPES)}}
    for kind in ("classification", "ner", "summarisation", "generation"):
        task = make_task(kind, source={"kind": "generated", "rows": {"test": 1}}, **settings.get(kind, {}))
        for row in miniworld.rows(kind, split, 50, 2):
            assert task.references(canonical_row(task, RawRow(row, "here")))[0]
