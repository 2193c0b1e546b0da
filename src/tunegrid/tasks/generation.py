"""Text generation: any text to any other, scored by the metrics that the study chooses."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from tunegrid.common.fields import check_distinct
from tunegrid.data.sources.base import Row
from tunegrid.models.families import Family
from tunegrid.tasks.base import Baseline, Task, TaskSettings
from tunegrid.tasks.metrics import METRICS, Metric
from tunegrid.tasks.translation import copy_source
from tunegrid.tasks.values import column_error, texts_of

Choice = Literal["chrf", "bleu", "rouge1", "rouge2", "rouge_l", "rouge_lsum", "exact_match", "exact_text"]
CHOICES: dict[Choice, type[Metric]] = {
    name: METRICS["chrf_counts" if name == "chrf" else name] for name in Choice.__args__
}


class TextGenerationSettings(TaskSettings):
    """Settings of a task of text generation."""

    scores_depend_on: ClassVar = ("metrics",)

    kind: Literal["generation"]
    metrics: list[Choice] = Field(
        default=["chrf", "rouge_l", "exact_text"],
        min_length=1,
        description="Metrics, in the order of the tables; cells are tested, tied and recommended on the first.",
    )

    _is_distinct = field_validator("metrics")(check_distinct)


class TextGeneration(Task):
    """A text to another text, of which a row may have several references."""

    Settings = TextGenerationSettings
    settings: TextGenerationSettings
    title = "Text Generation"
    columns: ClassVar = {"id": "id", "source": "source", "target": "target"}
    list_columns = ("source", "target")
    source_columns = ("source",)
    text_columns = ("source", "target")
    truncatable = "source"
    example: ClassVar = {"source": "Anna has two dogs and one cat."}
    metrics = tuple(metric() for metric in CHOICES.values())
    primary = "chrf"
    example_metric = "chrf"
    right_from = 0.5
    trivial_baseline = "copy"

    def __init__(self, settings: TaskSettings, family: Family | None = None) -> None:
        super().__init__(settings, family)
        chosen = [CHOICES[name]() for name in self.settings.metrics]
        # BLEU of a single answer is 0 without four words in a row: chrF judges the answers then.
        judges = [metric for metric in chosen if metric.name != "bleu"]
        self.metrics = tuple(chosen if judges else [*chosen, CHOICES["chrf"]()])
        self.primary = chosen[0].name
        self.example_metric = (judges or self.metrics[1:])[0].name
        self.right_from = 1.0 if self.example_metric.startswith("exact") else type(self).right_from

    def clean(self, row: Row) -> Row:
        targets = texts_of(row, "target")
        if not targets:
            raise column_error("target", "the row has no target")
        return {"id": row["id"], **self.clean_source(row), "target": targets}

    def references(self, row: Row) -> list[str]:
        return row["target"]

    def baselines(self) -> dict[str, Baseline]:
        return {
            self.trivial_baseline: Baseline("Source copied", copy_source, ()),
            "commonest-target": Baseline("Commonest target", self.commonest_answer, ("target",)),
        }
