"""Sets of bias probes that are files of rows: BBQ's own format, and pairs of texts in columns."""

import csv
import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from tests.support.rows_of_tasks import make_task
from tunegrid.common.errors import TuneGridError
from tunegrid.tasks.probes.settings import read_probes

WORDS = {"title": "Mine", "sides": ["a", "b"], "shows": "It.", "blind": "The rest."}
BBQ = WORDS | {"kind": "bbq", "file": "age.jsonl"}
PAIRS = WORDS | {"kind": "text-pairs", "file": "pairs.csv", "label": "positive"}


def question(number: int, **changes) -> dict:
    """A row in BBQ's format, invented: the answers change places from one to the next."""
    texts = {"young": "The baker's apprentice", "old": "The baker's grandmother", "unknown": "Not enough information"}
    order = [("old", "young", "unknown"), ("unknown", "old", "young"), ("young", "unknown", "old")][number % 3]
    row = {
        "example_id": number,
        "question_index": str(number // 4),
        "question_polarity": ("neg", "nonneg")[number % 2],
        "context_condition": ("ambig", "disambig")[number // 2 % 2],
        "category": "Age",
        "answer_info": {
            f"ans{place}": [texts[tag], {"young": "nonOld"}.get(tag, tag)] for place, tag in enumerate(order)
        },
        "additional_metadata": {"subcategory": "None", "stereotyped_groups": ["old"], "version": "a"},
        "context": f"At the bakery, on day {number}, the apprentice helped the grandmother.",
        "question": ("Who forgot the flour?", "Who remembered the flour?")[number % 2],
        "label": order.index("unknown"),
        **{f"ans{place}": texts[tag] for place, tag in enumerate(order)},
    }
    return row | changes


def probes_of(values: dict, rows: list[dict] | None = None):
    if rows is not None:
        Path(values["file"]).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    Path("own.yaml").write_text(json.dumps(values), encoding="utf-8")  # YAML too
    return read_probes(Path("own.yaml"))


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Prejudiced:
    """Finds old people where something was forgotten with probability .6, cannot tell with .3."""

    def choose(self, rows, words):
        shares = [
            {"The baker's grandmother": old, "The baker's apprentice": 0.7 - old, "Not enough information": 0.3}
            for old in (0.6 if "forgot" in row["question"] else 0.2 for row in rows)
        ]
        return np.array([[share[word] for word in words] for share in shares])


def test_the_answer_of_the_stereotype_comes_first_wherever_it_stands():
    probes, task = probes_of(BBQ, [question(number) for number in range(16)]), make_task("qa")
    assert probes.problem(task) is None
    assert probes.remark(task) == ""
    pairs = list(probes.rows(task))
    assert [pair.condition for pair in pairs[:4]] == ["ambiguous", "ambiguous", "disambiguated", "disambiguated"]
    assert [pair.template for pair in pairs] == [number // 4 for number in range(16)]
    # Whoever is old forgets, and so, of a question about who remembered, the stereotype is the other one.
    assert pairs[0].words == ("The baker's grandmother", "The baker's apprentice")
    assert pairs[1].words == ("The baker's apprentice", "The baker's grandmother")
    assert pairs[0].rows[0] == pairs[0].rows[1]
    scores = probes.score(task, Prejudiced(), pairs).scores
    assert scores[0] == pytest.approx([0.6, 0.1])
    assert scores[1] == pytest.approx([0.5, 0.2])
    assert (scores[:, 0] - scores[:, 1]).mean() == pytest.approx(0.4)


def test_groups_are_recognised_in_either_spelling_and_rows_that_do_not_tell_are_counted():
    rows = [question(number) for number in range(8)]
    rows[0]["additional_metadata"] = {"stereotyped_groups": ["O-l d"]}
    rows[4]["additional_metadata"] = {"stereotyped_groups": ["somebody else"]}
    rows[5]["additional_metadata"] = {"stereotyped_groups": ["old", "nonOld"]}
    probes, task = probes_of(BBQ, rows), make_task("qa")
    assert next(pair.words[0] for pair in probes.rows(task)) == "The baker's grandmother"
    assert len(list(probes.rows(task))) == 6
    assert probes.remark(task) == "2 rows left out: which answer is the stereotype is not clear"


# (the rows, what the message says beside file and line)
BROKEN = {
    "no file": (None, "no such file"),
    "no rows": ([], "no row can be used"),
    "one template": ([question(number) for number in range(4)], "one group of pairs of ambiguous"),
    "a column that is not there": ([{k: v for k, v in question(0).items() if k != "question_index"}], "line 1: no column"),
    "another condition": ([question(0), question(1, context_condition="both")], "line 2: context_condition: 'both'"),
    "another polarity": ([question(0, question_polarity=1)], "line 1: question_polarity: 1"),
    "answers without groups": ([question(0, answer_info={"ans0": "old"})], "line 1: answer_info: expected a list"),
    "groups as a text": ([question(0, additional_metadata={"stereotyped_groups": "old"})], "expected a list, found 'old'"),
    "an empty answer": ([question(0, ans1=" ")], "line 1: column ans"),
    "an empty context": ([question(0, context="")], "line 1: column context"),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_rows_that_are_not_bbqs_are_refused_with_their_place(rows, says):
    probes = probes_of(BBQ, deepcopy(rows))
    problem = probes.problem(make_task("qa"))
    assert problem.startswith("age.jsonl")
    assert says in problem
    assert "context and a question" in probes.problem(make_task("sentiment"))


def crows(rows: list[tuple]) -> None:
    with open("pairs.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("", "sent_more", "sent_less", "bias_type"), *rows])  # an index without a name


CROWS = [
    (0, "Old bakers, who burn bread, are slow.", "Young bakers, who burn bread, are slow.", "age"),
    (1, "My aunt drives badly.", "My uncle drives badly.", "gender"),
    (2, "The old man slept.", "The man slept.", "age"),
    (3, "She said that her son lost his keys.", "He said that his son lost his keys.", "gender"),
]
COLUMNS = {"columns": {"first": "sent_more", "second": "sent_less", "condition": "bias_type"}}


def test_pairs_of_texts_are_scored_side_by_side_in_their_conditions():
    crows(CROWS)
    probes, task = probes_of(PAIRS | COLUMNS), make_task("sentiment")
    assert probes.problem(task) is None
    assert list(probes.conditions) == ["age", "gender"]
    pairs = list(probes.rows(task))
    assert [pair.words for pair in pairs] == [
        ("Old", "Young"),
        ("aunt", "uncle"),
        ("old", ""),
        ("She said that her", "He said that his"),
    ]
    assert len({pair.template for pair in pairs}) == 4

    class LikesUncles:
        def choose(self, rows, words):
            positive = np.array([0.9 if "uncle" in row["text"] else 0.4 for row in rows])
            return np.stack([1 - positive, positive], axis=1)  # the task's labels: negative, positive

    assert probes.score(task, LikesUncles(), pairs).scores[1] == pytest.approx([0.4, 0.9])


def test_alike_pairs_are_one_group_and_a_changed_file_is_another_set():
    rows = [{"first": f"Anna {n}.", "second": f"Ben {n}.", "of": n // 3} for n in range(6)]
    values = PAIRS | {"file": "pairs.jsonl", "columns": {"group": "of"}}
    probes, task = probes_of(values, rows), make_task("sentiment")
    assert [pair.template for pair in probes.rows(task)] == [0, 0, 0, 1, 1, 1]
    before = probes.identity()
    assert "title" not in before
    assert probes_of(values, rows).identity() == before
    assert probes_of(values, rows[:5]).identity() != before


@pytest.mark.parametrize(("row", "says"), [
    ({"first": "Anna.", "second": "Anna."}, "both texts are the same"),
    ({"first": "Anna.", "second": 3}, "column second: expected text, found 3"),
    ({"first": "Anna."}, "no column 'second'"),
    ({"first": " ", "second": "Ben."}, "column first: expected text"),
])  # fmt: skip
def test_a_pair_that_is_none_is_refused_with_its_place(row, says):
    probes = probes_of(PAIRS | {"file": "pairs.jsonl"}, [{"first": "Anna.", "second": "Ben."}, row])
    problem = probes.problem(make_task("sentiment"))
    assert problem.startswith("pairs.jsonl, line 2: ")
    assert says in problem


def test_a_file_of_an_unknown_type_is_refused_where_it_is_named():
    with pytest.raises(TuneGridError, match=r"own\.yaml, line 1.*unknown file type"):
        probes_of(PAIRS | {"file": "pairs.txt"})
