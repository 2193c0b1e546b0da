"""Checks of what a model reads and writes in words: prompts, and the words of labels."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from string import Formatter

from tunegrid.common.fields import did_you_mean
from tunegrid.common.yaml_file import KeyProblem, Place, require_known
from tunegrid.study.study import Study
from tunegrid.tasks import Task


def check_prompts(study: Study) -> None:
    """Checks every prompt that the study gives, used or not, and that each pair of a task and a model has one.

    Raises:
        KeyProblem: a prompt names what a row does not have, would alter its text, or leaves out its text; or two
            labels of a task are the same to a model.
    """
    for place, template, task in _given(study):
        check_template(place, template, task)
    for name in study.grid.tasks:
        for model in study.grid.models:
            task, family = study.task(name, model), study.family(model).name
            if (template := task.prompt(family)) is None:
                own: Place = ("families", family, "prompts", task.settings.kind)
                raise KeyProblem(
                    own if family in study.families else ("tasks", name, "prompts"),
                    f"required: the family {family} has no prompt of its own for {task.settings.kind}",
                )
            check_template(("tasks", name, "prompts"), template, task)
            _check_words(("tasks", name, "labels"), task, family)


def _given(study: Study) -> Iterator[tuple[Place, str, Task]]:
    """Yields each prompt of the configuration with its place and a task that it is for."""
    for name, settings in study.tasks.items():
        task = study.task(name)
        for family, template in settings.prompts.items():
            place = ("tasks", name, "prompts", family)
            require_known(place, family, study.known_families())
            yield place, template, task
        for family in study.families.values():
            if (template := family.prompts.get(settings.kind)) is not None:
                yield ("families", family.name, "prompts", settings.kind), template, task


def check_template(place: Place, template: str, task: Task) -> None:
    """Raises KeyProblem if a template names what a row does not have, would alter its text, or leaves out its text."""
    try:
        fields = [parts[1:] for parts in Formatter().parse(template) if parts[1] is not None]
    except ValueError as error:
        raise KeyProblem(place, f"not a valid template: {error} (found {template!r:.200})") from None
    known = [*task.source_columns, *task.prompt_fields()]
    for field, form, conversion in fields:
        if field not in known:
            raise KeyProblem(place, f"unknown: {field!r:.80}. {did_you_mean(field, known)}")
        if form or conversion:
            # A text may be cut in one place alone: where what is lost is counted.
            raise KeyProblem(
                place,
                f"a format or conversion would alter the text: write {{{field}}} alone (found {template!r:.200})",
            )
    if task.truncatable not in {field for field, *_ in fields}:
        raise KeyProblem(place, f"the template does not use {{{task.truncatable}}} (found {template!r:.200})")


def _check_words(place: Place, task: Task, family: str) -> None:
    """Checks that no two labels are the same to a vocabulary, which may fold case and forms of a character."""
    seen: dict[str, str] = {}
    for label in task.labels() or ():
        word = task.word(label)
        folded = unicodedata.normalize("NFKC", word).casefold()
        if folded in seen:
            other = seen[folded]
            raise KeyProblem(
                place,
                f"two labels have the same word in the family {family}, or words that differ in case alone: "
                f"{other} and {label} ({task.word(other)!r}, {word!r})",
            )
        seen[folded] = label
