"""The rows that the tables of a study must show, from its settings."""

from __future__ import annotations

from typing import Any

from tunegrid.methods import MethodSettings
from tunegrid.results.expected import Expected, ExpectedProbe, ExpectedTask, Named
from tunegrid.study.instruction import InstructionSettings
from tunegrid.study.mixtures import mixed_names
from tunegrid.study.needs import judged_cells, ranked_cells, used_rewards
from tunegrid.study.study import Study


def expected(study: Study) -> Expected:
    """Lists the rows that the tables of a study must show, whether or not their results exist."""
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
            Named(
                name,
                study.title_of("methods", name),
                kind=_kind(method),
                described=method.described,
                mixture=isinstance(method, InstructionSettings),
            )
            for name, method in ((name, study.methods[name]) for name in study.grid.methods)
        ),
        seeds=tuple(study.seeds),
        recommend=study.recommend,
        cells=tuple((cell.task, cell.model, cell.method) for cell in study.cells()),
        search=study.search,
        mixtures={
            name: tuple(mixed_names(study, settings))
            for name in study.grid.methods
            if isinstance(settings := study.methods[name], InstructionSettings)
        },
        rewards=tuple(used_rewards(study)),
        judged={(cell.task, cell.model, cell.method): names for cell, names in judged_cells(study).items()},
        ranked=tuple((cell.task, cell.model, cell.method) for cell in ranked_cells(study)),
        forms=tuple(study.compress),
        forgetting=_forgetting(study),
        formed=tuple((cell.task, cell.model, cell.method) for cell in study.cells() if study.forms(cell)),
    )


def _forgetting(study: Study) -> str:
    if study.forgetting is None:
        return ""
    if study.forgetting.objective == "exercises":
        return "exercises of the generated world that no model was pretrained on"
    text = study.forgetting.text or "documents of the generated world that no model was pretrained on"
    return f"hidden spans of {text}"


def _kind(settings: MethodSettings) -> str:
    """The kind of method that changes the model: that of an instruction tuning is the method it is done with."""
    return settings.method.kind if isinstance(settings, InstructionSettings) else settings.kind


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
        own_primary=task.primary,
        own_judge=(task.example_metric, task.right_from),
        domains=tuple(study.tasks[name].evaluate_on),
        probes=tuple(
            ExpectedProbe(key, probes.title, tuple(probes.sides), probes.measure, probes.shows, probes.blind)
            for key, probes in study.probe_sets(name).items()
        ),
        max_new_tokens=task.settings.generation.max_new_tokens,
    )


def _hub_id(source: Any) -> str | None:
    """Its id on the Hub, and the part of a data set that is named; None for what comes from elsewhere."""
    if getattr(source, "hub_key", None) is None or source.hub_id is None:
        return None
    return " ".join(filter(None, (source.hub_id, getattr(source, "name", None))))
