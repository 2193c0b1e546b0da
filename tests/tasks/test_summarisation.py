"""Summarisation: rows with several references, lead baselines, compression and novelty."""

import pytest

from tests.support.rows_of_tasks import make_task, predict_baseline
from tunegrid.data.formats import RawRow
from tunegrid.tasks import RowError
from tunegrid.tasks.rows import canonical_row
from tunegrid.tasks.sentences import sentences

FILES = {"kind": "files", "paths": {"train": "a.jsonl", "test": "b.jsonl"}}


def test_a_document_may_come_in_sentences_and_a_summary_in_several_references():
    task = make_task("summarisation", source=FILES | {"columns": {"document": "source", "summary": "target"}})
    row = canonical_row(task, RawRow({"source": ["One.", "Two."], "target": ["First.", "Second."]}, "here"))
    assert (row["document"], task.target_text(row), task.references(row)) == (
        "One. Two.",
        "First.",
        ["First.", "Second."],
    )
    with pytest.raises(RowError, match="has no summary"):
        canonical_row(task, RawRow({"source": "One.", "target": []}, "here"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("one\n\n two", ["one", "two"]),
        ("no end", ["no end"]),
        ("3.5 is a number. Yes", ["3.5 is a number.", "Yes"]),
        ("  ", []),
    ],
)
def test_sentences(text, expected):
    assert sentences(text) == expected


def test_lead_baselines_are_the_first_sentences():
    task, rows = make_task("summarisation"), [{"document": "A b. C d! E f? G."}, {"document": "Alone"}]
    assert predict_baseline(task, "lead-1", [], rows) == ["A b.", "Alone"]
    assert predict_baseline(task, "lead-3", [], rows) == ["A b. C d! E f?", "Alone"]


def test_compression_and_novelty_stand_beside_the_scores():
    row = {"id": "1", "document": "the dog sees a red house", "summary": ["a dog"]}
    examples = make_task("summarisation").score(["The dog sees house", "x", ""], [row] * 3).examples
    assert examples["compression"].tolist() == pytest.approx([4 / 6, 1 / 6, 0])
    assert examples["novel_bigrams"].tolist() == pytest.approx([1 / 3, 0, 0])
