"""Sentiment classification: the model chooses the label word that it finds most probable."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tunegrid.common.fields import Word, did_you_mean
from tunegrid.data.sources.base import Row
from tunegrid.models.families import Family
from tunegrid.tasks.base import Baseline, BaselineUndefined, Task, TaskSettings
from tunegrid.tasks.metrics import METRICS
from tunegrid.tasks.metrics.label_counts import LabelCounts
from tunegrid.tasks.values import as_number, label_of, labels_by_number


class SentimentSettings(TaskSettings):
    """Settings of a sentiment task."""

    kind: Literal["sentiment"]
    labels: list[Word] = Field(
        default=["negative", "positive"],
        min_length=2,
        max_length=1_000,
        description="Labels. A number in the data is a label's name if some name is a number, else its index from 0. "
        "A family may have words of its own for them.",
    )
    positive: str = Field("positive", description="The label that precision, recall and F1 are about.")

    @field_validator("labels")
    @classmethod
    def _numbers_are_distinct(cls, labels: list[str]) -> list[str]:
        for label in labels:
            if (number := as_number(label)) is not None and (other := labels_by_number(tuple(labels))[number]) != label:
                raise ValueError(f"{label!r} and {other!r} are the same number, so that no row says which it means")
        return labels

    @model_validator(mode="after")
    def _positive_is_a_label(self) -> SentimentSettings:
        if self.positive not in self.labels:
            raise ValueError(f"positive: {self.positive!r} is not a label. {did_you_mean(self.positive, self.labels)}")
        return self


class Sentiment(Task):
    """A review to one of the label words."""

    Settings = SentimentSettings
    settings: SentimentSettings
    title = "Sentiment Classification"
    columns: ClassVar = {"id": "id", "text": "text", "label": "label"}
    optional: ClassVar = {"id": None}
    source_columns = ("text",)
    text_columns = ("text",)
    truncatable = "text"
    replacements: ClassVar = {"<br />": " "}  # IMDB's reviews hold HTML line breaks
    example: ClassVar = {"text": "A clever film with great actors."}
    metrics = tuple(METRICS[name]() for name in ("accuracy", "precision", "recall", "label_f1"))
    primary = "accuracy"
    example_metric = "accuracy"
    trivial_baseline = "majority-class"

    def __init__(self, settings: TaskSettings, family: Family | None = None) -> None:
        super().__init__(settings, family)
        self.metrics = tuple(
            replace(metric, positive=self.settings.positive) if isinstance(metric, LabelCounts) else metric
            for metric in self.metrics
        )

    def clean(self, row: Row) -> Row:
        return {"id": row["id"], **self.clean_source(row), "label": label_of(row, "label", self.settings.labels)}

    def target_text(self, row: Row) -> str:
        return self.word(row["label"])

    def references(self, row: Row) -> list[str]:
        return [row["label"]]

    def prompt_fields(self) -> dict[str, str]:
        return {"options": "\n".join(f"- {self.word(label)}" for label in self.settings.labels)}

    def labels(self) -> list[str]:
        return self.settings.labels

    def baselines(self) -> dict[str, Baseline]:
        return {
            self.trivial_baseline: Baseline("Majority class", majority_class, ("label",)),
            "ngram-logistic-regression": Baseline(
                "n-gram logistic regression", ngram_logistic_regression, ("text", "label")
            ),
        }


def majority_class(train: Sequence[Row], test: Sequence[Row], generator: random.Random) -> list[str]:
    """The most frequent label of the training rows."""
    counts = Counter(row["label"] for row in train)
    # Ties go to the first in the alphabet, so that the order of the rows does not matter.
    majority = min(counts, key=lambda label: (-counts[label], label))
    return [majority] * len(test)


def ngram_logistic_regression(train: Sequence[Row], test: Sequence[Row], generator: random.Random) -> list[str]:
    """Logistic regression on TF-IDF weighted words and pairs of words.

    Raises:
        BaselineUndefined: the training rows have a single class, or no word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    labels = [row["label"] for row in train]
    if len(set(labels)) == 1:
        raise BaselineUndefined(f"all training rows are “{labels[0]}”")
    vectorizer = TfidfVectorizer(ngram_range=(1, 2))
    try:
        features = vectorizer.fit_transform(row["text"] for row in train)
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        raise BaselineUndefined("no training row has a word of two letters or digits") from error
    model = LogisticRegression(max_iter=1000).fit(features, labels)
    return model.predict(vectorizer.transform(row["text"] for row in test)).tolist()
