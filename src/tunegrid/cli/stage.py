"""What the command of a stage is: its target, checked against the study, and how it is carried out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from tunegrid.cli.command import known, prepare_to_compute
from tunegrid.common.errors import TuneGridError
from tunegrid.runtime.provenance import digest
from tunegrid.study.cells import Cell, MixtureCell
from tunegrid.study.needs import judged_cells
from tunegrid.study.study import Study


@dataclass(frozen=True)
class Stage:
    """The command of a rule.

    Attributes:
        module: where its function is, in `tunegrid.stages`.
        target: what it makes, as names of `checked`; each is a required option, "cell" is three.
        settings: what alters its result, given the study and the target.
        run: does the work, given the module, the study, the options and the target.
        computes_on: "cpu", or "device" if a model computes on the study's device; None: it imports nothing heavy.
        died: writes the result of a process that died, given the module, the study, the reason, the time of its start
            and the target. A stage that has it runs in a supervised process and is tried several times; `supervised`
            has its title.
    """

    command: str
    text: str
    module: str
    target: list[str]
    settings: Callable[..., dict[str, Any]] | None
    run: Callable[..., object]
    computes_on: Literal["cpu", "device"] | None = None
    died: Callable[..., object] | None = None

    def load(self) -> ModuleType:
        return import_module(f"tunegrid.stages.{self.module}")

    def checked_target(self, study: Study, options: argparse.Namespace) -> list[Any]:
        """The values of the options that name the target.

        Raises:
            TuneGridError: the study has no such target, or other settings than when the workflow started. A workflow
                that runs for days must not mix two versions of its configuration.
        """
        if self.module == "search" and study.search is None:
            files = ", ".join(options.config)
            raise TuneGridError(f"{files}: search: not given, so the study searches no learning rates.")
        target = [checked(name, study, options) for name in self.target]
        if self.settings and options.settings and options.settings != digest(self.settings(study, *target)):
            raise TuneGridError(
                f"{', '.join(options.config)}: its settings for this job have changed since the workflow started. "
                "Start the workflow again; it will run again what the change touches."
            )
        return target

    def __call__(self, study: Study, options: argparse.Namespace) -> None:
        target = self.checked_target(study, options)
        if self.computes_on:
            prepare_to_compute(study, model=self.computes_on == "device")
        self.run(self.load(), study, options, *target)

    def record_death(self, study: Study, options: argparse.Namespace, reason: str, started: str) -> None:
        self.died(self.load(), study, reason, started, *self.checked_target(study, options))


def checked(name: str, study: Study, options: argparse.Namespace) -> Any:
    """The value of an option, or the cell of three; raises TuneGridError if the study does not have it."""
    match name:
        case "task":
            return known(options.task, study.grid.tasks, "task")
        case "model":
            return known(options.model, study.grid.models, "model")
        case "cell":
            return known(Cell(options.task, options.model, options.method), study.cells(), "cell (task_model_method)")
        case "mixture":
            mixture = MixtureCell.of(options.model, options.method)
            return known(mixture, study.trainings(), "mixture (mixture_model_method)")
        case "shared":
            cell = checked("cell", study, options)
            if not study.is_shared(cell):
                raise TuneGridError(f"{cell}: {cell.method} is no instruction tuning, so it has no wordings to share.")
            return cell
        case "judged":
            given = Cell(options.task, options.model, options.method)
            return known(given, list(judged_cells(study)), "cell with a start and a reward model (task_model_method)")
        case "seed":
            return known(options.seed, study.seeds, "seed")
        case "factor":
            return known(options.factor, study.search.trials, "factor of the search")
        case "pairs" | "sampled":
            pairs = known(options.pairs, study.preferences, "pairs (under `preferences`)")
            if study.preferences[pairs].of_model != (name == "sampled"):
                command = "fetch-pairs" if name == "sampled" else "sample-pairs"
                raise TuneGridError(f"preferences.{pairs}: tunegrid {command} makes these pairs, of this source.")
            return pairs
        case "reward":
            return known(options.reward, study.rewards, "reward model (under `rewards`)")
        case "domain":
            return known(options.domain, study.tasks[options.task].evaluate_on, "domain of this task")
        case "form":
            return known(options.form, study.forms(checked("cell", study, options)), "such form of this cell")
        case "name":
            return known(options.name, study.task(options.task).baselines(), "baseline")
    raise ValueError(name)
