"""A study's status as plain text that fits on a screen."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from tunegrid.common.digits import rough_duration
from tunegrid.study.cells import Cell
from tunegrid.study.status.items import STAGES
from tunegrid.study.status.read import SILENT, JobStatus, State, StudyStatus

WIDTH = 110
AT_WORK, FAILED, BEGUN = 12, 8, 4  # lines at most
VERBS = {"training": "train", "evaluation": "evaluate", "untuned": "evaluate", "tokens": "make", "baselines": "score"}
STATES: tuple[State, ...] = ("done", "running", "waiting", "failed")


def show_status(read: Callable[[], StudyStatus], seconds: float | None) -> None:
    """Prints the status; with `seconds`, again and again until Ctrl-C or the study is done."""
    while True:
        status = read()
        if seconds is not None and sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")  # a clear screen
        print(format_status(status), flush=True)
        if seconds is None or status.done:
            return
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            return
        if not sys.stdout.isatty():
            print(flush=True)


def format_status(status: StudyStatus) -> str:
    """The status in several lines of text."""
    lines = [*_head(status), "", *_stages(status), "", *_grid(status)]
    for part in (_at_work(status), _begun(status), _failed(status)):
        if part:
            lines += ["", *part]
    return "\n".join(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in map(str.rstrip, lines))


def _head(status: StudyStatus) -> Iterator[str]:
    study, runs = status.study, _runs(status)
    done = sum(set(states) == {"done"} for states in runs.values())
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.now))
    yield f"{study.title} ({study.name}): {done} of {len(runs)} runs are done. {study.paths.root}/, {at}"
    yield _who(status)
    if status.alive.note:
        yield status.alive.note
    if status.done:
        failed = any(job.state == "failed" for job in status.jobs)
        yield f"Nothing is left to do{'; what failed is listed below' if failed else ''}."
    elif status.remaining:
        basis = "by the jobs that are done" if status.measured else "by the plan alone: nothing is measured yet"
        yield f"Time left: about {rough_duration(status.remaining)} with {status.at_once} at once, {basis}."
    if status.outdated:
        yield f"{status.outdated} of the runs were trained with other settings than the study has now."


def _runs(status: StudyStatus) -> dict[tuple[Cell, str], list[State]]:
    """The states of the training and the evaluation of each run, by its cell and seed."""
    states = {
        stage: {(job.item.cell, job.item.part): job.state for job in status.in_stage(stage)}
        for stage in ("training", "evaluation")
    }
    runs = {}
    for run in status.study.runs():
        seed = str(run.seed)
        found = (
            states["training"].get((status.study.training_of(run.cell), seed)),
            states["evaluation"].get((run.cell, seed)),
        )
        runs[run.cell, seed] = [state for state in found if state]
    return runs


def _who(status: StudyStatus) -> str:
    alive, parts = status.alive, []
    if snakemake := alive.snakemake:
        since = rough_duration(max(0, status.now - snakemake.started))
        parts.append(f"Snakemake is at work here (process {snakemake.pid}, for {since}).")
    elif alive.commands:
        parts.append("No Snakemake is at work here, but single commands are.")
    elif not alive.queue:
        parts.append("Nothing is at work here.")
        if alive.locked:
            parts.append("The folder is locked: Snakemake was killed (`make resume` goes on) or is on another machine.")
    if alive.queue:
        counts = Counter(alive.queue.values())
        parts.append("Slurm's queue: " + ", ".join(f"{count} {state.lower()}" for state, count in counts.items()) + ".")
    return " ".join(parts)


def _stages(status: StudyStatus) -> Iterator[str]:
    yield f"{'':12}" + "".join(f"{state:>9}" for state in (*STATES, "of"))
    for stage in STAGES:
        if jobs := status.in_stage(stage):
            counts = Counter(job.state for job in jobs)
            cells = "".join(f"{counts[state] or '·':>9}" for state in STATES)
            yield f"{stage:12}{cells}{len(jobs):>9}"


def _grid(status: StudyStatus) -> Iterator[str]:
    """A table of tasks and methods: how many runs are scored, and how many of the others run or failed."""
    grid, runs = status.study.grid, _runs(status)
    methods = {method: [method] for method in grid.methods}
    rows = _rows(grid.tasks, methods, runs)
    if _width(rows) > WIDTH:
        rows = _rows(grid.tasks, {"all methods": list(grid.methods)}, runs)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join([f"{row[0]:{max(12, widths[0])}}", *cells])


def _rows(tasks: Sequence[str], groups: dict[str, list[str]], runs: dict) -> list[list[str]]:
    rows = [["", *groups]]
    for task in tasks:
        row = [task]
        for methods in groups.values():
            states = [states for (cell, _), states in runs.items() if cell.task == task and cell.method in methods]
            failed = sum("failed" in run for run in states)
            running = sum("running" in run for run in states)
            done = sum(set(run) == {"done"} for run in states)
            more = (f", {running} at work" if running else "") + (f", {failed} failed" if failed else "")
            row.append(f"{done}/{len(states)}{more}" if states else "–")
        rows.append(row)
    return rows


def _width(rows: list[list[str]]) -> int:
    return sum(max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0])))


def _at_work(status: StudyStatus) -> list[str]:
    jobs = sorted((job for job in status.jobs if job.state == "running"), key=lambda job: -(job.elapsed or 0))
    if not jobs:
        return []
    lines = [f"At work: {len(jobs)}"]
    for job in jobs[:AT_WORK]:
        lines.append(f"  {_title(job)}  {_progress(job)}")
    return lines + _more(jobs, AT_WORK)


def _title(job: JobStatus) -> str:
    return f"{VERBS.get(job.item.stage, '')} {job.item.title}".strip()


def _progress(job: JobStatus) -> str:
    parts, progress = [], job.progress
    if progress and progress.step:
        parts.append(f"step {progress.step}/{progress.steps}")
        parts.append(f"loss {progress.loss}")
        if progress.validation_loss:
            parts.append(f"validation {progress.validation_loss}")
        if progress.speed is not None:
            parts.append(f"{progress.speed:g} steps/s")
            parts.append(f"{rough_duration(job.remaining)} left")
    if job.elapsed is not None:
        parts.append(f"for {rough_duration(job.elapsed)}")
    if job.silent is not None and job.silent > SILENT:
        parts.append(f"SILENT for {rough_duration(job.silent)}")
    return "  ".join(parts)


def _begun(status: StudyStatus) -> list[str]:
    """Lines about jobs that were interrupted."""
    queue = status.alive.queue
    jobs = [job for job in status.jobs if job.state == "waiting" and job.begun and job.item.comment not in queue]
    if not jobs:
        return []
    lines = [f"Interrupted: {len(jobs)}; the next start goes on"]
    for job in jobs[:BEGUN]:
        from_ = f"from its checkpoint of step {job.checkpoint}" if job.checkpoint else "from its beginning"
        at = f" was at step {job.progress.step}/{job.progress.steps};" if job.progress and job.progress.step else ""
        lines.append(f"  {_title(job)}:{at} {from_}; its last sign is {rough_duration(job.silent or 0)} old")
    return lines + _more(jobs, BEGUN)


def _failed(status: StudyStatus) -> list[str]:
    jobs = [job for job in status.jobs if job.state == "failed"]
    if not jobs:
        return []
    lines = [f"Failed: {len(jobs)}"]
    lines += [f"  {_title(job)}: {' '.join(job.reason.split())}" for job in jobs[:FAILED]]
    return lines + _more(jobs, FAILED)


def _more(jobs: Sequence[JobStatus], shown: int) -> list[str]:
    return [f"  and {len(jobs) - shown} more"] if len(jobs) > shown else []
