"""Checks of the bias probes of a study: their tasks, their files, and that a set fits its task."""

from __future__ import annotations

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import did_you_mean
from tunegrid.common.yaml_file import KeyProblem
from tunegrid.study.study import Study


def check_probes(study: Study) -> None:
    """Checks every set of probes that the study names. Raises KeyProblem."""
    for name, settings in study.probes.items():
        if settings.task not in study.tasks:
            raise KeyProblem(
                ("probes", name, "task"), f"unknown: {settings.task!r}. {did_you_mean(settings.task, study.tasks)}"
            )
        place = ("probes", name, "set" if settings.file is None else "file")
        try:
            probes = settings.read()
        except TuneGridError as error:
            raise KeyProblem(place, str(error)) from None
        if problem := probes.problem(study.task(settings.task)):
            raise KeyProblem(place, f"cannot probe {settings.task}: {problem}")
