"""Start-up of each stage, and the whole mini study: what of its time is computing."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from peers import measure
from peers.work import REPOSITORY, Work, run


def start_up(one: Work, repeats: int) -> Iterator[dict[str, Any]]:
    """Seconds of a command that are not its work: the interpreter, imports, reading the study, data and model.

    Of the first three stages nobody times the work apart: with the mini study's 9,500 rows it is part of their seconds.
    """
    task, model = ("--task", one.task), ("--model", one.model)
    stages = {
        "check": (None, lambda: timed(one, "check")),
        "fetch-data, all of it": (None, lambda: timed(one, "fetch-data", *task)),
        "fetch-model, all of it": (None, lambda: timed(one, "fetch-model", *model)),
        "tokenise, all of it": (None, lambda: timed(one, "tokenise", *task, *model)),
        "train": ("full", lambda: measure.train(one, "full")),
        "evaluate": ("full", lambda: measure.evaluate(one, "full")),
    }
    for stage, (method, call) in stages.items():
        walls = []
        for _ in range(repeats):
            result = call()
            walls.append(result if method is None else result.wall - result.seconds)
        yield {"stage": stage, "side": "tunegrid", "seconds": median(walls)}


def timed(one: Work, *arguments: str) -> float:
    began = time.perf_counter()
    run(one.command(*arguments), one.folder)
    return time.perf_counter() - began


def mini(folder: Path) -> Iterator[dict[str, Any]]:
    """The mini study in an empty folder, as `snakemake --cores all` runs it; seconds of its stages, over all jobs."""
    wall = run_study(folder)
    results = folder / "results" / "mini"
    computing = computed(results)
    pure = sum(computing.values())
    cores = os.cpu_count() or 1
    yield {"stage": "whole study, wall", "side": "tunegrid", "seconds": wall}
    for stage, seconds in computing.items():
        yield {"stage": f"{stage}, computing, all jobs", "side": "tunegrid", "seconds": seconds}
    yield {"stage": f"computing / {cores} cores", "side": "tunegrid", "seconds": pure / cores}
    yield {"stage": "wall x cores / computing", "side": "tunegrid", "seconds": wall * cores / pure}
    for rule, seconds in jobs(results).items():
        yield {"stage": f"rule {rule}, wall, all jobs", "side": "tunegrid", "seconds": seconds}


def run_study(folder: Path, *overlays: Path) -> float:
    """Runs the mini study, with files laid over it, in a folder; returns its wall seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "all"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    configs = [str(REPOSITORY / "config" / "mini.yaml"), *map(str, overlays)]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--configfile", *configs],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    wall = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"the mini study failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return wall


def computed(results: Path) -> dict[str, float]:
    """Seconds of pretraining, training (validation included) and prediction, as the records say."""
    seconds = {"pretraining": 0.0, "training": 0.0, "prediction": 0.0}
    for card in results.glob("models/*/card.json"):
        seconds["pretraining"] += json.loads(card.read_text()).get("seconds", 0.0)  # 0: it came pretrained
    for record in results.glob("runs/**/train.json"):
        cost = json.loads(record.read_text())["cost"]
        seconds["training"] += cost["optimisation_seconds"] + cost["evaluation_seconds"]
    for record in results.glob("**/metrics.json"):
        cost = json.loads(record.read_text())["cost"] or {}
        seconds["prediction"] += cost.get("prediction_seconds") or 0.0
    return seconds


def jobs(results: Path) -> dict[str, float]:
    """Rule -> seconds of all its jobs, as Snakemake measured them."""
    seconds: dict[str, float] = {}
    for file in sorted((results / "benchmarks").rglob("*.tsv")):
        rule = file.relative_to(results / "benchmarks").parts[0].removesuffix(".tsv")
        with file.open() as lines:
            seconds[rule] = seconds.get(rule, 0.0) + float(next(csv.DictReader(lines, delimiter="\t"))["s"])
    return seconds
