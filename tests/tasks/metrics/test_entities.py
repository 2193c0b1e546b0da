"""Entity scores: seqeval's definition of strict IOB2 on random tags, counts by hand, malformed answers."""

import random

import pytest

from tests.support.rows_of_tasks import make_task
from tunegrid.tasks.entities import entities_of_tags, written


def table(task, predictions, references):
    rows = [{"entities": reference} for reference in references]
    return task.score(predictions, rows)


def strict(tags):
    """The entities of strict IOB2 as (type, first word, last word): B opens one, I of its type goes on, all else ends it."""
    found, open_at = [], None
    for number, tag in enumerate([*tags, "O"]):
        if open_at is not None and tag != f"I-{tags[open_at][2:]}":
            found.append((tags[open_at][2:], open_at, number - 1))
            open_at = None
        if tag.startswith("B-"):
            open_at = number
    return set(found)


def test_scores_are_those_of_spans_in_strict_iob2():
    task, generator = make_task("ner", types=["A", "B"]), random.Random(0)
    words = [f"w{number}" for number in range(8)]  # each stands in the text once

    def draw():
        tags = []
        for _ in words:
            kind = tags[-1][2:] if tags and tags[-1] != "O" else None
            tags.append(generator.choice(["O", "B-A", "B-B"] + ([f"I-{kind}"] * 2 if kind else [])))
        return tags

    def text(tags):
        return written([(" ".join(words[b:e]), kind) for b, e, kind in entities_of_tags(tags, "iob2")])

    for _ in range(25):
        pairs = [(draw(), draw()) for _ in range(40)]
        sets = [tuple(map(strict, pair)) for pair in pairs]
        right, predicted, gold = (sum(map(len, part)) for part in zip(*((p & g, p, g) for p, g in sets), strict=True))
        scores = table(task, *([text(pair[side]) for pair in pairs] for side in (0, 1))).metrics
        assert scores["entity_precision"] == pytest.approx(right / predicted)
        assert scores["entity_recall"] == pytest.approx(right / gold)
        assert scores["entity_f1"] == pytest.approx(2 * right / (predicted + gold))
        assert scores["entities_exact"] == pytest.approx(sum(p == g for p, g in sets) / len(sets))


def test_repeated_entities_count_as_often_as_they_are_there():
    scores = table(make_task("ner"), ["Rome: place; Rome: place; Rome: place"], ["Rome: place; Rome: place"])
    assert scores.examples.iloc[0].to_dict() == {
        "entities_exact": 0, "entities_expected": 2, "entities_malformed": 0, "entities_predicted": 3, "entities_right": 2
    }  # fmt: skip


def test_malformed_answers_are_counted_and_never_raise():
    answers = ["", "Ben", "Ben: animal", "Ben: person; ???", "{{{", "none"]
    scores = table(make_task("ner"), answers, ["Ben: person"] * 6)
    assert scores.examples["entities_malformed"].tolist() == [1, 1, 1, 1, 1, 0]
    assert scores.examples["entities_right"].tolist() == [0, 0, 0, 1, 0, 0]
    assert scores.examples["entities_exact"].tolist() == [0] * 6
    assert scores.metrics["entity_f1"] == pytest.approx(2 / 7)


def test_rows_without_entities_have_no_f1_and_say_so():
    scores = table(make_task("ner"), ["none"], ["none"])
    assert scores.metrics["entity_f1"] == 0
    assert scores.undefined["entity_f1"] == "no prediction and no test row has an entity"
    assert scores.metrics["entities_exact"] == 1
