"""How long the jobs of a study take: by measured times of similar jobs where there are any, else by the plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from statistics import fmean
from typing import Any

from tunegrid.study.plan.jobs import Job, Jobs
from tunegrid.study.status.items import Item
from tunegrid.study.study import Study

MEASURED = {
    "training": ("loading_seconds", "optimisation_seconds", "evaluation_seconds", "saving_seconds"),
    "rewards": ("loading_seconds", "optimisation_seconds", "evaluation_seconds", "saving_seconds"),
    "search": ("total_seconds",),
    **dict.fromkeys(
        ("evaluation", "forms", "untuned", "baselines", "domains"),
        ("load_seconds", "prediction_seconds", "scoring_seconds"),
    ),
}
# Command -> its job in the plan. The others take seconds, or are downloads of unknown speed: they are not counted.
PLANNED: dict[str, Callable[[Jobs, Item], Job]] = {
    "pretrain": lambda jobs, item: jobs.pretrain(item.model),
    "tokenise": lambda jobs, item: jobs.tokenise(item.task, item.model),
    "tokenise-mixture": lambda jobs, item: jobs.mixture_tokens(item.cell),
    "tokenise-wordings": lambda jobs, item: jobs.wording_tokens(item.cell),
    "train-reward": lambda jobs, item: jobs.reward(item.task, item.model, item.part),
    "search-trial": lambda jobs, item: jobs.trial(item.cell),
    "train": lambda jobs, item: jobs.train(item.cell),
    "train-mixture": lambda jobs, item: jobs.train(item.cell),
    "compress": lambda jobs, item: jobs.form(item.cell, item.command[-1]),
    "evaluate": lambda jobs, item: jobs.evaluate(item.task, item.model, item.method),
    "evaluate-wordings": lambda jobs, item: jobs.worded(item.cell),
    "evaluate-probes": lambda jobs, item: jobs.probes(item.task, item.model, item.method),
    "evaluate-forgetting": lambda jobs, item: jobs.forgetting(item.task, item.model, item.method),
    "forgetting-untuned": lambda jobs, item: jobs.forgetting(jobs.study.grid.tasks[0], item.model),  # of all tasks
    "baseline": lambda jobs, item: jobs.baseline(item.task),
    "evaluate-domains": lambda jobs, item: jobs.domains(item.task, item.model, item.method),
    "baseline-domains": lambda jobs, item: jobs.domains(item.task),
}


def seconds_of(item: Item, record: dict[str, Any]) -> float | None:
    """The seconds that a job took, from its record; None: the record does not contain them."""
    cost = record.get("cost") or {}
    values = [cost.get(name) for name in MEASURED.get(item.stage, ())]
    return sum(value for value in values if value is not None) if any(values) else None


class Durations:
    """Seconds that jobs take, from those that are done.

    The jobs of a cell take about the same time. Where no job of the cell is done, the plan's estimate is multiplied by
    the ratio of measured to planned time of all finished jobs of the same stage.
    """

    def __init__(self, study: Study, measured: Iterable[tuple[Item, float]]) -> None:
        self._jobs, self._alike = Jobs(study), defaultdict(list)
        self._measured: dict[str, list[tuple[Item, float]]] = defaultdict(list)
        for item, seconds in measured:
            self._alike[self._key(item)].append(seconds)
            self._measured[item.stage].append((item, seconds))
        self._ratio = cache(self._compare)

    def estimate(self, item: Item) -> float:
        """Seconds that a job takes from its start to its end."""
        if alike := self._alike.get(self._key(item)):
            return fmean(alike)
        return self._planned(item) * self._ratio(item.stage)

    def _compare(self, stage: str) -> float:
        """The ratio of measured to planned time of all finished jobs of a stage; 1.0 without any.

        It is computed when it is asked for: a study that has jobs of every cell behind it needs no plan.
        """
        measured = self._measured[stage]
        took, planned = sum(seconds for _, seconds in measured), sum(self._planned(item) for item, _ in measured)
        return took / planned if planned else 1.0

    @staticmethod
    def _key(item: Item) -> tuple[Any, ...]:
        return (item.stage, item.cell, item.task, item.model, None if item.cell else item.part)

    def _planned(self, item: Item) -> float:
        planned = PLANNED.get(item.command[0])
        return planned(self._jobs, item).seconds if planned else 0.0
