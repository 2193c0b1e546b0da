"""What a task is: rows to text, text to text, predictions to scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tunegrid.common.fields import MOST_TOKENS, Closed, Name, Title, one_of
from tunegrid.data.sources import SOURCES
from tunegrid.data.sources.base import Row
from tunegrid.models.decoding import Generation
from tunegrid.models.families import FAMILIES, Family
from tunegrid.tasks.metrics import Metric
from tunegrid.tasks.values import joined_text, text_of

if TYPE_CHECKING:
    import random

    import pandas as pd

AnySource = one_of(SOURCES.values())


@dataclass(frozen=True)
class ScoredPredictions:
    """The predictions of a split with their scores.

    Attributes:
        examples: one row per prediction, in their order: the per-example scores.
        metrics: the value of every metric over all examples, from 0 to 1.
        signatures: how a metric was computed, where its library says so (sacreBLEU).
        undefined: why the formula of a metric has no value, so that 0 stands for it.
    """

    examples: pd.DataFrame
    metrics: dict[str, float]
    signatures: dict[str, str]
    undefined: dict[str, str] = field(default_factory=dict)


class BaselineUndefined(ValueError):
    """A baseline that the training rows do not define, with the reason; the trivial baseline stands in for it."""


@dataclass(frozen=True)
class Baseline:
    """Predictions without a pretrained model.

    Attributes:
        title: its name in tables.
        predict: (training rows, test rows, seeded generator) -> one prediction per test row. It raises
            `BaselineUndefined` where the training rows are valid, but do not define it.
        training_columns: what it reads of the training rows, for they may be many; none: it gets no training rows.
    """

    title: str
    predict: Callable[[Sequence[Row], Sequence[Row], random.Random], list[str]]
    training_columns: tuple[str, ...]


class TaskSettings(Closed):
    """The settings that every task has.

    Attributes:
        rows_depend_on: further settings that alter the canonical rows.
        tokens_depend_on: those that alter the tokens of the same rows, beside prompts and lengths.
        scores_depend_on: those that alter the predictions and scores of the same tokens.
    """

    rows_depend_on: ClassVar[tuple[str, ...]] = ()
    tokens_depend_on: ClassVar[tuple[str, ...]] = ()
    scores_depend_on: ClassVar[tuple[str, ...]] = ()

    title: Title = Field("", description="Name in tables; default: the task's own.")
    source: AnySource = Field(description="Where the rows come from.")
    evaluate_on: dict[Name, AnySource] = Field(
        default_factory=dict,
        max_length=20,
        description="Name -> source of test rows of another domain for the same task; its `test` split alone is read.",
    )
    prompts: dict[str, str] = Field(
        default_factory=dict, description="Model family -> template over the row's columns; default: the family's own."
    )
    max_source_length: int = Field(
        ge=4, le=MOST_TOKENS, description="Tokens of the source; what is cut of longer ones is counted."
    )
    max_target_length: int = Field(ge=3, le=MOST_TOKENS, description="Tokens of the target in training.")
    generation: Generation = Field(description="How answers are decoded.")
    evaluation_batch_size: int = Field(
        64,
        gt=0,
        le=65_536,
        description=(
            "Examples per batch of prediction; on a CPU up to four times as many of a narrow model, six times with "
            "CTranslate2."
        ),
    )


class Task(ABC):
    """A text-to-text task. A new kind is a subclass in a new file, named in `tasks.TASKS`."""

    Settings: ClassVar[type[TaskSettings]] = TaskSettings
    title: ClassVar[str]
    columns: ClassVar[dict[str, str]]  # canonical column -> the column of the Hub's format
    optional: ClassVar[dict[str, Any]] = {"id": None}  # canonical columns that may be absent, with their value then
    list_columns: ClassVar[tuple[str, ...]] = ()  # canonical columns of several texts: in CSV they may be JSON lists
    mapping_columns: ClassVar[tuple[str, ...]] = ()  # those of them in which a mapping of CSV is never a text
    instead: ClassVar[dict[str, str]] = {}  # source column -> the column that stands for it where a row lacks it
    source_columns: ClassVar[tuple[str, ...]]  # the columns that a prompt may name: none that holds the answer
    text_columns: ClassVar[tuple[str, ...]]  # the columns whose text a model can be pretrained on
    truncatable: ClassVar[str]  # the column that loses its end, or is read in windows, when the source is too long
    metrics: tuple[Metric, ...]  # in the order of the tables
    primary: str  # name of the metric that cells are tested, tied and recommended on
    replacements: ClassVar[dict[str, str]] = {}  # in the source columns: text -> what stands for it
    example: ClassVar[dict[str, str]] = {}  # a source row, for the model card
    hub_task: ClassVar[str] = "text2text-generation"  # the Hub's name for this kind of task
    prompts: ClassVar[dict[str, str]] = {}  # family -> template, where the family's file has none for this kind
    trivial_baseline: ClassVar[str]
    example_metric: str  # name of the metric whose one column scores an answer by itself
    right_from: float = 1.0  # the score by that metric from which an answer counts as right
    question_column: ClassVar[str | None] = None  # whose first word is a slice of the scores

    def __init__(self, settings: TaskSettings, family: Family | None = None) -> None:
        """`family`: of the model that is to do the task; none: the labels are their own words."""
        self.settings = settings
        self.family = family

    def texts(self, row: Row) -> Iterator[str]:
        """The texts of a row that a model can be pretrained on; of several references each."""
        for column in self.text_columns:
            value = row[column]
            yield from [value] if isinstance(value, str) else value

    @abstractmethod
    def clean(self, row: Row) -> Row:
        """The canonical row of a mapped one.

        Raises:
            RowError: the row cannot be used, with the reason.
        """

    def clean_source(self, row: Row) -> Row:
        """The `source_columns` alone, as `clean` leaves them: rows to be answered have no answer yet.

        Raises:
            RowError: the row cannot be used, with the reason.
        """
        cleaned = {}
        for column in self.source_columns:
            text = joined_text(row, column) if column in self.list_columns else text_of(row, column)
            for old, new in self.replacements.items():
                text = text.replace(old, new)
            cleaned[column] = text_of({column: text}, column)
        return cleaned

    def prompt(self, family: str) -> str | None:
        """The template for a family of models; None: neither the settings, nor the family, nor the task has one."""
        known = self.family if self.family and self.family.name == family else FAMILIES.get(family)
        own = known.prompts.get(self.settings.kind) if known else None
        candidates = (self.settings.prompts.get(family), own, self.prompts.get(family))
        return next((template for template in candidates if template is not None), None)

    def prompt_fields(self) -> dict[str, str]:
        """Names that a template can use beside `source_columns`, with their text."""
        return {}

    def source_text(self, row: Row, family: str) -> str:
        return self.prompt(family).format_map(row | self.prompt_fields())

    def target_text(self, row: Row) -> str:
        """The text that a model is trained to answer a row with."""
        return self.references(row)[0]

    @abstractmethod
    def references(self, row: Row) -> list[str]: ...

    def answer_lost(self, row: Row, kept: str) -> bool:
        """Tells whether cutting `row[truncatable]` to `kept` removed what the answer needs."""
        return False

    def window_overlap(self) -> int | None:
        """Tokens that neighbouring windows of a source that is too long share; None: such a source is cut instead."""
        return None

    def window_targets(self, row: Row, windows: list[str]) -> list[str | None]:
        """Returns the target text of each window, a slice of `row[truncatable]`; None: the window is left out."""
        return [self.target_text(row)] * len(windows)

    def labels(self) -> list[str] | None:
        """The labels, if the model chooses among them; None if it generates freely."""
        return None

    def word(self, label: str) -> str:
        """Returns the text that the model reads and writes for a label: the family's word, or the label itself."""
        words = self.family.label_words.get(self.settings.kind, {}) if self.family else {}
        return words.get(label, label)

    def score(self, predictions: list[str], rows: Sequence[Row]) -> ScoredPredictions:
        """Scores predictions against the references of their rows, each metric once."""
        import pandas as pd

        from tunegrid.tasks.metrics.evaluate_metric import as_evaluate

        references = [self.references(row) for row in rows]
        columns: dict[str, list[Any]] = {}
        values, signatures, undefined = {}, {}, {}
        for metric in self.metrics:
            texts = references if metric.many_references else [first for first, *_ in references]
            result = as_evaluate(metric).compute(predictions=predictions, references=texts, examples=True)
            columns |= result["examples"]
            values[metric.name] = min(result[metric.name], 1.0)  # sacreBLEU overshoots by a few units of the last place
            if signature := result.get(f"{metric.name}_signature"):
                signatures[metric.name] = signature
            table = {"prediction": predictions, "references": references, **result["examples"]}
            if reason := metric.undefined(table):
                undefined[metric.name] = reason
        # Numbers before lists, each by name: the order does not depend on that of the metrics.
        names = sorted(columns, key=lambda name: (isinstance(columns[name][0], list), name))
        return ScoredPredictions(pd.DataFrame({name: columns[name] for name in names}), values, signatures, undefined)

    @abstractmethod
    def baselines(self) -> dict[str, Baseline]:
        """Baselines that need no pretrained model, by name."""

    def commonest_answer(self, train: Sequence[Row], test: Sequence[Row], generator: random.Random) -> list[str]:
        """A baseline: the most frequent first reference of the training rows."""
        counts = Counter(self.references(row)[0] for row in train)
        # Ties go to the first in the alphabet, so that the order of the rows does not matter.
        return [min(counts, key=lambda answer: (-counts[answer], answer))] * len(test)
