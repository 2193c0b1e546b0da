"""Translation, scored by sacreBLEU's BLEU and chrF and by TF-IDF cosine similarity."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar, Literal

from tunegrid.data.sources.base import Row
from tunegrid.tasks.base import Baseline, Task, TaskSettings
from tunegrid.tasks.metrics import METRICS
from tunegrid.tasks.values import text_of


class TranslationSettings(TaskSettings):
    """Settings of a translation task."""

    kind: Literal["translation"]


class Translation(Task):
    """A sentence to its translation; the prompts of the families are for English to German."""

    Settings = TranslationSettings
    settings: TranslationSettings
    title = "Translation"
    columns: ClassVar = {"id": "id", "source": "translation.en", "target": "translation.de"}
    source_columns = ("source",)
    text_columns = ("source", "target")
    truncatable = "source"
    example: ClassVar = {"source": "The dog sees the house."}
    hub_task = "translation"
    metrics = tuple(METRICS[name]() for name in ("bleu", "cosine_similarity", "chrf"))
    primary = "bleu"
    example_metric = "chrf"  # BLEU of a sentence is 0 without four words in a row
    right_from = 0.5
    trivial_baseline = "copy"

    def clean(self, row: Row) -> Row:
        return {"id": row["id"], **self.clean_source(row), "target": text_of(row, "target")}

    def references(self, row: Row) -> list[str]:
        return [row["target"]]

    def baselines(self) -> dict[str, Baseline]:
        return {self.trivial_baseline: Baseline("Source copied", copy_source, ())}


def copy_source(train: Sequence[Row], test: Sequence[Row], generator: random.Random) -> list[str]:
    """The source, untranslated: names and numbers already match."""
    return [row["source"] for row in test]
