"""Tasks with labels: the model chooses the label whose words it finds most probable."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from pydantic import Field, field_validator

from tunegrid.common.fields import Word
from tunegrid.data.sources.base import Row
from tunegrid.tasks.base import Baseline, BaselineUndefined, Task, TaskSettings
from tunegrid.tasks.values import label_of, labels_by_number, number_of_name

LABELS = (
    "Labels. A number in the data is a label's name if some name is a number, else its index from 0. "
    "A family may have words of its own for them."
)


class LabelSettings(TaskSettings):
    """The settings of every task with labels."""

    rows_depend_on: ClassVar = ("labels",)
    scores_depend_on: ClassVar = ("labels",)

    labels: list[Word] = Field(min_length=2, max_length=1_000, description=LABELS)

    @field_validator("labels")
    @classmethod
    def _numbers_are_distinct(cls, labels: list[str]) -> list[str]:
        named = labels_by_number(tuple(labels))
        for label in labels:
            if (other := named.get(number_of_name(label), label)) != label:
                raise ValueError(f"{label!r} and {other!r} are the same number, so that no row says which it means")
        return labels


class LabelTask(Task):
    """A text, or several, to one of the labels."""

    settings: LabelSettings
    primary = "accuracy"
    example_metric = "accuracy"
    trivial_baseline = "majority-class"

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
        regression = partial(ngram_logistic_regression, columns=self.source_columns)
        return {
            self.trivial_baseline: Baseline("Majority class", self.commonest_answer, ("label",)),
            "ngram-logistic-regression": Baseline(
                "n-gram logistic regression", regression, (*self.source_columns, "label")
            ),
        }


def ngram_logistic_regression(
    train: Sequence[Row], test: Sequence[Row], generator: random.Random, columns: Sequence[str]
) -> list[str]:
    """Logistic regression on TF-IDF weighted words and pairs of words, of each column apart.

    Raises:
        BaselineUndefined: the training rows have a single class, or no word in some column.
    """
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    labels = [row["label"] for row in train]
    if len(set(labels)) == 1:
        raise BaselineUndefined(f"all training rows are “{labels[0]}”")
    train_features, test_features = [], []
    for column in columns:
        vectorizer = TfidfVectorizer(ngram_range=(1, 2))
        try:
            train_features.append(vectorizer.fit_transform(row[column] for row in train))
        except ValueError as error:
            if "empty vocabulary" not in str(error):
                raise
            raise BaselineUndefined("no training row has a word of two letters or digits") from error
        test_features.append(vectorizer.transform(row[column] for row in test))
    features, unseen = (hstack(parts, "csr") for parts in (train_features, test_features))
    return LogisticRegression(max_iter=1000).fit(features, labels).predict(unseen).tolist()
