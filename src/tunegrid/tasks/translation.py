"""Translation, scored by sacreBLEU's BLEU and chrF and by TF-IDF cosine similarity."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar, Literal

from tunegrid.common.citations import PAPINENI_2002, POST_2018, Formula
from tunegrid.data.sources.base import Row
from tunegrid.tasks.base import Baseline, Metric, Scores, Task, TaskSettings, text_of


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
    formulas = (
        Formula(
            "BLEU",
            r"\mathrm{BLEU} = \min(1,\, e^{1 - r / c}) \, (p_1\, p_2\, p_3\, p_4)^{1/4}",
            "BLEU is the smaller of one and e to the one minus r over c, times the geometric mean of p one to p four",
            "Of the whole test set: p are the shares of the predictions' n-grams of 1 to 4 words that occur in the "
            "references, c and r the lengths of all predictions and of all references. sacreBLEU with its default "
            "settings, from 0 to 1.",
            (PAPINENI_2002, POST_2018),
        ),
        Formula(
            "Cosine similarity",
            r"\mathrm{cosine} = \dfrac{1}{n} \sum_{i=1}^{n} \dfrac{u_i \cdot v_i}{\Vert u_i \Vert \, \Vert v_i \Vert}",
            "the cosine similarity is the mean over sentences of u times v over the lengths of u and v",
            "Of TF-IDF vectors u of the prediction and v of the reference, fitted on each pair alone: what words the "
            "two have in common, in any order. The cosine of sentence embeddings is another number.",
        ),
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

        from tunegrid.tasks.metrics.bleu import Bleu, bleu_statistics
        from tunegrid.tasks.metrics.chrf import ChrF, sentence_chrf
        from tunegrid.tasks.metrics.cosine import CosineSimilarity, tfidf_cosines

        references = [row["target"] for row in rows]
        pairs = list(zip(predictions, references, strict=True))
        examples = pd.DataFrame(
            {
                "chrf": [sentence_chrf(*pair) for pair in pairs],
                "cosine_similarity": tfidf_cosines(predictions, references),
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
