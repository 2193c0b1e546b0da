"""A study's status as plain text that fits on a screen."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from tunegrid.common.digits import rough_duration
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
    lines += _list("At work: {}", status.at_work(), AT_WORK, lambda job: f"  {_progress(job)}")
    lines += _list("Interrupted: {}; the next start goes on", _begun(status), BEGUN, _last_sign)
    lines += _list("Failed: {}", status.failed(), FAILED, lambda job: f": {' '.join(job.reason.split())}")
    return "\n".join(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in map(str.rstrip, lines))


def _head(status: StudyStatus) -> Iterator[str]:
    study, runs = status.study, status.runs()
    done = sum(set(states) == {"done"} for states in runs.values())
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.now))
    yield f"{study.title} ({study.name}): {done} of {len(runs)} runs are done. {study.paths.root}/, {at}"
    yield _who(status)
    if status.alive.note:
        yield status.alive.note
    if status.done:
        yield f"Nothing is left to do{'; what failed is listed below' if status.failed() else ''}."
    elif status.remaining:
        basis = "by the jobs that are done" if status.measured else "by the plan alone: nothing is measured yet"
        yield f"Time left: about {rough_duration(status.remaining)} with {status.at_once} at once, {basis}."
    if status.outdated:
        yield f"{status.outdated} of the runs were trained with other settings than the study has now."


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
    grid = status.study.grid
    for groups in ({method: [method] for method in grid.methods}, {"all methods": grid.methods}):
        rows = _rows(grid.tasks, groups, status.runs())
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + 2 * len(widths) <= WIDTH:
            break
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


def _list(head: str, jobs: Sequence[JobStatus], most: int, about: Callable[[JobStatus], str]) -> list[str]:
    """A paragraph about some jobs, at most so many; nothing without jobs. `head`: its line with the number as `{}`."""
    if not jobs:
        return []
    lines = ["", head.format(len(jobs))]
    for job in jobs[:most]:
        title = f"{VERBS.get(job.item.stage, '')} {job.item.title}".strip()
        lines.append(f"  {title}{about(job)}")
    return lines + ([f"  and {len(jobs) - most} more"] if len(jobs) > most else [])


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


def _begun(status: StudyStatus) -> list[JobStatus]:
    """The jobs that were interrupted."""
    queue = status.alive.queue
    return [job for job in status.jobs if job.state == "waiting" and job.begun and job.item.comment not in queue]


def _last_sign(job: JobStatus) -> str:
    from_ = f"from its checkpoint of step {job.checkpoint}" if job.checkpoint else "from its beginning"
    at = f" was at step {job.progress.step}/{job.progress.steps};" if job.progress and job.progress.step else ""
    return f":{at} {from_}; its last sign is {rough_duration(job.silent or 0)} old"
