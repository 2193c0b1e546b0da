"""What works on a study right now: processes of this machine, and jobs of Slurm's queue."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tunegrid.runtime.snakemake import is_locked, is_snakemake, processes_here

# The commands of the workflow's rules.
JOBS = frozenset(
    "fetch-data fetch-domain fetch-pairs fetch-model pretrain tokenise tokenise-mixture tokenise-wordings sample-pairs "
    "train-reward search-trial search-choice train train-mixture share-training evaluate evaluate-domains "
    "evaluate-wordings evaluate-probes evaluate-forgetting forgetting-untuned held-out-text compress judge baseline "
    "baseline-domains tables report".split()
)
OPTIONS = tuple(f"--{name}" for name in "task model name method seed factor pairs reward domain form".split())
SLURM_SECONDS = 20  # time limit for Slurm's queue to answer


@dataclass(frozen=True)
class Snakemake:
    """A Snakemake that runs a workflow in this folder. `cores` is None if not given, or if jobs run elsewhere."""

    pid: int
    started: float
    cores: int | None


@dataclass
class Alive:
    """Processes and queued jobs that work on a study.

    Attributes:
        commands: start time of the process of each `tunegrid` command (see `Item.command`) that runs here.
        queue: state (RUNNING, PENDING, …) of each job in Slurm's queue, by the job's comment.
        locked: whether Snakemake has locked the folder.
        note: what could not be seen.
    """

    snakemake: Snakemake | None = None
    commands: dict[tuple[str, ...], float] = field(default_factory=dict)
    queue: dict[str, str] = field(default_factory=dict)
    locked: bool = False
    note: str = ""


def look(configs: Iterable[str | Path]) -> Alive:
    """Finds what works in the current folder on the study of these files."""
    alive = Alive(locked=is_locked())
    files = {Path(config).resolve() for config in configs}
    for pid, started, words in processes_here(_may_be_at_work):
        if is_snakemake(words):
            if alive.snakemake is None or started < alive.snakemake.started:
                alive.snakemake = Snakemake(pid, started, _cores(words))
        elif command := command_of(words, files):
            alive.commands[command] = min(started, alive.commands.get(command, started))
    alive.queue, alive.note = _queue()
    return alive


def _may_be_at_work(words: list[str]) -> bool:
    return any("tunegrid" in word or "snakemake" in word for word in words)


def _cores(words: list[str]) -> int | None:
    text = " ".join(words)
    if re.search(r"--(executor|profile)\b|\s-e\s", text):
        return None
    match = re.search(r"(?:--cores|-c|--jobs|-j)[ =]?(\d+|all)\b", text)
    return None if match is None else os.cpu_count() if match[1] == "all" else int(match[1])


def command_of(words: list[str], configs: set[Path]) -> tuple[str, ...] | None:
    """The `tunegrid` command of a command line with the values of its options; None: another program or study."""
    names = [Path(word).name for word in words]
    if "tunegrid" not in names[:3] or Path(words[0]).name in ("bash", "sh"):
        return None
    rest = words[names.index("tunegrid") + 1 :]
    files = {Path(word).resolve() for word in rest[1:] if not word.startswith("--")}
    if not rest or rest[0] not in JOBS or not files & configs:
        return None
    given = {name: value for name, value in pairwise(rest) if name in OPTIONS}
    return (rest[0], *(given[name] for name in OPTIONS if name in given))


def _queue() -> tuple[dict[str, str], str]:
    """(state of each Slurm job of this user in this folder, by the job's comment; what could not be seen)."""
    if not shutil.which("squeue"):
        return {}, ""
    command = ["squeue", "--me", "--noheader", "--format=%T|%Z|%k"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SLURM_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        sent = Path(".snakemake/slurm_logs").is_dir()
        return {}, "Slurm's queue does not answer (squeue --me): its jobs are not seen." if sent else ""
    return jobs_in_queue(done.stdout, Path.cwd().resolve()), ""


def jobs_in_queue(text: str, folder: Path) -> dict[str, str]:
    """Reads the states of a folder's jobs, by comment, from what squeue prints."""
    states = {}
    for line in text.splitlines():
        state, _, rest = line.partition("|")
        place, _, comment = rest.rpartition("|")
        if place and Path(place).resolve() == folder and comment.startswith(("rule_", "group_")):
            states[comment] = state
    return states
