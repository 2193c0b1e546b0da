"""Makes tasks with as few settings as their kinds need, and writes rows as the data stage does."""

import random
from pathlib import Path

from pydantic import TypeAdapter

from tunegrid.data.parquet import SplitWriter
from tunegrid.tasks import TASKS, Row, Task

# Two canonical rows of each kind.
ROWS = {
    "qa": [
        {"id": "1", "group": "g", "question": "who?", "context": "Anna saw Ben", "answers": ["Anna", "Anna B."], "candidates": ["Ben"]},
        {"id": "2", "group": "g", "question": "who?", "context": "Ben saw Anna", "answers": ["Ben"], "candidates": []},
    ],
    "translation": [{"id": "1", "source": "a dog", "target": "ein Hund"}, {"id": "2", "source": "Ben", "target": "Ben"}],
    "sentiment": [{"id": "1", "text": "good", "label": "positive"}, {"id": "2", "text": "bad", "label": "negative"}],
    "classification": [{"id": "1", "text": "a match", "label": "sports"}, {"id": "2", "text": "a bank", "label": "money"}],
    "ner": [
        {"id": "1", "text": "Ben saw Rome", "entities": "Ben: person; Rome: place"},
        {"id": "2", "text": "it rained", "entities": "none"},
    ],
    "summarisation": [
        {"id": "1", "document": "Ben won. He ran.", "summary": ["Ben won."]},
        {"id": "2", "document": "It rained.", "summary": ["Rain fell.", "It rained."]},
    ],
    "generation": [
        {"id": "1", "source": "dogs: 2", "target": ["Two dogs."]},
        {"id": "2", "source": "cats: 1", "target": ["One cat.", "A cat."]},
    ],
    "pair-classification": [
        {"id": "1", "text": "Ben won", "text_pair": "Ben lost", "label": "sports"},
        {"id": "2", "text": "a bank", "text_pair": "the bank", "label": "money"},
    ],
}  # fmt: skip
# Settings that a kind cannot do without.
LABELS = {"labels": ["money", "sports"]}
REQUIRED = {"ner": {"types": ["person", "place"]}, "classification": LABELS, "pair-classification": LABELS}


def qa(context: str, answers: list[str], number: int = 0, question: str = "where is the key?") -> Row:
    """A row of question answering."""
    row = {"id": str(number), "group": "", "question": question, "context": context, "answers": answers}
    return row | {"candidates": []}


def make_task(kind: str, source: dict | None = None, **settings) -> Task:
    """A task of a kind; its rows are generated if no source is given."""
    source = source or {"kind": "generated", "rows": {"train": 1, "validation": 1, "test": 1}}
    values = {"kind": kind, "source": source, "max_source_length": 64, "max_target_length": 8}
    values |= REQUIRED.get(kind, {})
    values |= {"generation": {"max_new_tokens": 4}} | settings
    return TASKS[kind](TypeAdapter(TASKS[kind].Settings).validate_python(values))


def write_splits(rows: list[Row], folder: Path) -> None:
    """Writes all three splits, each with the same rows."""
    folder.mkdir(exist_ok=True)
    for split in ("train", "validation", "test"):
        with SplitWriter(folder / f"{split}.parquet") as writer:
            for row in rows:
                writer.add(row)


def predict_baseline(task: Task, name: str, train: list[Row], test: list[Row], seed: int = 0) -> list[str]:
    return task.baselines()[name].predict(train, test, random.Random(seed))
