"""Translation, scored by sacreBLEU's BLEU and chrF and by TF-IDF cosine similarity."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar, Literal

from tunegrid.tasks.base import Baseline, Metric, Row, Scores, Task, TaskSettings, text_of


class TranslationSettings(TaskSettings):
    """Settings of a translation task."""

    kind: Literal["translation"]


class Translation(Task):
    """A sentence to its translation; the prompts of the families are for English to German."""

    Settings = TranslationSettings
    settings: TranslationSettings
    title = "Translation"
    columns: ClassVar = {"id": "id", "source": "translation.en", "target": "translation.de"}
    optional: ClassVar = {"id": None}
    source_columns = ("source",)
    text_columns = ("source", "target")
    cuttable = "source"
    metrics = (
        Metric("bleu", "BLEU Score", "BLEU", aggregate="bleu"),
        Metric("cosine_similarity", "Cosine Similarity", "cosine similarity"),
        # Corpus chrF is no mean of sentence scores.
        Metric("chrf", "chrF", "chrF", printed=False, aggregate=None),
    )
    primary = "bleu"
    trivial_baseline = "copy"

    def clean(self, row: Row) -> Row:
        return {"id": row["id"], **self.clean_source(row), "target": text_of(row, "target")}

    def target_text(self, row: Row) -> str:
        return row["target"]

    def references(self, row: Row) -> list[str]:
        return [row["target"]]

    def score(self, predictions: list[str], rows: Sequence[Row]) -> Scores:
        import pandas as pd

        from tunegrid.metrics.bleu import Bleu, bleu_statistics
        from tunegrid.metrics.chrf import ChrF, sentence_chrf
        from tunegrid.metrics.cosine import CosineSimilarity, tfidf_cosine

        references = [row["target"] for row in rows]
        pairs = list(zip(predictions, references, strict=True))
        examples = pd.DataFrame(
            {
                "chrf": [sentence_chrf(*pair) for pair in pairs],
                "cosine_similarity": [tfidf_cosine(*pair) for pair in pairs],
                "bleu_statistics": bleu_statistics(predictions, references),
            }
        )
        results = {}
        for metric in (Bleu(), ChrF(), CosineSimilarity()):
            results |= metric.compute(predictions=predictions, references=references)
        signatures = {name: results.pop(f"{name}_signature") for name in ("bleu", "chrf")}
        return Scores(examples, results, signatures)

    def baselines(self) -> dict[str, Baseline]:
        return {self.trivial_baseline: Baseline("Source copied", copy_source, ())}


def copy_source(train: Sequence[Row], test: Sequence[Row], generator: random.Random) -> list[str]:
    """The source, untranslated: names and numbers already match."""
    return [row["source"] for row in test]
