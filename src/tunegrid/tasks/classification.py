"""Classification of texts, and of pairs of texts: one label of any number."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from tunegrid.common.fields import Word, check_known
from tunegrid.models.families import Family
from tunegrid.tasks.base import TaskSettings
from tunegrid.tasks.label_task import LabelSettings, LabelTask
from tunegrid.tasks.metrics import METRICS
from tunegrid.tasks.metrics.confusion import MOST_LABELS, MacroF1, Matthews
from tunegrid.tasks.metrics.label_counts import Accuracy, ClassF1


class ClassificationSettings(LabelSettings):
    """Settings of a classification of texts."""

    kind: Literal["classification"]
    label_words: dict[str, Word] = Field(
        default_factory=dict,
        description="Label -> the word that a model reads and writes for it, before that of its family; a label "
        "without one is its own.",
    )

    @field_validator("label_words")
    @classmethod
    def _words_are_of_labels(cls, words: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        check_known(words, info.data.get("labels", list(words)), "a label")
        return words


class PairClassificationSettings(ClassificationSettings):
    """Settings of a classification of pairs of texts."""

    kind: Literal["pair-classification"]


class Classification(LabelTask):
    """A text to one of the label words."""

    Settings = ClassificationSettings
    settings: ClassificationSettings
    title = "Classification"
    columns: ClassVar = {"id": "id", "text": "text", "label": "label"}
    list_columns = source_columns = text_columns = ("text",)
    truncatable = "text"
    example: ClassVar = {"text": "The team won the match in the last minute."}
    metrics = tuple(METRICS[name]() for name in ("accuracy", "macro_f1", "matthews"))

    def __init__(self, settings: TaskSettings, family: Family | None = None) -> None:
        super().__init__(settings, family)
        labels = tuple(self.settings.labels)
        each = map(ClassF1, labels) if len(labels) <= MOST_LABELS else ()
        self.metrics = (Accuracy(), MacroF1(labels), Matthews(labels), *each)

    def word(self, label: str) -> str:
        return self.settings.label_words.get(label) or super().word(label)


class PairClassification(Classification):
    """Two texts to a label of what holds between them: entailment, paraphrase, an answer to a question."""

    Settings = PairClassificationSettings
    settings: PairClassificationSettings
    title = "Classification of Pairs"
    columns: ClassVar = {"id": "id", "text": "sentence1", "text_pair": "sentence2", "label": "label"}
    list_columns = source_columns = text_columns = ("text", "text_pair")
    example: ClassVar = {"text": "Anna sold the house to Ben.", "text_pair": "Ben bought the house."}
