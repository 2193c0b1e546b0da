"""Rows of tasks written to files, and fetched from them by the data stage."""

import json
import random
from pathlib import Path

from tests.support.rows_of_tasks import make_task
from tunegrid.data.parquet import read_parquet
from tunegrid.stages.fetch_data import fetch_data
from tunegrid.tasks import Task

SPLITS = ("train", "validation", "test")


def files_task(
    kind: str, names: tuple = ("train", "test"), suffix: str = "jsonl", settings: dict | None = None, **source
) -> Task:
    """A task whose rows are in files, one for each of the named splits."""
    paths = {split: f"{split}.{suffix}" for split in names}
    return make_task(kind, {"kind": "files", "paths": paths, **source}, **(settings or {}))


def write(rows, *names: str) -> None:
    for name in names or ("train.jsonl", "test.jsonl"):
        with Path(name).open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def fetch(task) -> tuple[dict, dict]:
    """(rows of each split, card)."""
    fetch_data("t", task, Path("out"))
    rows = {split: read_parquet(Path(f"out/{split}.parquet")) for split in SPLITS}
    return rows, json.loads(Path("out/card.json").read_text())


def review(number: int) -> dict:
    return {"text": f"review {number}", "label": number % 2}


def question(number: int, article: object, paragraph: object) -> dict:
    context = f"Paragraph {paragraph} of article {article}."
    answers = {"text": [str(article)], "answer_start": [len(context) - 2]}
    return {"id": f"q{number}", "title": str(article), "context": context, "question": f"{number}?", "answers": answers}


def even_articles(count: int, questions: int) -> list[dict]:
    """Articles with the same number of questions each."""
    numbers = iter(range(count * questions))
    return [question(next(numbers), article, 0) for article in range(count) for _ in range(questions)]


def articles(count: int, rows: int) -> list[dict]:
    """Questions on paragraphs of three, on articles of unequal size, sorted by article as SQuAD is."""
    drawn = sorted(random.Random(1).choices(range(count), k=rows))
    return [question(number, article, number // 3) for number, article in enumerate(drawn)]


def pair(number: int, **sides) -> dict:
    return {"translation": {"en": f"english {number}", "de": f"deutsch {number}"} | sides}
