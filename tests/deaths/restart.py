"""What a user types: at first, and again after a death. Nothing else here says how a study is started."""

from __future__ import annotations

import sys
from pathlib import Path

from tunegrid.cells import Cell

ROOT = Path(__file__).parents[2]


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


def workflow(*more: str, configs: tuple[str, ...] = ("runs.yaml", "whole.yaml")) -> list[str]:
    snakefile = ["--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    return [sys.executable, "-m", "snakemake", *snakefile, *more, "--configfile", *configs]


def study() -> list[list[str]]:
    """A whole study, the first time."""
    return [workflow()]


def study_again() -> list[list[str]]:
    """A whole study after a death."""
    return [workflow("--unlock"), workflow("--rerun-incomplete")]


def on_slurm(cell: Cell) -> list[str]:
    """A cell on a cluster, first and again: what the profile says, but looking at the jobs more often."""
    often = "--slurm-init-seconds-before-status-checks 3 --seconds-between-status-checks 3 --latency-wait 20".split()
    profile = ["--snakefile", str(ROOT / "Snakefile"), "--profile", str(ROOT / "slurm")]
    return [sys.executable, "-m", "snakemake", *profile, *often, cell.target, "--configfile", "runs.yaml"]
