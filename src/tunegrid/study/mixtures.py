"""The mixtures of a study: which tasks and wordings each is made of, and what is asked of the model afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunegrid.study.cells import Cell, MixtureCell
from tunegrid.study.instruction import InstructionSettings
from tunegrid.study.study import Study
from tunegrid.tasks import Task
from tunegrid.tasks.mixture import MixedTask
from tunegrid.tasks.wordings import Wording, worded, wordings_of


def mixed_names(study: Study, settings: InstructionSettings) -> list[str]:
    """The tasks in a mixture, in the order of the grid."""
    return [task for task in study.grid.tasks if settings.tasks is None or task in settings.tasks]


def first_task(study: Study, cell: Cell) -> str:
    """The task of a cell; of a mixture, its first."""
    return mixed_names(study, settings_of(study, cell))[0] if isinstance(cell, MixtureCell) else cell.task


def settings_of(study: Study, cell: Cell) -> InstructionSettings:
    """The settings of the mixture that a cell, or its training, belongs to."""
    settings = study.method_settings(cell)
    if not isinstance(settings, InstructionSettings):
        raise TypeError(f"{cell}: {cell.method} tunes no model on several tasks")
    return settings


def mixed_tasks(study: Study, cell: MixtureCell) -> list[MixedTask]:
    """The tasks that are learnt, each with its wordings."""
    settings = settings_of(study, cell)
    return [
        MixedTask(
            name,
            study.task(name, cell.model),
            [wording.template for wording in wordings(study, name, settings) if wording.trained],
        )
        for name in mixed_names(study, settings)
    ]


def wordings(study: Study, task: str, settings: InstructionSettings) -> list[Wording]:
    """All wordings of a task, those of the training first; of a task that is held out none was trained."""
    held_out = task not in mixed_names(study, settings)
    found = wordings_of(study.tasks[task].kind, settings.wordings.get(task))
    return [Wording(one.name, one.template, one.trained and not held_out) for one in found]


def cell_wordings(study: Study, cell: Cell) -> list[Wording]:
    """All wordings of a cell's task in the mixture that the cell belongs to."""
    return wordings(study, cell.task, settings_of(study, cell))


def cell_task(study: Study, cell: Cell) -> Task:
    """The task of a cell as its model is asked: by the family's prompt, or in the first wording of its mixture."""
    task = study.task(cell.task, cell.model)
    if not study.is_shared(cell):
        return task
    return worded(task, cell_wordings(study, cell)[0].template)


def test_tokens(study: Study, cell: Cell) -> Path:
    """The token ids of the test rows as a cell's model is asked."""
    if not study.is_shared(cell):
        return study.paths.tokens(cell.task, cell.model) / "test.arrow"
    folder = study.paths.wording_tokens(cell.task, cell.model, cell.method)
    return folder / f"{cell_wordings(study, cell)[0].name}.arrow"


def text_settings(study: Study, task: str, model: str) -> dict[str, Any]:
    """What alters the tokens of a task's rows under a given template."""
    settings, bound = study.tasks[task], study.task(task, model)
    return {
        "prompt_fields": bound.prompt_fields(),
        "max_source_length": settings.max_source_length,
        "max_target_length": settings.max_target_length,
        **settings.model_dump(include=set(settings.tokens_depend_on)),
    }


def mixture_settings(study: Study, cell: MixtureCell) -> dict[str, Any]:
    """What alters the tokens of a mixture, beside the rows of its tasks and the model's tokenizer."""
    settings = settings_of(study, cell)
    return {
        "mixing": settings.mixing,
        "limit": settings.limit,
        "tasks": {
            mixed.name: {"wordings": list(mixed.templates), **text_settings(study, mixed.name, cell.model)}
            for mixed in mixed_tasks(study, cell)
        },
    }


def wording_settings(study: Study, cell: Cell) -> dict[str, Any]:
    """What alters the tokens of a task's test rows in the wordings of a mixture."""
    found = cell_wordings(study, cell)
    return {"wordings": {one.name: one.template for one in found}, **text_settings(study, cell.task, cell.model)}
