"""A study's status on one screen: how far it is, each run of each cell as a character, what runs, what failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from statistics import fmean

from tunegrid.common.digits import rough_duration
from tunegrid.study.cells import Cell
from tunegrid.study.status.items import STAGES
from tunegrid.study.status.read import JobStatus, State, StudyStatus

WAITING, TRAINING, TRAINED, EVALUATING, DONE, FAILED = "·", "t", "T", "e", "●", "x"
LEGEND = (
    f"{WAITING} waits   {TRAINING} trains   {TRAINED} is trained   {EVALUATING} is evaluated   {DONE} scored   "
    f"{FAILED} failed"
)
BAR = 16
ALL = "all methods"
AT_WORK, FAILURES = 3, 3  # lines at most


def format_screen(
    status: StudyStatus, width: int, height: int, jobs: tuple[int, int], log: str, note: str
) -> list[str]:
    """The lines of a screen.

    Args:
        jobs: number of jobs that this start of the workflow has done, and of all that it has to do.
        log: the file with everything that Snakemake says.
        note: what else there is to say, such as that the workflow is being stopped; "": nothing.
    """
    states = run_states(status)
    head = [*_head(status, states, jobs), ""]
    foot = ["", f"log  {log}"] + ([note] if note else [])
    work = _work(status)
    grid = _grid(status, states, width, height - 1 - len(head) - len(work) - len(foot) - 1)
    lines = [*head, *grid, LEGEND, *work, *foot]
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines[: height - 1]]


def run_states(status: StudyStatus) -> dict[tuple[Cell, str], str]:
    """The state of each run, by its cell and seed, as a character of the legend."""
    return {run: _character(*states) for run, states in status.runs().items()}


def _character(training: State, evaluation: State) -> str:
    if "failed" in (training, evaluation):
        return FAILED
    if training != "done":
        return TRAINING if training == "running" else WAITING
    return {"done": DONE, "running": EVALUATING}.get(evaluation, TRAINED)


def _head(status: StudyStatus, states: dict[tuple[Cell, str], str], jobs: tuple[int, int]) -> Iterator[str]:
    counts = Counter(states.values())
    done, total = jobs
    full = round(BAR * done / total) if total else BAR
    left = f"about {rough_duration(status.remaining)} left" if status.remaining else "nothing left"
    failed = f"   {counts[FAILED]} failed" if counts[FAILED] else ""
    yield f"{status.study.title}   {status.study.paths.root}/"
    bar = "#" * full + "." * (BAR - full)
    yield f"[{bar}] {done} of {total} jobs   {counts[DONE]} of {len(states)} runs{failed}   {left}"


def _grid(status: StudyStatus, states: dict[tuple[Cell, str], str], width: int, height: int) -> list[str]:
    """A table of the cells, with as much detail as there is room for."""
    grid, scores = status.study.grid, _scores(status)
    seeds: dict[Cell, str] = defaultdict(str)
    for (cell, _), state in states.items():
        seeds[cell] += state
    models = {(task, model): f"{task}  {model}" for task, model in product(grid.tasks, grid.models)}
    tasks, methods, together = {task: task for task in grid.tasks}, {name: name for name in grid.methods}, {None: ALL}
    layouts = ((models, methods), (models, methods), (models, together), (tasks, methods), (tasks, together))
    for number, (rows, columns) in enumerate(layouts):
        if len(rows) + 1 > height and rows is not tasks:
            continue
        show = _counts if number else partial(_seeds, scores=scores)
        groups: dict[tuple[object, object], list[Cell]] = defaultdict(list)
        for cell in seeds:
            row = cell.task if rows is tasks else (cell.task, cell.model)
            groups[row, None if columns is together else cell.method].append(cell)
        body = [
            [title, *(show(groups[row, column], seeds) if (row, column) in groups else "–" for column in columns)]
            for row, title in rows.items()
        ]
        table = [["", *columns.values()], *body]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        if sum(widths) + 3 * len(widths) <= width:
            break
    lines = ["   ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in table]
    return lines if len(lines) <= height else [*lines[: max(1, height - 1)], f"and {len(lines) - height + 1} more"]


def _scores(status: StudyStatus) -> dict[Cell, float]:
    """The mean score of each cell's runs so far."""
    values: dict[Cell, list[float]] = {}
    for job in status.in_stage("evaluation"):
        if job.score is not None and job.state == "done":
            values.setdefault(job.item.cell, []).append(job.score)
    return {cell: fmean(scores) for cell, scores in values.items()}


def _seeds(cells: Sequence[Cell], seeds: dict[Cell, str], scores: dict[Cell, float]) -> str:
    (cell,) = cells
    return f"{seeds[cell]} {scores[cell]:.3f}" if cell in scores else seeds[cell]


def _counts(cells: Sequence[Cell], seeds: dict[Cell, str]) -> str:
    counts = Counter("".join(seeds[cell] for cell in cells))
    return f"{counts[DONE]}/{counts.total()}" + (f" {counts[FAILED]}{FAILED}" if counts[FAILED] else "")


def _work(status: StudyStatus) -> list[str]:
    """Lines about the stages without runs, about the jobs at work, and about those that failed."""
    stages = []
    for stage in STAGES:
        jobs = status.in_stage(stage)
        if jobs and stage not in ("training", "evaluation"):
            stages.append(f"{stage} {sum(job.state == 'done' for job in jobs)}/{len(jobs)}")
    failed = status.failed()
    lines = ["", "   ".join(stages)]
    lines += [f"now  {job.item.stage}  {job.item.title}{_step(job)}" for job in status.at_work()[:AT_WORK]]
    lines += [f"{FAILED}    {job.item.title}: {' '.join(job.reason.split())}" for job in failed[:FAILURES]]
    return lines + ([f"     and {len(failed) - FAILURES} more failed"] if len(failed) > FAILURES else [])


def _step(job: JobStatus) -> str:
    progress = job.progress
    step = f"  step {progress.step} of {progress.steps}, loss {progress.loss}" if progress and progress.step else ""
    return f"{step}  for {rough_duration(job.elapsed)}" if job.elapsed is not None else step
