"""What Slurm costs: a study's wall time under `--profile slurm` beside the local run, and where the difference goes.

Usage: python benchmarks/slurm_overhead.py [--study FILE …] [--rounds 1] [--profile slurm] [--cores all] [--csv FILE]
                                           [-- OPTION …]

Run it in the root of a clone, on a machine with a Slurm: `bash tests/slurm/cluster.sh up FOLDER`, then
`export SLURM_CONF=FOLDER/slurm.conf`. Each run has a fresh copy of the clone; local and Slurm take turns. What follows
`--` goes to both runs of Snakemake. Exact only on a machine that nobody else uses. All times in seconds:

commands    the sum of the jobs' own times, from Snakemake's benchmarks
in jobs     under Slurm: the sum of the jobs' elapsed times in sacct; what is not commands is the start of the two
            Snakemakes that the plugin runs in each job
in queue    the sum of the times between submission and start
idle        wall time in which no job ran: the status interval, Snakemake's own start and end, local rules
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

LEFT_OUT = shutil.ignore_patterns(".git", ".snakemake", ".venv", "results", "__pycache__")


@dataclass(frozen=True)
class Run:
    """One run of the study; times in seconds. None: does not apply to a local run."""

    where: str
    round: int
    wall: float
    jobs: int
    commands: float
    submissions: int | None = None
    in_jobs: float | None = None
    in_queue: float | None = None
    idle: float | None = None


def main() -> None:
    options = _options()
    study = [str(Path(file)) for file in options.study]
    runs = []
    for number in range(1, options.rounds + 1):
        for where in ("local", "slurm"):
            runs.append(measure(where, number, study, options))
            lines = _table(runs[-1:]).splitlines()
            print("\n".join(lines if len(runs) == 1 else lines[-1:]), flush=True)
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Run)])
            writer.writeheader()
            writer.writerows(asdict(run) for run in runs)


def measure(where: str, number: int, study: list[str], options: argparse.Namespace) -> Run:
    """Runs the study in a fresh copy of the clone that this is called in."""
    with tempfile.TemporaryDirectory(prefix="tunegrid-overhead-") as parent:
        folder = Path(parent) / "clone"
        shutil.copytree(".", folder, ignore=LEFT_OUT)
        how = ["--profile", options.profile] if where == "slurm" else ["--cores", options.cores]
        command = [sys.executable, "-m", "snakemake", *how, "--configfile", *study, *options.more]
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        since, start = time.strftime("%Y-%m-%dT%H:%M:%S"), time.perf_counter()
        result = subprocess.run(
            command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        wall = time.perf_counter() - start
        if result.returncode:
            sys.exit(f"{result.stdout[-4000:]}\nThe {where} run failed.")
        seconds = [_seconds(file) for file in folder.glob("results/*/benchmarks/**/*.tsv")]
        run = Run(where, number, round(wall, 1), len(seconds), round(sum(seconds), 1))
        return run if where == "local" else Run(**(asdict(run) | _from_sacct(since, folder, wall)))


def _from_sacct(since: str, folder: Path, wall: float) -> dict:
    """What Slurm recorded of the jobs that were submitted in this folder since then."""
    command = ["sacct", "--allocations", "--parsable2", "--noheader", f"--starttime={since}"]
    columns = "--format=Submit,Start,End,WorkDir"
    times = os.environ | {"SLURM_TIME_FORMAT": "%s"}
    text = subprocess.run([*command, columns], env=times, capture_output=True, text=True, check=True).stdout
    lines = [line.split("|") for line in text.splitlines()]
    jobs = [tuple(map(int, line[:3])) for line in lines if Path(line[3]) == folder.resolve()]
    busy, until = 0, 0
    for _, start, end in sorted(jobs, key=lambda job: job[1]):
        busy += max(0, end - max(start, until))
        until = max(until, end)
    return {
        "submissions": len(jobs),
        "in_jobs": float(sum(end - start for _, start, end in jobs)),
        "in_queue": float(sum(start - submitted for submitted, start, _ in jobs)),
        "idle": round(wall - busy, 1),
    }


def _seconds(benchmark: Path) -> float:
    with benchmark.open(encoding="utf-8") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


def _table(runs: list[Run]) -> str:
    names = [field.name for field in fields(Run)]
    rows = [["" if value is None else str(value) for value in asdict(run).values()] for run in runs]
    lines = [[name.replace("_", " ") for name in names], ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", nargs="+", default=["config/mini.yaml"], metavar="FILE", help="the study's files")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is run")
    parser.add_argument("--profile", default="slurm")
    parser.add_argument("--cores", default="all", help="of the local run")
    parser.add_argument("--csv", metavar="FILE", help="write the table here too")
    parser.add_argument("more", nargs="*", metavar="OPTION", help="after `--`: further options of Snakemake")
    return parser.parse_args()


if __name__ == "__main__":
    main()
