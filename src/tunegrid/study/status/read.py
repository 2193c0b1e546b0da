"""Reads how a study stands: of each of its jobs whether it is done, runs, failed or waits; nothing is changed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tunegrid.runtime import gpus
from tunegrid.runtime.provenance import digest
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import run_settings
from tunegrid.study.status.alive import Alive, look
from tunegrid.study.status.items import Item, items
from tunegrid.study.status.progress import Progress, last_checkpoint, progress
from tunegrid.study.status.remaining import Durations, seconds_of
from tunegrid.study.study import Study

State = Literal["done", "running", "waiting", "failed"]
RECORDED = {"search", "choices", "training", "evaluation", "untuned", "baselines"}  # their files say how it went
SILENT = 600.0  # seconds after which a job at work that has said nothing is remarked on


@dataclass(frozen=True)
class Job:
    """A job as it stands.

    Attributes:
        reason: why it failed.
        elapsed: seconds since its process started, where that is seen.
        left: seconds until it will be done, an estimate; 0.0: it is.
        begun: whether it waits because something ended it halfway.
        silent: seconds since its log or a checkpoint was written.
        checkpoint: step of its last checkpoint.
    """

    item: Item
    state: State
    reason: str = ""
    elapsed: float | None = None
    left: float = 0.0
    begun: bool = False
    silent: float | None = None
    checkpoint: int | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class Status:
    """How a study stands.

    Attributes:
        left: seconds until all of it is done, an estimate; `at_once`: with so many jobs at a time.
        measured: whether that rests on jobs of this study that are done, not on the plan alone.
        outdated: runs that are there, but with other settings than the study has now.
    """

    study: Study
    now: float
    jobs: Sequence[Job]
    alive: Alive
    left: float
    at_once: int
    measured: bool
    outdated: int

    def of(self, stage: str) -> list[Job]:
        return [job for job in self.jobs if job.item.stage == stage]

    @property
    def done(self) -> bool:
        return not any(job.state in ("running", "waiting") for job in self.jobs)


def read(study: Study, configs: Sequence[str | Path], alive: Alive | None = None) -> Status:
    """How a study stands now. Only files and processes are looked at: results that were copied here read the same.

    Args:
        configs: the study's files, as its commands name them.
        alive: what is at work; none: looked for.
    """
    alive, now, every = alive or look(configs), time.time(), list(items(study))
    records: dict[Item, dict[str, Any]] = {}
    jobs, measured = [], []
    for item in every:
        if not item.done.is_file() and not (item.kept and item.kept.is_file()):
            continue
        record = _record(item.done) if item.stage in RECORDED else {}
        records[item] = record
        if (seconds := seconds_of(item, record)) is not None:
            measured.append((item, seconds))
    durations = Durations(study, measured)
    for item in every:
        jobs.append(_finished(item, records) if item in records else _open(study, item, alive, durations, now))
    if any(job.state == "waiting" for job in jobs[:-1]) and jobs[-1].state == "done":
        jobs[-1] = replace(jobs[-1], state="waiting")  # the report of what was there before
    at_once = _at_once(study, alive)
    remaining = [job.left for job in jobs]
    return Status(
        study=study,
        now=now,
        jobs=jobs,
        alive=alive,
        left=max(sum(remaining) / at_once, max(remaining)),
        at_once=at_once,
        measured=bool(measured),
        outdated=_outdated(study, records),
    )


def _record(file: Path) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(record["status"], str):
            return record
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"status": "failed", "reason": f"{file.name} is damaged: delete it, and start again"}


def _finished(item: Item, records: dict[Item, dict[str, Any]]) -> Job:
    """A job whose file is there. A run that failed is passed on by its evaluation, which fails for no other reason."""
    record = records[item]
    if record.get("status", "ok") == "ok":
        return Job(item, "done")
    reason = f"{record['status']}: {record.get('reason') or 'no reason given'}"
    passed_on = item.stage == "evaluation" and (item.done.parent / "train.json").is_file()
    if passed_on and _record(item.done.parent / "train.json").get("status") != "ok":
        return Job(item, "done")
    return Job(item, "failed", reason)


def _open(study: Study, item: Item, alive: Alive, durations: Durations, now: float) -> Job:
    """A job that is not done."""
    log = progress(study.paths.log(item.log))
    started, queued = alive.commands.get(item.command), alive.queue.get(item.comment)
    begun = log is not None
    saved = None
    if item.stage == "training" and (begun or started):
        cell = item.cell
        saved = last_checkpoint(study.paths.checkpoints(Run(cell, int(item.part)), ""))
    signs = [at for at in (log and log.written, saved and saved[1], started) if at]
    silent = max(0.0, now - max(signs)) if signs else None
    facts = {"silent": silent, "checkpoint": saved and saved[0], "progress": log}
    expected = durations.of(item)
    if started is not None or queued in ("RUNNING", "COMPLETING"):
        elapsed = None if started is None else now - started
        left = max(0.0, expected - elapsed) if elapsed is not None else expected
        if log and log.left is not None:
            left = max(0.0, log.left - (now - log.written))
        return Job(item, "running", elapsed=elapsed, left=left, **facts)
    if log and log.error and not alive.queue.get(item.comment):
        return Job(item, "failed", log.error, left=expected, **facts)
    if log and log.step and log.steps and saved:
        expected *= 1 - saved[0] / log.steps  # it goes on from its checkpoint
    return Job(item, "waiting", left=expected, begun=begun, **facts)


def _at_once(study: Study, alive: Alive) -> int:
    """How many jobs run at a time: as many as the Snakemake at work may start, else as fit on this machine."""
    if alive.queue:
        return max(1, sum(state == "RUNNING" for state in alive.queue.values()))
    cores = alive.snakemake.cores if alive.snakemake else None
    return gpus.jobs_at_once(study.hardware, cores)


def _outdated(study: Study, records: dict[Item, dict[str, Any]]) -> int:
    """How many runs were trained with other settings than they would be now."""

    @cache
    def settings(cell: Cell) -> dict[str, Any] | None:
        if study.search is None:
            return run_settings(study, cell)
        choice = _record(study.paths.choice(cell))
        if choice["status"] != "ok":
            return None
        chosen = run_settings(study.with_training(cell, {"learning_rate": choice["learning_rate"]}), cell)
        return chosen | {"search": {key: choice[key] for key in ("factor", "configured_learning_rate")}}

    count = 0
    for item, record in records.items():
        if item.stage == "training" and record["status"] == "ok" and (now := settings(item.cell)) is not None:
            count += record.get("configuration_hash") != digest({**now, "seed": int(item.part)})
    return count
