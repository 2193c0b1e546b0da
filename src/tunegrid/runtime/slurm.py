"""Asks Slurm, before the first job is submitted, whether it would take the study's jobs.

Snakemake would submit them one by one, try each again, and report each as failed. `sbatch --test-only` returns Slurm's
own answer and submits nothing. Only an answer that waiting cannot change ends the study: a partition, an account or a
constraint that does not exist. Any other answer is a warning, as it may hold for the moment only (nodes that are down
for an hour are "not available"). Where Slurm cannot be asked, the study starts.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tunegrid.common.errors import TuneGridError

PATIENCE = 20  # seconds for one answer
# Slurm's messages (slurm_errno.c, slurm_strerror) about requests that it will never take.
NEVER = (
    "invalid account",
    "invalid partition",
    "no partition specified",
    "invalid qos",
    "invalid feature",
    "user's group not permitted",
    "not permitted to use this partition",
    "time limit is invalid",
)
ADVICE = """\
Partition and account are set in slurm/config.yaml, under default-resources (docs/cluster.md has examples):
  slurm_partition: …    # `sinfo` lists them
  slurm_account: …      # `sacctmgr show user $USER withassoc format=account,partition` lists yours"""


@dataclass(frozen=True)
class Request:
    """The request of a job to Slurm, as Snakemake's plugin writes it on sbatch's command line."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpus: int = 0
    gpu_model: str | None = None
    minutes: int | None = None
    megabytes: int | None = None
    cpus: int = 1

    def arguments(self) -> list[str]:
        gpus = f"{self.gpu_model}:{self.gpus or 1}" if self.gpu_model else self.gpus
        values = {
            "--partition": self.partition,
            "--account": self.account,
            "--qos": self.qos,
            "--constraint": self.constraint,
            "--gpus": gpus,
            "--time": self.minutes,
            "--mem": self.megabytes,
            "--cpus-per-task": self.cpus,
        }
        return [f"{option}={value}" for option, value in values.items() if value]


def request(resources: Mapping, threads: int) -> Request:
    """The request of a job with these Snakemake resources, without those that are not known yet."""

    def number(name: str) -> int | None:
        value = resources.get(name)
        return value if isinstance(value, int) else None

    def text(name: str) -> str | None:
        return str(resources[name]) if resources.get(name) else None

    account = text("slurm_account")
    return Request(
        partition=text("slurm_partition"),
        account=account.replace(",", " ").split()[0] if account else None,
        qos=text("qos"),
        constraint=text("constraint"),
        gpus=number("gpu") or 0,
        gpu_model=text("gpu_model"),
        minutes=number("runtime"),
        megabytes=number("mem_mb"),
        cpus=threads,
    )


def largest(requests: Iterable[Request]) -> list[Request]:
    """One request per kind, all but the amounts, with the largest amounts of all requests of the kind."""
    by_kind: dict[Request, Request] = {}
    for job in requests:
        kind = replace(job, minutes=None, megabytes=None, cpus=1)
        other = by_kind.get(kind, job)
        by_kind[kind] = replace(
            job,
            minutes=max(job.minutes or 0, other.minutes or 0) or None,
            megabytes=max(job.megabytes or 0, other.megabytes or 0) or None,
            cpus=max(job.cpus, other.cpus),
        )
    return list(by_kind.values())


def check_requests(requests: Iterable[Request]) -> list[str]:
    """Returns warnings, in Slurm's words; raises TuneGridError if Slurm would never take such jobs."""
    if not shutil.which("sbatch"):
        return []
    warnings = []
    for job in largest(requests):
        command = ["sbatch", "--test-only", *job.arguments(), "--wrap=true"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return [*warnings, f"Slurm could not be asked whether it would take the jobs: {error}"]
        if answer.returncode == 0:
            continue
        text = answer.stderr.strip() or answer.stdout.strip() or f"nothing; {command[0]} ended with {answer.returncode}"
        typed = " ".join(command)
        if any(words in text.lower() for words in NEVER):
            raise TuneGridError(f"Slurm would not take the study's jobs. It says:\n  {text}\nto: {typed}\n{ADVICE}")
        warnings.append(f"Slurm may not take some of the study's jobs, or not now. It says: {text}\nto: {typed}")
    return warnings
