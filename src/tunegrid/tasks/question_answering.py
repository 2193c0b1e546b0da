"""Extractive question answering in SQuAD's format, scored by SQuAD's exact match and F1."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import median
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tunegrid.common.fields import MOST_TOKENS
from tunegrid.data.sources import ReadSource
from tunegrid.data.sources.base import Row
from tunegrid.tasks.base import Baseline, Task, TaskSettings
from tunegrid.tasks.metrics import METRICS
from tunegrid.tasks.values import column_error, identifier_of, texts_of


class QuestionAnsweringSettings(TaskSettings):
    """Settings of a question answering task."""

    rows_depend_on: ClassVar = ("protocol",)
    tokens_depend_on: ClassVar = ("long_contexts", "window_overlap", "answerless_windows")

    kind: Literal["qa"]
    protocol: Literal["official", "published"] = Field(
        "official",
        description="official: the source's own splits. published: what the paper appears to have done, two 80/20 "
        "splits of the training rows, row by row; the source's other splits are not read.",
    )
    long_contexts: Literal["windows", "cut"] = Field(
        "windows",
        description="Contexts that are too long: read in overlapping windows, the best of which answers; or cut.",
    )
    window_overlap: int | None = Field(
        None,
        ge=0,
        le=MOST_TOKENS // 2,
        description="Tokens that neighbouring windows share, at most half of max_source_length; an answer should be "
        "shorter. Default: 128, or a quarter of max_source_length where that is less.",
    )
    answerless_windows: Literal["leave-out", "abstain"] = Field(
        "leave-out",
        description="Training windows that hold no answer: left out, or taught to answer with nothing.",
    )

    @model_validator(mode="after")
    def _generated_rows_have_splits(self) -> QuestionAnsweringSettings:
        if self.protocol == "published" and not isinstance(self.source, ReadSource):
            raise ValueError(f"protocol: published splits existing rows; those of {self.source.kind} have their splits")
        return self

    @model_validator(mode="after")
    def _windows_advance(self) -> QuestionAnsweringSettings:
        if self.window_overlap is not None and 2 * self.window_overlap > self.max_source_length:
            raise ValueError(
                f"window_overlap: {self.window_overlap} tokens are more than half of max_source_length "
                f"({self.max_source_length}), so that windows would hardly advance. "
                f"Set it to {self.max_source_length // 2} or less."
            )
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
    list_columns = mapping_columns = ("answers", "candidates")
    source_columns = ("question", "context")
    text_columns = ("context",)
    truncatable = "context"
    example: ClassVar = {
        "question": "Where does Anna live?",
        "context": "Anna lives in Paris. Ben lives in Rome.",
    }
    metrics = tuple(METRICS[name]() for name in ("exact_match", "squad_f1"))
    primary = "exact_match"
    example_metric = "exact_match"
    question_column = "question"
    trivial_baseline = "random-candidate"

    def clean(self, row: Row) -> Row:
        answers = texts_of(row, "answers")
        if not answers:
            raise column_error("answers", "the row has no answer")
        return {
            "id": row["id"],
            "group": identifier_of(row, "group"),
            **self.clean_source(row),
            "answers": answers,
            "candidates": texts_of(row, "candidates"),
        }

    def references(self, row: Row) -> list[str]:
        return row["answers"]

    def answer_lost(self, row: Row, kept: str) -> bool:
        return not any(answer in kept for answer in row["answers"])

    def window_overlap(self) -> int | None:
        settings = self.settings
        if settings.long_contexts == "cut":
            return None
        default = min(128, settings.max_source_length // 4)
        return default if settings.window_overlap is None else settings.window_overlap

    def window_targets(self, row: Row, windows: list[str]) -> list[str | None]:
        """The first answer that occurs in a window. Rows say what the answers are, not where: an occurrence counts.

        Windows without one are left out, or get the empty answer. Left out whatever the setting are the windows of a
        row whose answer is in the context but whole in none of them: neither the answer nor silence would be right
        there. Where the answer is nowhere in the context, it is free text; the first window then stands for all.
        """
        answers = [next((answer for answer in row["answers"] if answer in window), None) for window in windows]
        if any(answers):
            silence = "" if self.settings.answerless_windows == "abstain" else None
            return [silence if answer is None else answer for answer in answers]
        if self.answer_lost(row, row["context"]):
            return [self.target_text(row), *answers[1:]]
        return answers

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
