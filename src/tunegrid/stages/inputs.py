"""What the needs of a method come to: the tuned model of another run, preference pairs. Each is checked before use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import read_object
from tunegrid.data.parquet import read_parquet
from tunegrid.methods import Method
from tunegrid.methods.needs import Inputs, OtherRun, PreferencePairs, TrainedReward
from tunegrid.models.seal import check_weights
from tunegrid.results.records import RewardRecord, TrainRecord, read_record
from tunegrid.stages.subject import check_run
from tunegrid.study.cells import Cell, Run
from tunegrid.study.needs import files_of, pairs_place
from tunegrid.study.study import Study
from tunegrid.tasks.pairs import PairRows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tunegrid.models.reward import RewardModel


class UnusableInput(Exception):
    """A run cannot be trained, because something that it needs has failed; the message says what and why."""


@dataclass(frozen=True)
class RunModel:
    """The tuned model of a run, see `methods.needs.OtherRun`."""

    cell: Cell
    method: Method
    weights: Path

    def load(self, base: Path) -> PreTrainedModel:
        model = self.method.merge(self.method.load(base, self.weights))
        if model is None:
            raise TuneGridError(f"{self.cell} cannot be merged into a plain model, from which another run could start.")
        # Merging leaves the base's parameters frozen.
        return model.requires_grad_(True)


def open_inputs(study: Study, run: Run, method: Method) -> Inputs:
    """The values of a method's needs that are no files.

    Raises:
        UnusableInput: a run that is needed has failed.
        TuneGridError: something that is needed is not there, or is not what its record says.
    """
    found: Inputs = {}
    for need in method.needs():
        for path in files_of(study, run, need):
            if not path.exists():
                raise TuneGridError(f"{path}: missing, but {run.cell} is trained with it.{_remedy(study, run, need)}")
        if isinstance(need, OtherRun):
            found[need] = run_model(study, Run(Cell(run.cell.task, run.cell.model, need.method), run.seed))
        elif isinstance(need, PreferencePairs):
            found[need] = open_pairs(study, run.cell.task, run.cell.model, need.name)
        elif isinstance(need, TrainedReward):
            found[need] = reward_loader(study, run.cell.task, run.cell.model, need.name)
    return found


def open_pairs(study: Study, task: str, model: str, name: str) -> PairRows:
    """Preference pairs that were fetched or sampled.

    Raises:
        UnusableInput: they could not be sampled.
        TuneGridError: they are not there.
    """
    place = pairs_place(study, task, model, name)
    for file in (study.paths.pairs_card(*place), *study.paths.pair_splits(*place)):
        if not file.is_file():
            raise TuneGridError(f"{file}: no such file. Write it first: {_pairs_command(place)}")
    if reason := read_object(study.paths.pairs_card(*place)).get("reason"):
        raise UnusableInput(f"it needs the pairs {name}, of which there are none: {reason}")
    rows = {file.stem: read_parquet(file) for file in study.paths.pair_splits(*place)}
    return PairRows(study.preferences[name], rows)


def reward_loader(study: Study, task: str, model: str, name: str) -> Callable[[], RewardModel]:
    """A function that loads a reward model, whose files are checked here.

    Raises:
        UnusableInput: its training failed.
        TuneGridError: its files are not those that its record lists.
    """
    folder = study.paths.reward(task, model, name)
    record = read_record(folder / "reward.json", RewardRecord, task=task, model=model, reward=name)
    if record.status != "ok":
        raise UnusableInput(f"it needs the reward model {name}, which is {record.status}: {record.reason}")
    again = f"Train it again: tunegrid train-reward CONFIG --task {task} --model {model} --reward {name}"
    check_weights(folder / "weights", record.weights, folder / "reward.json", again)

    def load() -> RewardModel:
        from tunegrid.models.reward import load_reward_model

        return load_reward_model(folder / "weights")

    return load


def fingerprints(study: Study, run: Run) -> list[object]:
    """What tells the inputs of a run's method from others of the same names: a checkpoint is of these alone."""
    found: list[object] = []
    for need in study.method(run.cell).needs():
        first = files_of(study, run, need)[0]
        if isinstance(need, OtherRun):
            found.append(read_record(first, TrainRecord).weights)
        elif isinstance(need, PreferencePairs):
            found.append(read_object(first).get("fingerprint"))
        elif isinstance(need, TrainedReward):
            found.append(read_record(first, RewardRecord).weights)
    return found


def run_model(study: Study, run: Run) -> RunModel:
    """The tuned model of a run, whose files are checked here.

    Raises:
        UnusableInput: its training failed.
        TuneGridError: its files are not those that its record lists.
    """
    file = study.paths.run(run) / "train.json"
    record = read_record(file, TrainRecord, **run.names)
    if record.status != "ok":
        raise UnusableInput(f"it starts from {run.cell}, seed {run.seed}, which is {record.status}: {record.reason}")
    check_run(study, run, file.parent, record)
    return RunModel(run.cell, study.method(run.cell), file.parent / "weights")


def _pairs_command(place: tuple[str, str, str | None]) -> str:
    task, name, model = place
    command, of = ("sample-pairs", f"--model {model} ") if model else ("fetch-pairs", "")
    return f"tunegrid {command} CONFIG --task {task} {of}--pairs {name}"


def _remedy(study: Study, run: Run, need: object) -> str:
    cell = run.cell
    if isinstance(need, OtherRun):
        names = f"--task {cell.task} --model {cell.model} --method {need.method} --seed {run.seed}"
        return f" Make it first: tunegrid train CONFIG {names}"
    if isinstance(need, PreferencePairs):
        return f" Make it first: {_pairs_command(pairs_place(study, cell.task, cell.model, need.name))}"
    if isinstance(need, TrainedReward):
        return (
            f" Make it first: tunegrid train-reward CONFIG --task {cell.task} --model {cell.model} --reward {need.name}"
        )
    return ""
