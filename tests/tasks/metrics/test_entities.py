"""Entity scores: those of seqeval, counts by hand, malformed answers."""

import csv

import pytest

from tests.support.rows_of_tasks import make_task
from tests.tasks.metrics.seqeval_cases import CASES, FILE, SCHEMES, TYPES
from tunegrid.tasks.entities import entities_of_tags, written
from tunegrid.tasks.metrics import METRICS


def table(task, predictions, references):
    rows = [{"entities": reference} for reference in references]
    return task.score(predictions, rows)


def test_a_thousand_cases_have_the_scores_of_seqeval_in_strict_mode():
    with FILE.open(encoding="utf-8", newline="") as file:
        cases = list(csv.DictReader(file))
    assert len(cases) == CASES
    for case in cases:
        answers = [
            [text_of_tags(sentence.split(), case["scheme"]) for sentence in case[side].split(" | ")]
            for side in ("predicted", "gold")
        ]
        for name in ("precision", "recall", "f1"):
            metric = METRICS[f"entity_{name}"](types=TYPES)
            table = metric.examples(answers[0], [[text] for text in answers[1]])
            assert metric.score(table) == pytest.approx(float(case[name]), abs=1e-11), case
        assert sum(table["entities_malformed"]) == 0
    assert {case["scheme"] for case in cases} == set(SCHEMES)
    assert sum(0 < float(case["f1"]) < 1 for case in cases) / CASES > 0.3


# Precision, recall and F1 in percent, https://www.clips.uantwerpen.be/conll2000/chunking/output.html
CONLLEVAL = {
    ("ADJP", "ADVP", "NP", "PP", "SBAR", "VP"): (68.83, 80.83, 74.35),
    ("ADJP",): (0, 0, 0),
    ("ADVP",): (45.45, 62.5, 52.63),
    ("NP",): (64.98, 78.63, 71.16),
    ("PP",): (83.18, 98.89, 90.36),
    ("SBAR",): (66.67, 33.33, 44.44),
    ("VP",): (69.00, 79.31, 73.80),
}


@pytest.mark.parametrize("types", CONLLEVAL, ids=" ".join)
def test_the_output_example_of_conlleval_has_its_published_scores(types):
    with (FILE.parent / "published" / "conlleval.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert sum(len(row["gold"].split()) for row in rows) == 961
    # As conlleval has it, a chunk begins with B, and with I after another type.
    gold, predicted = ([text_of_tags(row[side].split(), "iob1") for row in rows] for side in ("gold", "predicted"))
    for name, expected in zip(("precision", "recall", "f1"), CONLLEVAL[types], strict=True):
        metric = METRICS[f"entity_{name}"](types=types)
        score = metric.score(metric.examples(predicted, [[text] for text in gold]))
        assert 100 * score == pytest.approx(expected, abs=0.005)


def text_of_tags(tags, scheme):
    """What a model writes for the entities of a sentence in which each word stands once."""
    return written(
        [
            (" ".join(f"w{word}" for word in range(begin, end)), kind)
            for begin, end, kind in entities_of_tags(tags, scheme)
        ]
    )


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
