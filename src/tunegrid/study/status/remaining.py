"""How long the jobs of a study take: by measured times of similar jobs where there are any, else by the plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from statistics import fmean
from typing import Any

from tunegrid.study.plan.jobs import Jobs
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
QUICK = {
    "data",
    "judgement",
    "pairs",
    "choices",
    "sharing",
    "report",
}  # take seconds, or are downloads of unknown speed: not counted


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
        self._jobs, self._alike, self._first_task = Jobs(study), defaultdict(list), study.grid.tasks[0]
        self._measured: dict[str, list[tuple[Item, float]]] = defaultdict(list)
        for item, seconds in measured:
            self._alike[self._key(item)].append(seconds)
            self._measured[item.stage].append((item, seconds))
        self._ratio = cache(self._compare)

    def estimate(self, item: Item) -> float:
        """Seconds that a job takes from its start to its end."""
        if item.stage in QUICK:
            return 0.0
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
        match item.stage:
            case "models":
                return self._jobs.pretrain(item.model).seconds if item.command[0] == "pretrain" else 0.0
            case "tokens" if item.cell:
                mixture = item.command[0] == "tokenise-mixture"
                return (self._jobs.mixture_tokens if mixture else self._jobs.wording_tokens)(item.cell).seconds
            case "wordings":
                return self._jobs.worded(item.cell).seconds
            case "tokens":
                return self._jobs.tokenise(item.task, item.model).seconds
            case "rewards":
                return self._jobs.reward(item.task, item.model, item.part).seconds
            case "search":
                return self._jobs.trial(item.cell).seconds
            case "training":
                return self._jobs.train(item.cell).seconds
            case "forms":
                return self._jobs.form(item.cell, item.command[-1]).seconds
            case "evaluation":
                return self._jobs.evaluate(item.task, item.model, item.cell.method).seconds
            case "untuned":
                return self._jobs.evaluate(item.task, item.model).seconds
            case "probes" | "forgetting":
                job = self._jobs.probes if item.stage == "probes" else self._jobs.forgetting
                task = item.task or self._first_task  # an untuned model's loss is that of all tasks
                return job(task, item.model, item.cell.method if item.cell else None).seconds
            case "baselines":
                return self._jobs.baseline(item.task).seconds
            case "domains":
                method = item.cell.method if item.cell else None
                return self._jobs.domains(item.task, item.model, method).seconds
        return 0.0
