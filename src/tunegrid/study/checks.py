"""Checks of a study that need more than one key: names that are not defined, families, prompts.

Each raises `KeyProblem`: the place in the configuration, and what is wrong there.
"""

from __future__ import annotations

from collections.abc import Iterable
from string import Formatter
from typing import TYPE_CHECKING

from tunegrid.common.settings import did_you_mean
from tunegrid.common.yaml_file import KeyProblem, Place
from tunegrid.models import FAMILIES
from tunegrid.tasks import TASKS

if TYPE_CHECKING:
    from tunegrid.study.study import Study


def check_known(name: str, known: Iterable[str], place: Place) -> None:
    if name not in known:
        raise KeyProblem(place, f"unknown: {name!r}. {did_you_mean(name, known)}")


def check_families(study: Study) -> None:
    """Whether the study's own families are new ones, and every model's family is known and can be had."""
    for name, family in study.families.items():
        if name in FAMILIES:
            raise KeyProblem(("families", name), "this name is taken by a family that comes with the project")
        for part in ("prompts", "label_words"):
            for kind in getattr(family, part):
                check_known(kind, TASKS, ("families", name, part, kind))
    for name, model in study.models.items():
        makes, place = model.source.families, ("models", name, "family")
        check_known(model.family, study.known_families(), place)
        if makes is not None and model.family not in makes:
            reason = f"a source of the kind {model.source.kind} makes no {model.family}. Valid: {', '.join(makes)}"
            raise KeyProblem(place, reason)


def check_prompt(study: Study, name: str, model: str) -> None:
    """Whether a task has a prompt for a model that uses only what a row has, and words that tell its labels apart."""
    task, family = study.task(name, model), study.family(model).name
    place: Place = ("tasks", name, "prompts")
    for known in task.settings.prompts:
        check_known(known, study.known_families(), (*place, known))
    if family in task.settings.prompts:
        place = (*place, family)
    elif family in study.families:
        place = ("families", family, "prompts", task.settings.kind)
    words = [task.word(label) for label in task.labels() or ()]
    if len(set(words)) < len(words):
        raise KeyProblem(("tasks", name, "labels"), f"two labels have the same word in the family {family}: {words}")
    template = task.prompt(family)
    if template is None:
        raise KeyProblem(place, f"required: the family {family} has no prompt of its own for {task.settings.kind}")
    try:
        used = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise KeyProblem(place, f"not a valid template: {error} (found {template!r})") from None
    for field in used:
        check_known(field, [*task.source_columns, *task.prompt_fields()], place)
    if task.cuttable not in used:
        raise KeyProblem(place, f"the template does not use {{{task.cuttable}}} (found {template!r})")
