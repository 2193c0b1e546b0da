"""Sentiment classification: reviews of two labels, one of which counts as positive."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tunegrid.common.fields import Word, did_you_mean
from tunegrid.models.families import Family
from tunegrid.tasks.base import TaskSettings
from tunegrid.tasks.label_task import LABELS, LabelSettings, LabelTask
from tunegrid.tasks.metrics import METRICS
from tunegrid.tasks.metrics.label_counts import LabelCounts


class SentimentSettings(LabelSettings):
    """Settings of a sentiment task."""

    scores_depend_on: ClassVar = ("labels", "positive")

    kind: Literal["sentiment"]
    labels: list[Word] = Field(default=["negative", "positive"], min_length=2, max_length=1_000, description=LABELS)
    positive: str = Field("positive", description="The label that precision, recall and F1 are about.")

    @model_validator(mode="after")
    def _positive_is_a_label(self) -> SentimentSettings:
        if self.positive not in self.labels:
            raise ValueError(f"positive: {self.positive!r} is not a label. {did_you_mean(self.positive, self.labels)}")
        return self


class Sentiment(LabelTask):
    """A review to one of the label words."""

    Settings = SentimentSettings
    settings: SentimentSettings
    title = "Sentiment Classification"
    columns: ClassVar = {"id": "id", "text": "text", "label": "label"}
    source_columns = ("text",)
    text_columns = ("text",)
    truncatable = "text"
    replacements: ClassVar = {"<br />": " "}  # IMDB's reviews hold HTML line breaks
    example: ClassVar = {"text": "A clever film with great actors."}
    metrics = tuple(METRICS[name]() for name in ("accuracy", "precision", "recall", "label_f1"))

    def __init__(self, settings: TaskSettings, family: Family | None = None) -> None:
        super().__init__(settings, family)
        self.metrics = tuple(
            replace(metric, positive=self.settings.positive) if isinstance(metric, LabelCounts) else metric
            for metric in self.metrics
        )
