"""What a user types: at first, and again after a death. Nothing else here says how a study is started."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support import ROOT
from tunegrid.study.cells import Cell


def stages(cell: Cell, config: str = "runs.yaml", seed: int = 1) -> list[list[str]]:
    """A single run by hand, first and again: the command that died is typed again, and then the next."""
    names = ["--task", cell.task, "--model", cell.model, "--method", cell.method, "--seed", str(seed)]
    return [["tunegrid", stage, config, *names] for stage in ("train", "evaluate")]


def downloads(config: str = "hub.yaml") -> list[list[str]]:
    """What a study fetches, first and again."""
    return [
        ["tunegrid", "fetch-model", config, "--model", "t5"],
        ["tunegrid", "fetch-data", config, "--task", "sentiment"],
    ]


def study(configs: tuple[str, ...] = ("runs.yaml", "whole.yaml")) -> list[str]:
    """A whole study, the first time."""
    return ["snakemake", "--cores", "2", "--configfile", *configs]


def study_again(configs: tuple[str, ...] = ("runs.yaml", "whole.yaml")) -> list[str]:
    """A whole study after a death: what the README says to type, in a folder that `clone` has made one to type it in."""
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
    """A cell on a cluster, first and again: what the profile says, but looking at the jobs more often."""
    often = "--slurm-init-seconds-before-status-checks 3 --seconds-between-status-checks 3 --latency-wait 20".split()
    return ["snakemake", "--profile", "slurm", *often, cell.target, "--configfile", "runs.yaml"]
