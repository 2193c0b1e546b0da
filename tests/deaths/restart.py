"""The commands that a user types, at first and again after a death: no other module here says how a study is started."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support import ROOT
from tunegrid.study.cells import Cell


def stages(cell: Cell, config: str = "runs.yaml", seed: int = 1) -> list[list[str]]:
    """Returns the commands of a single run, at first and again: after a death the user repeats the one that died, then the next."""
    names = ["--task", cell.task, "--model", cell.model, "--method", cell.method, "--seed", str(seed)]
    return [["tunegrid", stage, config, *names] for stage in ("train", "evaluate")]


def preferences(model: str, config: str = "techniques.yaml") -> list[list[str]]:
    """Returns the commands from preference pairs to the judgements of runs of DPO and PPO, at first and again."""
    names = ["--task", "translation", "--model", model]
    commands = [["fetch-pairs", config, *names[:2], "--pairs", "worse"]]
    commands.append(["train-reward", config, *names, "--reward", "judge"])
    for method in ("dpo", "ppo"):
        run = [config, *names, "--method", method, "--seed", "1"]
        commands += [[stage, *run] for stage in ("train", "evaluate", "judge")]
    return [["tunegrid", *command] for command in commands]


def instruction(model: str, config: str = "techniques.yaml") -> list[list[str]]:
    """Returns the commands from the tokens of a mixture to the answers to its wordings, at first and again."""
    names = [config, "--model", model, "--method", "instruct"]
    commands = [["tokenise-mixture", *names], ["train-mixture", *names, "--seed", "1"]]
    for task in ("translation", "qa"):
        own = [*names, "--task", task]
        commands += [["share-training", *own, "--seed", "1"], ["tokenise-wordings", *own]]
        commands += [[stage, *own, "--seed", "1"] for stage in ("evaluate", "evaluate-wordings")]
    return [["tunegrid", *command] for command in [*commands, ["evaluate-wordings", *own]]]


def downloads(config: str = "hub.yaml") -> list[list[str]]:
    """Returns the commands that fetch a model and a data set, at first and again."""
    return [
        ["tunegrid", "fetch-model", config, "--model", "t5"],
        ["tunegrid", "fetch-data", config, "--task", "sentiment"],
    ]


def study(configs: tuple[str, ...] = ("runs.yaml", "whole.yaml")) -> list[str]:
    """Returns the command of a whole study, the first time."""
    return ["snakemake", "--cores", "2", "-p", "--configfile", *configs]


def study_again(configs: tuple[str, ...] = ("runs.yaml", "whole.yaml")) -> list[str]:
    """Returns the command that the README gives for a study that was interrupted; `clone` prepares the folder for it."""
    return ["make", "resume", f"CONFIG={' '.join(configs)}", "CORES=2"]


def clone(folder: Path) -> None:
    """Makes a folder look like a clone in which `make setup` was done, in the environment that runs this."""
    names = ("Makefile", "Snakefile", "workflow", "slurm", "environment.yml", "requirements.txt", "pyproject.toml")
    for name in names:
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv/.ready").touch()


def on_slurm(cell: Cell) -> list[str]:
    """Returns the command of a cell on a cluster, at first and again: the profile, with more frequent looks at the jobs."""
    frequent = "--slurm-init-seconds-before-status-checks 3 --seconds-between-status-checks 3 --latency-wait 20".split()
    return ["snakemake", "--profile", "slurm", "-p", *frequent, cell.target, "--configfile", "runs.yaml"]
