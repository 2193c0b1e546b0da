"""Checks of the mixtures of a study: their tasks, their wordings, and what cannot be had of a shared training."""

from __future__ import annotations

from tunegrid.common.fields import did_you_mean
from tunegrid.common.yaml_file import KeyProblem, require_known
from tunegrid.study.cells import MIXTURES
from tunegrid.study.instruction import InstructionSettings
from tunegrid.study.mixtures import mixed_names, wordings
from tunegrid.study.prompts import check_template
from tunegrid.study.study import Study
from tunegrid.tasks.wordings import wordings_of


def check_mixtures(study: Study) -> None:
    """Checks every instruction tuning of the study, used or not.

    Raises:
        KeyProblem: it names a task that the grid does not have, a task has no wording or one that does not fit its
            rows, or an override or a search asks for another training of each task.
    """
    shared = {name: value for name, value in study.methods.items() if isinstance(value, InstructionSettings)}
    if not shared:
        return
    if MIXTURES in study.tasks:
        raise KeyProblem(("tasks", MIXTURES), "this name is taken by what instruction tuning trains; take another")
    for name, settings in shared.items():
        _check_tasks(study, name, settings)
        _check_wordings(study, name, settings)
    for number, override in enumerate(study.overrides):
        if override.where.task is not None and override.where.method in shared:
            raise KeyProblem(
                ("overrides", number, "where", "task"),
                f"{override.where.method} trains one model for all its tasks: leave `task` out",
            )
    if used := [name for name in study.grid.methods if name in shared and study.search]:
        raise KeyProblem(
            ("search",),
            f"the learning rate of a mixture ({used[0]}) is not searched for: choose it on validation rows, and put "
            "the methods that are searched into a study of their own",
        )


def _check_tasks(study: Study, name: str, settings: InstructionSettings) -> None:
    for number, task in enumerate(settings.tasks or ()):
        if task not in study.grid.tasks:
            place = ("methods", name, "tasks", number)
            raise KeyProblem(place, f"unknown: {task!r} is no task of the grid. {did_you_mean(task, study.grid.tasks)}")
    for task in settings.wordings:
        require_known(("methods", name, "wordings", task), task, study.tasks)


def _check_wordings(study: Study, name: str, settings: InstructionSettings) -> None:
    for task, own in settings.wordings.items():
        for part in ("train", "unseen"):
            for number, template in enumerate(getattr(own, part) or ()):
                check_template(("methods", name, "wordings", task, part, number), template, study.task(task))
    mixed = mixed_names(study, settings)
    for task in study.grid.tasks:
        kind, place = study.tasks[task].kind, ("methods", name, "wordings", task)
        found = wordings_of(kind, settings.wordings.get(task))
        if not found or (task in mixed and not found[0].trained):
            what = "train" if task in mixed else "unseen"
            raise KeyProblem(
                ("methods", name, "wordings"),
                f"{task} has no wording: none come with the project for the kind {kind}. Give some: "
                f'wordings: {{{task}: {{{what}: ["…"]}}}}',
            )
        seen: dict[str, str] = {}
        for wording in wordings(study, task, settings):
            check_template(place, wording.template, study.task(task))
            if (other := seen.setdefault(wording.template, wording.name)) != wording.name:
                raise KeyProblem(place, f"{other} and {wording.name} are the same wording")
