"""Reading the status of a study: whether each of its jobs is done, runs, failed or waits. Nothing is changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tunegrid.common.errors import TuneGridError
from tunegrid.common.records import check_place
from tunegrid.runtime import gpus
from tunegrid.runtime.provenance import digest
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import run_settings
from tunegrid.study.status.alive import Alive, look
from tunegrid.study.status.items import STAGES, Item, items
from tunegrid.study.status.progress import Progress, last_checkpoint, read_progress
from tunegrid.study.status.remaining import Durations, seconds_of
from tunegrid.study.study import Study

Reader = Callable[[Path], dict[str, Any]]
State = Literal["done", "running", "waiting", "failed"]
RECORDED = {*STAGES} - {"data", "pairs", "models", "tokens", "report"}  # stages whose files are records
# What is kept of a record: all of thousands of them would be a garbage collector's work.
KEPT = ("status", "reason", "primary", "metrics", "configuration_hash")
SILENT = 600.0  # seconds after which a running job that has written nothing is called silent


@dataclass(frozen=True)
class JobStatus:
    """The state of one job.

    Attributes:
        reason: why it failed.
        elapsed: seconds since its process started; None: the process cannot be seen.
        remaining: estimated seconds until it will be done; 0.0 if it is done.
        begun: whether it waits because something interrupted it.
        silent: seconds since its log or a checkpoint was written.
        checkpoint: step of its last checkpoint.
        score: primary metric of an evaluation that is done.
    """

    item: Item
    state: State
    reason: str = ""
    elapsed: float | None = None
    remaining: float = 0.0
    begun: bool = False
    silent: float | None = None
    checkpoint: int | None = None
    progress: Progress | None = None
    score: float | None = None


@dataclass(frozen=True)
class StudyStatus:
    """The state of a study and of each of its jobs.

    Attributes:
        remaining: estimated seconds until all jobs are done, with `at_once` jobs at a time.
        measured: whether the estimate uses times of finished jobs of this study, not the plan alone.
        outdated: number of runs that were trained with other settings than the study has now.
    """

    study: Study
    now: float
    jobs: Sequence[JobStatus]
    alive: Alive
    remaining: float
    at_once: int
    measured: bool
    outdated: int

    def in_stage(self, stage: str) -> list[JobStatus]:
        return [job for job in self.jobs if job.item.stage == stage]

    def failed(self) -> list[JobStatus]:
        return [job for job in self.jobs if job.state == "failed"]

    def at_work(self) -> list[JobStatus]:
        """The jobs that run, the longest first."""
        return sorted((job for job in self.jobs if job.state == "running"), key=lambda job: -(job.elapsed or 0))

    def runs(self) -> dict[tuple[Cell, str], tuple[State, State]]:
        """The states of the training and the evaluation of each run, by its cell and seed."""
        training, evaluation = (
            {(job.item.cell, job.item.part): job.state for job in self.in_stage(stage)}
            for stage in ("training", "evaluation")
        )
        names = [(run.cell, str(run.seed)) for run in self.study.runs()]
        return {
            (cell, seed): (training[self.study.training_of(cell), seed], evaluation[cell, seed]) for cell, seed in names
        }

    @property
    def done(self) -> bool:
        return not any(job.state in ("running", "waiting") for job in self.jobs)


def read_status(
    study: Study, configs: Sequence[str | Path], read: Reader, alive: Alive | None = None, outdated: bool = True
) -> StudyStatus:
    """Reads the current status of a study from files and processes; results that were copied here read the same.

    Args:
        configs: the study's files, as its commands name them.
        read: reads a record; raises TuneGridError for a file that is none.
        alive: the processes at work; None: they are looked for.
        outdated: whether to count the runs that were trained with other settings.
    """
    given, now, all_items = alive, time.time(), list(items(study))
    alive = given or look(configs)
    records: list[dict[str, Any] | None] = []  # what is kept of the record of each item; None: it is not done
    measured = []
    for item in all_items:
        if (record := _records(item, read)) is not None:
            if (seconds := seconds_of(item, record)) is not None:
                measured.append((item, seconds))
            record = {name: record[name] for name in KEPT if name in record}
        records.append(record)
    durations = Durations(study, measured)
    jobs = [
        _unfinished(study, item, alive, durations, now) if record is None else _finished(item, record, read)
        for item, record in zip(all_items, records, strict=True)
    ]
    if given is None and any(job.begun for job in jobs):
        # All this takes a while, in which jobs start and end: what seems to be interrupted is looked at once more.
        alive = look(configs)
        jobs = [_once_more(study, job, alive, durations, now, read) if job.begun else job for job in jobs]
    if any(job.state == "waiting" for job in jobs[:-1]) and jobs[-1].state == "done":
        jobs[-1] = replace(jobs[-1], state="waiting")  # the report of what was there before
    at_once = _at_once(study, alive)
    seconds_left = [job.remaining for job in jobs]
    return StudyStatus(
        study=study,
        now=now,
        jobs=jobs,
        alive=alive,
        remaining=max(sum(seconds_left) / at_once, max(seconds_left)),
        at_once=at_once,
        measured=bool(measured),
        outdated=_count_outdated(study, zip(all_items, records, strict=True), read) if outdated else 0,
    )


def _records(item: Item, read: Reader) -> dict[str, Any] | None:
    """The record of a job; of one with several, the first that is not ok, else the first with the seconds of all.

    Empty where its files are no records; None: it is not done.
    """
    done = item.done.is_file() or (item.kept and item.kept.is_file())
    if not done or not all(file.is_file() for file in item.more):
        return None
    if item.stage not in RECORDED:
        return {}
    first, *more = records = [_record(file, read, **item.names) for file in (item.done, *item.more)]
    if failed := next((record for record in records if record.get("status", "ok") != "ok"), None):
        return failed
    if not more:
        return first
    costs = [record.get("cost") or {} for record in records]
    names = ("prediction_seconds", "scoring_seconds")  # what was loaded was loaded once
    seconds = {name: sum(cost.get(name) or 0.0 for cost in costs) for name in names}
    return first | {"cost": costs[0] | seconds}


def _record(file: Path, read: Reader, **place: Any) -> dict[str, Any]:
    """The content of a record; of a file that is none, or the record of another place, a failure with its reason."""
    try:
        record = read(file)
        check_place(file, record, place)
        return record
    except TuneGridError as error:
        return {"status": "failed", "reason": str(error)}


def _finished(item: Item, record: dict[str, Any], read: Reader) -> JobStatus:
    """The status of a job whose file exists.

    The evaluation of a failed run only repeats the run's status, and so does a run whose mixture failed: they are done,
    and the failure is counted once.
    """
    if record.get("status", "ok") == "ok":
        return JobStatus(item, "done", score=_score(record))
    reason = f"{record['status']}: {record.get('reason') or 'no reason given'}"
    if item.stage == "sharing":
        return JobStatus(item, "done")
    training = item.done.parents[2 if item.stage in ("forms", "domains", "probes") else 0] / "train.json"
    passed_on = (
        item.stage in ("evaluation", "forms", "wordings", "domains", "probes", "forgetting") and training.is_file()
    )
    if passed_on and _record(training, read).get("status") != "ok":
        return JobStatus(item, "done")
    return JobStatus(item, "failed", reason)


def _score(record: dict[str, Any]) -> float | None:
    """The primary metric of an evaluation; None: the record is of another stage."""
    metric = (record.get("metrics") or {}).get(record.get("primary"))
    return metric["value"] if isinstance(metric, dict) else None


def _unfinished(study: Study, item: Item, alive: Alive, durations: Durations, now: float) -> JobStatus:
    """The status of a job whose file does not exist yet."""
    log = read_progress(study.paths.log(item.log))
    started, queued = alive.commands.get(item.command), alive.queue.get(item.comment)
    begun = log is not None
    saved = None
    if item.stage == "training" and (begun or started):
        saved = last_checkpoint(study.paths.checkpoints(Run(item.cell, int(item.part)), ""))
    signs = [at for at in (log and log.written, saved and saved[1], started) if at]
    silent = max(0.0, now - max(signs)) if signs else None
    facts = {"silent": silent, "checkpoint": saved and saved[0], "progress": log}
    expected = durations.estimate(item)
    if started is not None or queued in ("RUNNING", "COMPLETING"):
        elapsed = None if started is None else now - started
        remaining = max(0.0, expected - elapsed) if elapsed is not None else expected
        if log and log.remaining is not None:
            remaining = max(0.0, log.remaining - (now - log.written))
        return JobStatus(item, "running", elapsed=elapsed, remaining=remaining, **facts)
    if log and log.error and not queued:
        return JobStatus(item, "failed", log.error, remaining=expected, **facts)
    if log and log.step and log.steps and saved:
        expected *= 1 - saved[0] / log.steps  # it will resume from its checkpoint
    return JobStatus(item, "waiting", remaining=expected, begun=begun, **facts)


def _once_more(study: Study, job: JobStatus, alive: Alive, durations: Durations, now: float, read: Reader) -> JobStatus:
    """The status of a job that seemed to be interrupted: it may be at work by now, or be done.

    Args:
        alive: the processes at work after the job's log was read.
    """
    item = job.item
    if item.command in alive.commands or item.comment in alive.queue:
        return _unfinished(study, item, alive, durations, now)
    record = _records(item, read)
    return job if record is None else _finished(item, record, read)


def _at_once(study: Study, alive: Alive) -> int:
    """The number of jobs that run at a time: what the Snakemake at work may start, else what fits on this machine."""
    if alive.queue:
        return max(1, sum(state == "RUNNING" for state in alive.queue.values()))
    cores = alive.snakemake.cores if alive.snakemake else None
    return gpus.jobs_at_once(study.hardware, cores)


def _count_outdated(study: Study, records: Iterable[tuple[Item, dict[str, Any] | None]], read: Reader) -> int:
    """The number of runs that were trained with other settings than they would be now."""
    trained = [
        (item, record) for item, record in records if item.stage == "training" and record and record["status"] == "ok"
    ]
    settings = {cell: _current_settings(study, cell, read) for cell in {item.cell for item, _ in trained}}
    return sum(
        record.get("configuration_hash") != digest({**settings[item.cell], "seed": int(item.part)})
        for item, record in trained
        if settings[item.cell] is not None
    )


def _current_settings(study: Study, cell: Cell, read: Reader) -> dict[str, Any] | None:
    """The settings that runs of a cell would be trained with now; None: its search has no usable learning rate."""
    if study.search is None:
        return run_settings(study, cell)
    choice = _record(study.paths.choice(cell), read)
    if choice["status"] != "ok":
        return None
    settings = run_settings(study.with_training(cell, {"learning_rate": choice["learning_rate"]}), cell)
    return settings | {"search": {key: choice[key] for key in ("factor", "configured_learning_rate")}}
