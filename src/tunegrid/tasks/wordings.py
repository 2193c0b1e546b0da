"""Wordings of instructions: several templates that ask for the same thing, some to train with, some only to test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import yaml
from pydantic import Field

from tunegrid.common.fields import Closed, Text
from tunegrid.common.package_data import wordings_folder
from tunegrid.tasks.base import Task

MOST_WORDINGS = 100  # of each of the two lists


class Wordings(Closed):
    """The wordings of a task: templates over the columns of its rows, as prompts are."""

    train: list[Text] | None = Field(
        None,
        min_length=1,
        max_length=MOST_WORDINGS,
        description="Those that a mixture is trained with; the first is that of the scores and of `predict`.",
    )
    unseen: list[Text] | None = Field(
        None, max_length=MOST_WORDINGS, description="Those that no training has: they test how much the words matter."
    )


@dataclass(frozen=True)
class Wording:
    """A wording with its name in files and tables: `train-1`, `unseen-2`."""

    name: str
    template: str
    trained: bool


@cache
def shipped_wordings(kind: str) -> Wordings:
    """The wordings that come with the project for a kind of task; none where it has no file."""
    file = wordings_folder() / f"{kind}.yaml"
    return Wordings.model_validate(yaml.safe_load(file.read_text(encoding="utf-8"))) if file.is_file() else Wordings()


def wordings_of(kind: str, own: Wordings | None) -> list[Wording]:
    """The wordings of a task, the trained ones first: its own, and where it gives none those of its kind."""
    listed = shipped_wordings(kind).model_dump() | (own or Wordings()).model_dump(exclude_none=True)
    return [
        Wording(f"{part}-{number}", template, part == "train")
        for part, templates in listed.items()
        for number, template in enumerate(templates or (), start=1)
    ]


def worded(task: Task, template: str) -> Task:
    """The same task asked for in other words; it has to be bound to a family of models."""
    prompts = {**task.settings.prompts, task.family.name: template}
    return type(task)(task.settings.model_copy(update={"prompts": prompts}), task.family)
