"""How long Snakemake and TuneGrid take over large studies in which nothing runs: dry run, `status`, `summary`.

Usage: python benchmarks/scale.py [--sizes 27 270 1000 5000] [--shape seeds cells] [--profile] [--repeat 1] [--csv FILE]

A study of about so many runs: the mini study's 27 cells with more seeds (`seeds`), or with one seed and more models and
methods (`cells`), for each cell is a rule of its own. Each command runs in a process of its own; its CPU time is what
other programs on the machine disturb least. `--profile` says what a dry run spends its time on. `status` and `summary`
read made-up records of all runs.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import pstats
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from tunegrid.runtime.provenance import digest
from tunegrid.study.cells import Run
from tunegrid.study.load import load_study
from tunegrid.study.stage_settings import run_settings
from tunegrid.study.study import Study

ROOT = Path(__file__).resolve().parents[1]
MINI = ROOT / "config" / "mini.yaml"
TASKS, FAMILIES = 3, ("t5", "bart", "flan-t5")
COMMANDS = {"dry run": "dry_run", "status": "status", "summary": "summary"}
# What a dry run does, by the functions that do it: (file, function) of Snakemake, or a folder of this project. Each
# counts with all that it calls, and none of them calls another.
PARTS = {
    "imports": [("snakemake/cli.py", "<module>")],
    "this file's rules, and Snakemake's reading of them": [("/Snakefile", "<module>")],
    "the graph of jobs": [("snakemake/workflow.py", "_build_dag")],
    "the plan": [("stages/console.py", "describe")],
}
WITHIN = {
    "resources that jobs ask for": [
        ("plan/jobs.py", "_train"),
        ("plan/jobs.py", "_evaluate"),
        ("plan/jobs.py", "tokenise"),
    ],
    "settings and their digests": [("study/stage_settings.py", "run_settings"), ("runtime/provenance.py", "digest")],
}


def main() -> None:
    options = _options()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for shape in options.shape:
            for size in options.sizes:
                rows.append(measure(shape, size, options.repeat, options.profile))
                print(_line(rows[-1]), flush=True)
                for name, share in rows[-1].pop("parts", {}).items():
                    print(f"    {share:5.1%}  {name}", flush=True)
        os.chdir(ROOT)
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)


def study(shape: str, size: int) -> Path:
    """Writes a study of about `size` runs, never fewer; returns its file."""
    values = yaml.safe_load(MINI.read_text(encoding="utf-8")) | {"study": f"{shape}-{size}"}
    if shape == "seeds":
        values["seeds"] = list(range(1, math.ceil(size / 27) + 1))
    else:
        side = math.sqrt(size / TASKS)
        methods = math.ceil(side)
        models = math.ceil(size / TASKS / methods)
        sources = values["models"]
        values["models"] = {f"m{i}": sources[FAMILIES[i % 3]] | {"title": f"Model {i}"} for i in range(models)}
        values["methods"] = {f"l{i}": {"kind": "lora", "r": 1 + i, "alpha": 16} for i in range(methods)}
        values["seeds"] = [1]
        values["grid"] |= {"models": list(values["models"]), "methods": list(values["methods"])}
        values["overrides"] = [{"where": {"task": "sentiment"}, "training": {"max_steps": 550}}]
    file = Path(f"{shape}-{size}.yaml")
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return file


def measure(shape: str, size: int, repeat: int, profiled: bool) -> dict[str, Any]:
    file = study(shape, size)
    loaded = load_study(file)
    row: dict[str, Any] = {"shape": shape, "cells": len(loaded.cells()), "runs": len(loaded.runs())}
    dry = ["snakemake", "--dry-run", "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(file)]
    wall, cpu, peak, printed = run([sys.executable, "-m", *dry], repeat)
    row |= {"jobs": int(re.search(r"(\d+) jobs would run", printed)[1])}
    row |= {"dry_run_seconds": wall, "dry_run_cpu_seconds": cpu, "dry_run_peak_mib": peak}
    write_records(loaded)
    for command in ("status", "summary"):
        wall, cpu, _, _ = run([sys.executable, "-m", "tunegrid", command, str(file)], repeat)
        row |= {f"{command}_seconds": wall, f"{command}_cpu_seconds": cpu}
    if profiled:
        row["parts"] = profile(dry)
    return row


def run(command: list[str], repeat: int) -> tuple[float, float, float, str]:
    """(wall seconds, CPU seconds, peak memory in MiB, output): medians over `repeat` runs."""
    walls, cpus, peaks, printed = [], [], [], ""
    for _ in range(repeat):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        printed = process.stdout.read()
        _, _, usage = os.wait4(process.pid, 0)
        walls.append(time.perf_counter() - start)
        cpus.append(usage.ru_utime + usage.ru_stime)
        peaks.append(usage.ru_maxrss / 1024)
    return median(walls), median(cpus), median(peaks), printed


def write_records(study: Study) -> None:
    """Made-up train.json and metrics.json of every run, valid and with the hash of the study's settings."""
    sys.path.insert(0, str(ROOT))
    from tests.support.records_on_disk import provenance, train_record

    scored = {
        "schema_version": 1, "kind": "run", "status": "ok", "reason": None, "examples": 1000, "primary": "m",
        "metrics": {"m": {"value": 0.5, "direction": "higher", "signature": None}},
        "cost": {"load_seconds": 1.0, "prediction_seconds": 2.0, "scoring_seconds": 0.1, "examples_per_second": 500.0,
                 "peak_memory_bytes": 400 * 2**20},
    }  # fmt: skip
    for cell in study.cells():
        settings = run_settings(study, cell)
        for seed in study.seeds:
            names = {"task": cell.task, "model": cell.model, "method": cell.method, "seed": seed}
            folder = study.paths.run(Run(cell, seed))
            folder.mkdir(parents=True, exist_ok=True)
            own = {"configuration": settings, "configuration_hash": digest({**settings, "seed": seed})}
            trained = train_record(cell.task, cell.model, "lora", seed) | names | own
            of_both = {**names, "provenance": provenance(cell.task, cell.model)}
            (folder / "train.json").write_text(json.dumps(trained))
            (folder / "metrics.json").write_text(json.dumps(scored | of_both))


def profile(dry: list[str]) -> dict[str, float]:
    """Shares of a dry run's time."""
    command = [sys.executable, "-m", "cProfile", "-o", "profile", "-m", *dry, "--forceall"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stats = pstats.Stats("profile")
    total = stats.total_tt
    found = {}
    for name, functions in {**PARTS, **{f"(in these) {name}": functions for name, functions in WITHIN.items()}}.items():
        found[name] = 0.0
        for (file, _, function), (_, _, _, cumulative, _) in stats.stats.items():
            if any(file.endswith(end) and function == wanted for end, wanted in functions):
                found[name] += cumulative / total
    return found


def _line(row: dict[str, Any]) -> str:
    size = f"{row['shape']:6} {row['runs']:5} runs {row['cells']:5} cells {row['jobs']:6} jobs"
    times = [
        f"{name} {row[f'{key}_seconds']:.1f} s ({row[f'{key}_cpu_seconds']:.1f} CPU)" for name, key in COMMANDS.items()
    ]
    return "  ".join([size, *times, f"dry run's peak {row['dry_run_peak_mib']:.0f} MiB"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[27, 270, 1000, 5000], help="runs")
    parser.add_argument("--shape", nargs="+", choices=("seeds", "cells"), default=["seeds", "cells"])
    parser.add_argument("--repeat", type=int, default=1, help="take the median of so many runs")
    parser.add_argument("--profile", action="store_true", help="say what a dry run spends its time on")
    parser.add_argument("--csv", type=Path, help="write the rows to this file too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
