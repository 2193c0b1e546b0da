"""The files that the needs of a cell's method are: runs of other methods, preference pairs, files of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunegrid.common.fields import did_you_mean
from tunegrid.common.yaml_file import KeyProblem, Place, require_known
from tunegrid.methods import Method
from tunegrid.methods.needs import Need, OtherRun, PreferencePairs, TrainedReward
from tunegrid.study.cells import Cell, Run
from tunegrid.study.study import Study


def needed_files(study: Study, run: Run) -> list[Path]:
    """All that the training of a run reads for its method, as inputs of its rule; the seed may be a wildcard."""
    return [file for need in study.method(run.cell).needs() for file in files_of(study, run, need)]


def files_of(study: Study, run: Run, need: Need) -> list[Path]:
    """The files and folders that a need of a run's method is; the record or card is the first."""
    paths, cell = study.paths, run.cell
    match need:
        case OtherRun(method):
            folder = paths.run(Run(Cell(cell.task, cell.model, method), run.seed))
            return [folder / "train.json", folder / "weights"]
        case PreferencePairs(name):
            place = pairs_place(study, cell.task, cell.model, name)
            return [paths.pairs_card(*place), *paths.pair_splits(*place)]
        case TrainedReward(name):
            folder = paths.reward(cell.task, cell.model, name)
            return [folder / "reward.json", folder / "weights"]
        case _:
            return [need]


def pairs_place(study: Study, task: str, model: str, name: str) -> tuple[str, str, str | None]:
    """(task, name, the model or None) by which `Paths` knows the pairs that a model of a task learns from."""
    return task, name, model if study.preferences[name].of_model else None


def sampled_from(study: Study, task: str, model: str, name: str) -> Run:
    """The run that samples the answers of pairs: that of the first seed."""
    return Run(Cell(task, model, study.preferences[name].source.start), study.seeds[0])


def needed_names(study: Study, cell: Cell, kind: type[PreferencePairs | TrainedReward]) -> list[str]:
    """Names in the study of what a cell's method needs of one kind."""
    return [need.name for need in study.method(cell).needs() if isinstance(need, kind)]


def used_pairs(study: Study) -> list[tuple[str, str, str | None]]:
    """Places, see `pairs_place`, of all pairs that the cells of the grid, or their reward models, need, each once."""
    pairs = _used(study, PreferencePairs)
    pairs += [(task, model, study.rewards[name].pairs) for task, model, name in used_rewards(study)]
    return list(dict.fromkeys(pairs_place(study, *names) for names in pairs))


def used_rewards(study: Study) -> list[tuple[str, str, str]]:
    """(task, model, name) of all reward models that the cells of the grid need, each once."""
    return list(dict.fromkeys(_used(study, TrainedReward)))


def _used(study: Study, kind: type[PreferencePairs | TrainedReward]) -> list[tuple[str, str, str]]:
    return [(cell.task, cell.model, name) for cell in study.cells() for name in needed_names(study, cell, kind)]


def sources(study: Study) -> Iterator[tuple[Place, Any]]:
    """Yields every source of rows, weights and preference pairs that the grid uses, with its place in the study."""
    for name in study.grid.tasks:
        yield ("tasks", name, "source"), study.tasks[name].source
        for domain, source in study.tasks[name].evaluate_on.items():
            yield ("tasks", name, "evaluate_on", domain), source
    for name in study.grid.models:
        yield ("models", name, "source"), study.models[name].source
    for name in dict.fromkeys(name for _, name, _ in used_pairs(study)):
        yield ("preferences", name, "source"), study.preferences[name].source


def judged_cells(study: Study) -> dict[Cell, tuple[str, str]]:
    """Cell -> (method that it starts from, its reward model), of the cells of the grid that have both."""
    found = {}
    for cell in study.cells():
        starts = [need.method for need in study.method(cell).needs() if isinstance(need, OtherRun)]
        rewards = needed_names(study, cell, TrainedReward)
        if starts and rewards:
            found[cell] = (starts[0], rewards[0])
    return found


def ranked_cells(study: Study) -> list[Cell]:
    """Cells, of the judged ones, that learn from sampled pairs, which the task's own score ranked.

    They learn from the pairs themselves or, where they need none, from a reward model of such pairs.
    """
    found = []
    for cell, (_, reward) in judged_cells(study).items():
        names = needed_names(study, cell, PreferencePairs) or [study.rewards[reward].pairs]
        if any(study.preferences[name].of_model for name in names):
            found.append(cell)
    return found


def check_needs(study: Study) -> None:
    """Checks that what the methods and reward models need by name is in the study. Raises KeyProblem."""
    for name, reward in study.rewards.items():
        require_known(("rewards", name, "pairs"), reward.pairs, study.preferences)
        if reward.training.select_by == "metric":
            raise KeyProblem(("rewards", name, "training", "select_by"), "a reward model has no metric of the task")
    for cell in study.cells():
        method = study.method(cell)
        for need in method.needs():
            if study.is_shared(cell) and not isinstance(need, Path):
                raise KeyProblem(
                    ("methods", cell.method, "method"),
                    "one model of several tasks has neither a start nor preferences of its own: name a method without",
                )
            place = ("methods", cell.method)
            if isinstance(need, PreferencePairs):
                require_known((*place, "pairs"), need.name, study.preferences)
            if isinstance(need, TrainedReward):
                require_known((*place, "reward"), need.name, study.rewards)
            for name in _pairs_of(study, need):
                source = study.preferences[name].source
                if study.preferences[name].of_model and (problem := _start_problem(study, cell, source.start)):
                    raise KeyProblem(("preferences", name, "source", "from"), problem)
            if isinstance(need, OtherRun) and (problem := _start_problem(study, cell, need.method)):
                raise KeyProblem((*place, "sft"), problem)


def _pairs_of(study: Study, need: Need) -> list[str]:
    """The names of the pairs that a need comes to."""
    if isinstance(need, TrainedReward):
        return [study.rewards[need.name].pairs]
    return [need.name] if isinstance(need, PreferencePairs) else []


def _start_problem(study: Study, cell: Cell, name: str) -> str | None:
    """Why a cell cannot start from the run of another method; None: it can."""
    if name not in study.grid.methods:
        return f"unknown: {name!r}. It has to be a method of the grid. {did_you_mean(name, study.grid.methods)}"
    start = Cell(cell.task, cell.model, name)
    if start not in study.cells():
        return f"{cell} starts from {start}, which is no cell of the grid: grid.exclude leaves it out. Leave both out"
    if study.is_shared(start):
        return f"{name} tunes one model on several tasks, in wordings of its own: name a method that tunes on one task"
    if any(isinstance(need, OtherRun) for need in study.method(start).needs()):
        return f"{name} starts from another run itself: name a method that starts from the pretrained model"
    if type(study.method(start)).merge is Method.merge:
        return f"{name} is never merged into a plain model, which is what {cell.method} starts from"
    return None
