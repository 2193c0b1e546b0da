"""What the tables of a study must hold, whether or not it is there: the frame that results are hung into."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tunegrid.study.limits import Recommend
from tunegrid.study.search import Search
from tunegrid.study.study import Study
from tunegrid.tasks import TASKS, Metric

CellKey = tuple[str, str, str]  # names of task, model, method


@dataclass(frozen=True)
class Named:
    """A name as in paths, and the title that tables print for it."""

    name: str
    title: str
    licence: str | None = None  # of a task's data, or of a model
    hub_id: str | None = None  # of a model, or of a task's data with the name of its part ("wmt/wmt16 de-en")
    kind: str = ""  # of a method: a key of `methods.METHODS`


@dataclass(frozen=True, kw_only=True)
class ExpectedTask(Named):
    """A task of the study; `trivial` is the baseline that differences are taken to."""

    kind: str  # a key of `tasks.TASKS`
    baselines: tuple[Named, ...] = ()
    trivial: str | None = None
    labels: int | None = None  # how many labels the model chooses among; None: it generates
    own_metrics: tuple[Metric, ...] = ()  # where the settings of the task change its metrics

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that tables of the paper's form print."""
        return tuple(metric for metric in self.all_metrics if metric.printed)

    @property
    def all_metrics(self) -> tuple[Metric, ...]:
        return self.own_metrics or TASKS[self.kind].metrics

    @property
    def primary(self) -> Metric:
        return self.metric(TASKS[self.kind].primary)

    def metric(self, name: str) -> Metric:
        return next(metric for metric in self.all_metrics if metric.name == name)

    @property
    def grouped(self) -> bool:
        """Whether its rows belong to groups (questions to articles), which are then resampled together."""
        return "group" in TASKS[self.kind].columns


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
    recommend: Recommend = field(default_factory=Recommend)
    search: Search | None = None  # of the learning rates

    def has(self, task: str, model: str, method: str) -> bool:
        return self.cells is None or (task, model, method) in self.cells

    def grid(self, task: ExpectedTask) -> Iterator[tuple[Named, Named]]:
        """Model and method of each cell of a task, in the order of its table."""
        for model in self.models:
            for method in self.methods:
                if self.has(task.name, model.name, method.name):
                    yield model, method


def title(names: Iterable[Named], name: str | None) -> str:
    """The title of the model, method or baseline with this name; the name itself where there is none."""
    return next((named.title for named in names if named.name == name), str(name))


def printed_metrics(kind: str) -> tuple[Metric, ...]:
    """The metrics of a kind of task that tables of the paper's form print, in its order."""
    return tuple(metric for metric in TASKS[kind].metrics if metric.printed)


def expected(study: Study) -> Expected:
    """What the tables of a study must hold, whether or not it is there."""
    return Expected(
        study=study.name,
        title=study.title,
        description=study.description,
        tasks=tuple(_task(study, name) for name in study.grid.tasks),
        models=tuple(
            Named(name, study.title_of("models", name), model.licence, _hub_id(model))
            for name, model in ((name, study.models[name].source) for name in study.grid.models)
        ),
        methods=tuple(
            Named(name, study.title_of("methods", name), kind=study.methods[name].kind) for name in study.grid.methods
        ),
        seeds=tuple(study.seeds),
        recommend=study.recommend,
        cells=tuple((cell.task, cell.model, cell.method) for cell in study.cells()),
        search=study.search,
    )


def _task(study: Study, name: str) -> ExpectedTask:
    task = study.task(name)
    return ExpectedTask(
        name,
        study.title_of("tasks", name),
        task.settings.source.licence,
        _hub_id(task.settings.source),
        kind=task.settings.kind,
        baselines=tuple(Named(key, baseline.title) for key, baseline in task.baselines().items()),
        trivial=task.trivial_baseline,
        labels=len(labels) if (labels := task.labels()) else None,
        own_metrics=task.metrics,
    )


def _hub_id(source: Any) -> str | None:
    """Its id on the Hub, and the part of a data set that is named; None for what comes from elsewhere."""
    if getattr(source, "hub_key", None) is None or source.hub_id is None:
        return None
    return " ".join(filter(None, (source.hub_id, getattr(source, "name", None))))
