"""Summarisation, scored by ROUGE and chrF."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import ClassVar, Literal

from tunegrid.data.sources.base import Row
from tunegrid.tasks.base import Baseline, ScoredPredictions, Task, TaskSettings
from tunegrid.tasks.metrics import METRICS
from tunegrid.tasks.sentences import sentences
from tunegrid.tasks.values import column_error, texts_of


class SummarisationSettings(TaskSettings):
    """Settings of a summarisation task."""

    kind: Literal["summarisation"]


class Summarisation(Task):
    """A document to its summary, of which a row may have several references."""

    Settings = SummarisationSettings
    settings: SummarisationSettings
    title = "Summarisation"
    columns: ClassVar = {"id": "id", "document": "document", "summary": "summary"}
    list_columns = ("document", "summary")
    source_columns = text_columns = ("document",)
    truncatable = "document"
    example: ClassVar = {"document": "Anna lives with Ben in a house. They have a dog. The dog sees Ben."}
    hub_task = "summarization"
    metrics = tuple(METRICS[name]() for name in ("rouge1", "rouge2", "rouge_l", "rouge_lsum", "chrf"))
    primary = "rouge_l"
    example_metric = "rouge_l"
    right_from = 0.5
    trivial_baseline = "lead-1"

    def clean(self, row: Row) -> Row:
        summaries = texts_of(row, "summary")
        if not summaries:
            raise column_error("summary", "the row has no summary")
        return {"id": row["id"], **self.clean_source(row), "summary": summaries}

    def references(self, row: Row) -> list[str]:
        return row["summary"]

    def score(self, predictions: list[str], rows: Sequence[Row]) -> ScoredPredictions:
        """Scores, and for each example what no reference is needed for: `compression` and `novel_bigrams`."""
        scored = super().score(predictions, rows)
        pairs = [(words(text), words(row["document"])) for text, row in zip(predictions, rows, strict=True)]
        scored.examples["compression"] = [len(text) / max(len(document), 1) for text, document in pairs]
        scored.examples["novel_bigrams"] = [novel_bigrams(text, document) for text, document in pairs]
        return scored

    def baselines(self) -> dict[str, Baseline]:
        return {
            "lead-1": Baseline("First sentence", partial(lead, count=1), ()),
            "lead-3": Baseline("First three sentences", partial(lead, count=3), ()),
        }


def lead(train: Sequence[Row], test: Sequence[Row], generator: random.Random, count: int) -> list[str]:
    """The first sentences of each document."""
    return [" ".join(sentences(row["document"])[:count]) for row in test]


def words(text: str) -> list[str]:
    """What white space separates, in small letters."""
    return text.casefold().split()


def novel_bigrams(summary: Sequence[str], document: Sequence[str]) -> float:
    """Share of the summary's pairs of words that do not stand in the document; 0 where it has none."""
    pairs, known = list(pairwise(summary)), set(pairwise(document))
    return sum(pair not in known for pair in pairs) / max(len(pairs), 1)
