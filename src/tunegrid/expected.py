"""What the tables of a study must hold, whether or not it is there: the frame that results are hung into."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["qa", "translation", "sentiment"]
CellKey = tuple[str, str, str]  # names of task, model, method


@dataclass(frozen=True)
class MetricColumn:
    """A metric as a table heads and prints it: with four decimals, of the score (0 to 1) or of its percentage."""

    name: str
    title: str
    percent: bool = False
    word: str = ""  # in a sentence

    def text(self, value: float) -> str:
        return f"{100 * value:.4f}%" if self.percent else f"{value:.4f}"

    def short(self, value: float) -> str:
        """The same for a sentence: percentages with one decimal."""
        return f"{100 * value:.1f}%" if self.percent else f"{value:.4f}"


# The metrics that the paper's tables print, in its order; the first is the primary one.
METRICS: dict[Kind, tuple[MetricColumn, ...]] = {
    "qa": (MetricColumn("exact_match", "Exact Match (EM)", True, "EM"), MetricColumn("f1", "F1 Score", True, "F1")),
    "translation": (
        MetricColumn("bleu", "BLEU Score", word="BLEU"),
        MetricColumn("cosine_similarity", "Cosine Similarity", word="cosine similarity"),
    ),
    "sentiment": (
        MetricColumn("accuracy", "Accuracy", word="accuracy"),
        MetricColumn("precision", "Precision", word="precision"),
        MetricColumn("recall", "Recall", word="recall"),
        MetricColumn("f1", "F1 Score", word="F1"),
    ),
}
UNPRINTED: dict[Kind, tuple[str, ...]] = {"qa": (), "translation": ("chrf",), "sentiment": ()}


@dataclass(frozen=True)
class Named:
    """A name as in paths, and the title that tables print for it."""

    name: str
    title: str


@dataclass(frozen=True)
class ExpectedTask(Named):
    """A task of the study; `trivial` is the baseline that differences are taken to."""

    kind: Kind
    baselines: tuple[Named, ...] = ()
    trivial: str | None = None
    positive: str = "positive"  # sentiment: the label of precision, recall and F1

    @property
    def metrics(self) -> tuple[MetricColumn, ...]:
        return METRICS[self.kind]

    @property
    def primary(self) -> MetricColumn:
        return self.metrics[0]


@dataclass(frozen=True)
class Expected:
    """A study, as its report needs it. Every order is the order of the tables."""

    study: str  # name, as in the paths
    title: str
    description: str  # what this study is, in full sentences; printed on page one
    tasks: tuple[ExpectedTask, ...]
    models: tuple[Named, ...]
    methods: tuple[Named, ...]
    seeds: tuple[int, ...]
    caveats: tuple[str, ...] = ()  # what the numbers cannot show ("The data are generated: …"); printed on page one
    cells: tuple[CellKey, ...] | None = None  # None: every task with every model and every method
    untuned: bool = True  # whether the untuned models are rows

    def has(self, task: str, model: str, method: str) -> bool:
        return self.cells is None or (task, model, method) in self.cells

    def grid(self, task: ExpectedTask) -> Iterator[tuple[Named, Named]]:
        """Model and method of each cell of a task, in the order of its table."""
        for model in self.models:
            for method in self.methods:
                if self.has(task.name, model.name, method.name):
                    yield model, method
