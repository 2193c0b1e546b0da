"""Extractive question answering in SQuAD's format, scored by SQuAD's exact match and F1."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import median
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tunegrid.sources import ReadSource
from tunegrid.tasks.base import Baseline, Metric, Row, RowError, Scores, Task, TaskSettings, text_of


class QuestionAnsweringSettings(TaskSettings):
    """Settings of a question answering task."""

    kind: Literal["qa"]
    protocol: Literal["official", "published"] = Field(
        "official",
        description="official: the source's own splits. published: what the paper appears to have done, two 80/20 "
        "splits of the training rows, row by row; the source's other splits are not read.",
    )

    @model_validator(mode="after")
    def _generated_rows_have_splits(self) -> QuestionAnsweringSettings:
        if self.protocol == "published" and not isinstance(self.source, ReadSource):
            raise ValueError(f"protocol: published splits existing rows; those of {self.source.kind} have their splits")
        return self


class QuestionAnswering(Task):
    """A question and a context to a short answer."""

    Settings = QuestionAnsweringSettings
    settings: QuestionAnsweringSettings
    title = "Question Answering"
    columns: ClassVar = {
        "id": "id",
        "group": "title",
        "question": "question",
        "context": "context",
        "answers": "answers.text",
        "candidates": "candidates",
    }
    optional: ClassVar = {"id": None, "group": "", "candidates": None}
    source_columns = ("question", "context")
    text_columns = ("context",)
    cuttable = "context"
    metrics = (
        Metric("exact_match", "Exact Match (EM)", "EM", percent=True),
        Metric("f1", "F1 Score", "F1", percent=True),
    )
    primary = "exact_match"
    trivial_baseline = "random-candidate"

    def clean(self, row: Row) -> Row:
        answers = row["answers"]
        if isinstance(answers, str):
            answers = [answers]
        answers = [answer.strip() for answer in answers or () if isinstance(answer, str) and answer.strip()]
        if not answers:
            raise RowError("column answers: the row has no answer", "answers")
        return {
            "id": row["id"],
            "group": str(row["group"] or ""),
            "question": text_of(row, "question"),
            "context": text_of(row, "context"),
            "answers": answers,
            "candidates": [str(candidate) for candidate in row["candidates"] or ()],
        }

    def target_text(self, row: Row) -> str:
        return row["answers"][0]

    def references(self, row: Row) -> list[str]:
        return row["answers"]

    def answer_lost(self, row: Row, kept: str) -> bool:
        return not any(answer in kept for answer in row["answers"])

    def score(self, predictions: list[str], rows: Sequence[Row]) -> Scores:
        import pandas as pd

        from tunegrid.metrics.squad import SquadScore, best_over_references

        references = [self.references(row) for row in rows]
        pairs = zip(predictions, references, strict=True)
        examples = pd.DataFrame([best_over_references(*pair) for pair in pairs], columns=["exact_match", "f1"])
        return Scores(examples, SquadScore().compute(predictions=predictions, references=references), {})

    def baselines(self) -> dict[str, Baseline]:
        return {self.trivial_baseline: Baseline("Random candidate", random_candidate, ("answers",))}


def random_candidate(train: Sequence[Row], test: Sequence[Row], generator: random.Random) -> list[str]:
    """A random one of the row's candidates; where it names none, a random span of the context, of the usual length."""
    length = round(median(len(row["answers"][0].split()) for row in train))

    def guess(row: Row) -> str:
        if row["candidates"]:
            return generator.choice(row["candidates"])
        words = row["context"].split()
        start = generator.randrange(max(len(words) - length, 0) + 1)
        return " ".join(words[start : start + length])

    return [guess(row) for row in test]
