"""Reads from files and logs what a death interrupted (stage, step, checkpoints) and where the restarted run went on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tests.deaths.studies import intervals
from tunegrid.study.cells import Cell, Run
from tunegrid.study.paths import Paths

# Messages of a command that finds another one at work on the same run, or in the same folder.
LOCKED = re.compile(r"cannot be locked|is being worked on|is at work in this folder")
SEAL = "complete.json"
STEP = re.compile(r"^step (\d+)/\d+  (loss|validation loss) ", re.MULTILINE)
GOES_ON = re.compile(r"goes on from \S*checkpoint-(\d+)")
AT_ITS_END = "the training was at its end"


@dataclass
class Seen:
    """State of a run at the moment of its death.

    Attributes:
        stage: what the run was doing.
        step: the last step that its log reports.
        sealed: step of the newest finished checkpoint; 0: there is none.
        recorded: whether its record says that the training is done, which is when checkpoints are removed.
    """

    stage: str
    step: int
    sealed: int
    recorded: bool


class RunFiles:
    """Files of one run that a user of the workflow can see."""

    def __init__(self, folder: Path, study: str, cell: Cell, seed: int = 1) -> None:
        paths, run = Paths(study, folder / "results"), Run(cell, seed)
        self.cell = cell
        self.run, self.log = paths.run(run), paths.log(f"train/{run.path}")
        self.checkpoints_of = paths.root / "checkpoints" / cell.path

    def checkpoints(self) -> list[Path]:
        """Lists finished and unfinished checkpoints, the oldest first."""
        found = self.checkpoints_of.glob("seed-*/checkpoint-*")
        return sorted(found, key=step_of)

    def sealed(self) -> list[Path]:
        """Lists finished checkpoints, the oldest first."""
        return [checkpoint for checkpoint in self.checkpoints() if (checkpoint / SEAL).is_file()]

    def status(self) -> str | None:
        """Reads the status of the training from its record; None: there is no record."""
        return status(self.run / "train.json")

    def seen(self, log: str) -> Seen:
        """Describes the state of the training whose output is `log`."""
        sealed = max(map(step_of, self.sealed()), default=0)
        step, recorded = step_reached(log), self.status() == "ok"
        return Seen(self._stage(log, sealed), step, sealed, recorded)

    def _stage(self, log: str, sealed: int) -> str:
        if (state := self.status()) == "ok":
            return "end of the training"
        saving = [file for folder in self.run.glob(".weights.*") for file in folder.iterdir()]
        if saving or (state is None and (self.run / "weights").exists()):
            return "saving"
        newest = max(map(step_of, self.checkpoints()), default=0)
        if newest > sealed:
            return "checkpoint"
        reports = STEP.findall(log)
        if not reports:
            return "start-up"
        step, loss = int(reports[-1][0]), reports[-1][1]
        evaluations, checkpoints = intervals(self.cell)
        if loss == "loss" and step % evaluations == 0:
            return "validation"
        return "checkpoint" if step % checkpoints == 0 and sealed < step else "training"


def status(record: Path) -> str | None:
    try:
        return json.loads(record.read_text())["status"]
    except FileNotFoundError:
        return None


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def step_reached(log: str) -> int:
    return max((int(step) for step, _ in STEP.findall(log)), default=0)


def went_on_from(log: str, steps: int) -> int:
    """Reads from the log the step that a restarted training of `steps` steps went on from; 0: it began anew."""
    if AT_ITS_END in log:
        return steps
    found = GOES_ON.search(log)
    return int(found[1]) if found else 0


RULE = re.compile(r"^(?:local)?(?:rule|checkpoint) (\S+):\n(?:    .*\n)*?    jobid: (\d+)", re.MULTILINE)
FINISHED = re.compile(r"^(?:Finished jobid: (\d+)|Error in rule)", re.MULTILINE)


def rules_at_work(output: str) -> list[str]:
    """Lists the rules of the jobs that began and did not finish, according to Snakemake's output."""
    begun = {number: rule for rule, number in RULE.findall(output)}
    for number in FINISHED.findall(output):
        begun.pop(number, None)
    return sorted(begun.values())


def stage_of_study(output: str) -> str:
    """Names the stages that were at work, in one word each."""
    if rules := {rule.split("_")[0] for rule in rules_at_work(output)}:
        return "+".join(sorted(rules))
    return "between jobs" if "Select jobs to execute" in output else "start-up"
