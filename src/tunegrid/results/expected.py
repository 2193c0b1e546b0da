"""The rows that tables must show, whether or not their results exist."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tunegrid.study.limits import Recommend
from tunegrid.study.search_settings import Search
from tunegrid.tasks import TASKS, Metric

CellKey = tuple[str, str, str]  # names of task, model, method
Row = dict[str, Any]  # of a tidy table, by column


@dataclass(frozen=True)
class Named:
    """A name as in paths, and the title that tables print for it."""

    name: str
    title: str
    licence: str | None = None  # of a task's data, or of a model
    hub_id: str | None = None  # of a model, or of a task's data with the name of its part ("wmt/wmt16 de-en")
    kind: str = ""  # of a method: a key of `methods.METHODS`
    described: bool = True  # of a method: whether its kind's equation is its own
    mixture: bool = False  # of a method: whether one training on several tasks is shared by its cells

    @property
    def technique(self) -> str:
        """Of a method: its kind, "instruction" with a mixture, "" where it is a configuration of its own."""
        return "instruction" if self.mixture else self.kind if self.described else ""


@dataclass(frozen=True)
class ExpectedProbe:
    """A set of bias probes of a task."""

    name: str
    title: str
    sides: tuple[str, str]  # what the two words of its pairs stand for
    measure: str  # what a score is
    shows: str
    blind: str  # what it cannot show


@dataclass(frozen=True, kw_only=True)
class ExpectedTask(Named):
    """A task of the study; `trivial` is the baseline that differences are taken to."""

    kind: str  # a key of `tasks.TASKS`
    baselines: tuple[Named, ...] = ()
    trivial: str | None = None
    labels: int | None = None  # how many labels the model chooses among; None: it generates
    own_metrics: tuple[Metric, ...] = ()  # where the settings of the task change its metrics
    own_primary: str = ""  # name of the metric that cells are tested on, where the settings choose it
    # The same of the metric that scores an answer by itself, and the score from which it is right.
    own_judge: tuple[str, float] | None = None
    domains: tuple[str, ...] = ()  # names of its other test rows
    probes: tuple[ExpectedProbe, ...] = ()
    max_new_tokens: int | None = None  # the length that answers are cut to

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that tables of the paper's form print."""
        return tuple(metric for metric in self.all_metrics if metric.printed)

    @property
    def all_metrics(self) -> tuple[Metric, ...]:
        return self.own_metrics or TASKS[self.kind].metrics

    @property
    def primary(self) -> Metric:
        return self.metric(self.own_primary or TASKS[self.kind].primary)

    @property
    def judge(self) -> tuple[Metric, float]:
        """The metric that scores each answer by itself, and the score from which an answer counts as right."""
        name, right_from = self.own_judge or (TASKS[self.kind].example_metric, TASKS[self.kind].right_from)
        return self.metric(name), right_from

    def metric(self, name: str) -> Metric:
        return next(metric for metric in self.all_metrics if metric.name == name)

    @property
    def grouped(self) -> bool:
        """Whether its rows belong to groups (questions to articles), which are then resampled together."""
        return "group" in TASKS[self.kind].columns


@dataclass(frozen=True)
class Expected:
    """Everything about a study that its tables and its report need. Every order is the order of the tables."""

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
    recommend: Recommend = field(default_factory=Recommend)
    search: Search | None = None  # of the learning rates
    mixtures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # method that tunes on several tasks -> those
    rewards: tuple[CellKey, ...] = ()  # task, model and name of each reward model
    # Cells that are compared with the run that they start from: the method of that run, the name of the reward model.
    judged: Mapping[CellKey, tuple[str, str]] = field(default_factory=dict)
    ranked: tuple[CellKey, ...] = ()  # of these, those whose preference pairs the task's own score ranked
    forgetting: str = ""  # the text that the pretraining loss is measured on; "": it is not measured
    forms: tuple[str, ...] = ()  # in which runs of the cells `formed` are evaluated beside their own
    formed: tuple[CellKey, ...] = ()

    def has(self, task: str, model: str, method: str) -> bool:
        return self.cells is None or (task, model, method) in self.cells

    def grid(self, task: ExpectedTask) -> Iterator[tuple[Named, Named]]:
        """Model and method of each cell of a task, in the order of its table."""
        for model in self.models:
            for method in self.methods:
                if self.has(task.name, model.name, method.name):
                    yield model, method

    def keys(self, task: ExpectedTask) -> list[CellKey]:
        """Names of task, model and method of each cell of a task, in the order of its table."""
        return [(task.name, model.name, method.name) for model, method in self.grid(task)]


def title(names: Iterable[Named], name: str | None) -> str:
    """The title of the model, method or baseline with this name; the name itself where there is none."""
    return next((named.title for named in names if named.name == name), str(name))


def printed_metrics(kind: str) -> tuple[Metric, ...]:
    """The metrics of a kind of task that tables of the paper's form print, in its order."""
    return tuple(metric for metric in TASKS[kind].metrics if metric.printed)
