"""What vocabularies and lengths let the models score: a section with a table."""

from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent
from tunegrid.report import layout
from tunegrid.report.layout import Column, Section, right
from tunegrid.report.tables import Frames, Titles, where
from tunegrid.results.ceilings import lost_characters
from tunegrid.results.expected import Expected, ExpectedTask

SHOWN = 8  # lost characters in the table


def section(frames: Frames, expected: Expected) -> Section | None:
    """The section on what can be written; None where no ceiling was recorded."""
    groups = [(task.title, rows) for task in expected.tasks if (rows := _rows(frames, expected, task))]
    if not groups:
        return None
    text = (
        "A model writes tokens, and a vocabulary does not have every character. The ceiling is the score of the test "
        "references themselves, after encoding and decoding with the model's tokenizer: what no model with this "
        "vocabulary can surpass but by chance. Within the lengths the references are also cut as the task cuts targets "
        "in training and answers in generation."
    )
    heads = (
        Column("Model"),
        *right("Ceiling", "Within lengths", "Not written", "Too long"),
        Column("Lost", width=0.14),
        *right("Not read", "Tokens per word"),
    )
    caption = (
        "Ceilings in each task's primary metric. Of the test rows: those none of whose references comes back whole "
        "(other white space left aside) or fits the lengths; the characters that are lost, the commonest first; rows "
        "whose source holds characters that the model never sees; tokens per word of the sources / of the targets, "
        "without prompt and special tokens."
    )
    return Section("What can be written", (text,), (layout.grouped_table("ceilings", caption, heads, groups),))


def _rows(frames: Frames, expected: Expected, task: ExpectedTask) -> list[tuple[str, ...]]:
    chosen = where(frames["ceilings"], task=task.name, primary=True)
    return [_row(Titles(expected), task, row) for row in chosen.itertuples()]


def _row(titles: Titles, task: ExpectedTask, row: Any) -> tuple[str, ...]:
    def score(value: float) -> str:
        return DASH if absent(value) else task.primary.text(value)

    per_word = [
        DASH if absent(value) else f"{value:.2f}" for value in (row.source_tokens_per_word, row.target_tokens_per_word)
    ]
    return (
        titles.models[row.model],
        score(row.written),
        score(row.within_lengths),
        f"{digits.count(row.not_written)} of {digits.count(row.examples)}",
        digits.count(row.too_long),
        lost_characters(row.lost_characters, SHOWN) or DASH,
        digits.count(row.unread),
        " / ".join(per_word),
    )
