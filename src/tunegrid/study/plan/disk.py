"""How much disk a study still needs, by kind, and whether there is as much."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tunegrid.common.digits import binary_size
from tunegrid.common.errors import TuneGridError
from tunegrid.data.sources import SPLITS
from tunegrid.study.cells import Cell, Run
from tunegrid.study.mixtures import cell_wordings
from tunegrid.study.plan.cells import CellPlan, Estimator
from tunegrid.study.plan.forms import form_plan
from tunegrid.study.plan.further import domain_rows

IGNORE = "TUNEGRID_IGNORE_DISK"  # set to anything: a study starts whatever the disk
PARQUET = 0.6  # bytes of a row in Parquet for each byte of its text: compressed, with ids
PREDICTION = 120  # bytes of a prediction with its scores, beside its texts
TOKENIZER = 5 * 2**20  # tokenizer and configuration of a model
UNKNOWN_MODEL = 2 * 2**30  # a model whose architecture is not known
MARGIN = 1.1
KINDS = ("data", "models", "tokens", "weights", "predictions", "checkpoints", "cache")


@dataclass(frozen=True)
class Disk:
    """Bytes that a study needs, by kind; those of what is there already are left out.

    `cache` is the Hugging Face Hub's own folder of downloaded data, which may be on another disk.
    """

    needs: dict[str, float]

    @property
    def results(self) -> float:
        return sum(size for kind, size in self.needs.items() if kind != "cache")


def disk(estimator: Estimator, jobs: int = 1, fresh: bool = False) -> Disk:
    """Estimates the disk that a study needs.

    Args:
        jobs: trainings at once: each has its checkpoints.
        fresh: all of it, whether or not something is there already.
    """
    study, paths = estimator.study, estimator.study.paths

    def missing(file: Path) -> bool:
        return fresh or not file.is_file()

    needs = dict.fromkeys(KINDS, 0.0)
    # (task, model) of what is still to be evaluated
    pairs = product(study.grid.tasks, study.grid.models)
    todo = {pair for pair in pairs if missing(paths.untuned(*pair) / "metrics.json")}
    todo |= {(run.cell.task, run.cell.model) for run in study.runs() if missing(paths.run(run) / "metrics.json")}
    for task in study.grid.tasks:
        one = estimator.sizes.of(task, study.grid.models[0])
        text = one.row_bytes * sum(split.rows for split in one.splits.values())
        if missing(paths.data_card(task)):
            needs["data"] += PARQUET * text
            source = study.tasks[task].source
            if source.kind == "hub" and not Path(source.path).is_dir():
                found = estimator.sizes.rows(task)
                rows = found.facts["rows"] if found.facts else found.rows  # of the Hub, whatever the study's limits
                needs["cache"] += sum(rows.values()) * one.row_bytes * PARQUET
    for task, model in todo:
        if any(missing(paths.tokens(task, model) / f"{split}.arrow") for split in SPLITS):
            needs["tokens"] += sum(split.token_bytes for split in estimator.sizes.of(task, model).splits.values())
        if missing(paths.untuned(task, model) / "metrics.json"):
            needs["predictions"] += _predictions(estimator, task)
    for model in {model for _, model in todo}:
        if missing(paths.model_card(model)):
            shape = estimator.shape(model)
            needs["models"] += 4 * shape.parameters + TOKENIZER if shape else UNKNOWN_MODEL
    kept, passing = [], []
    for cell in study.trainings():
        needs["tokens"] += _mixture_tokens(estimator, cell, missing) if study.is_shared(cell) else 0
    for run in study.training_runs():
        if missing(paths.run(run) / "train.json"):
            plan = estimator.cell(run.cell)
            needs["weights"] += plan.saved_bytes if plan else UNKNOWN_MODEL
            size = _checkpoints(estimator, run, plan)
            always = study.training_settings(run.cell).keep_checkpoints == "always"
            (kept if always else passing).append(size)
    for run in study.runs():
        if missing(paths.run(run) / "metrics.json"):
            worded = len(cell_wordings(study, run.cell)) if study.is_shared(run.cell) else 0
            needs["predictions"] += (1 + worded) * _predictions(estimator, run.cell.task)
    for run in study.formed_runs():
        if missing(paths.run(run) / "metrics.json"):
            form = form_plan(estimator, run.cell, run.variant)
            needs["weights"] += form.saved_bytes if form else 0
            needs["predictions"] += _predictions(estimator, run.cell.task)
    for task in study.grid.tasks:
        _add_domains(needs, estimator, task, missing)
    needs["checkpoints"] = sum(kept) + sum(sorted(passing, reverse=True)[:jobs])
    return Disk(needs)


def _add_domains(needs: dict[str, float], estimator: Estimator, task: str, missing: Callable[[Path], bool]) -> None:
    """Adds the rows of a task's other domains, and what runs and untuned models answer to them."""
    study, paths, rows = estimator.study, estimator.study.paths, domain_rows(estimator, task)
    own = estimator.sizes.of(task, study.grid.models[0])
    for domain, count in rows.items():
        if missing(paths.domain(task, domain) / "card.json"):
            needs["data"] += PARQUET * own.row_bytes * count
        results = [paths.run(run) for run in study.runs() if run.cell.task == task]
        results += [paths.untuned(task, model) for model in study.grid.models]
        todo = sum(missing(paths.domain_results(result) / domain / "metrics.json") for result in results)
        needs["predictions"] += todo * _predictions(estimator, task) * count / max(own.splits["test"].rows, 1)


def _predictions(estimator: Estimator, task: str) -> float:
    size = estimator.sizes.of(task, estimator.study.grid.models[0])
    test = size.splits["test"]
    return test.rows * (PREDICTION + 12 * test.target.mean)  # a token is about four letters: text, references, scores


def _checkpoints(estimator: Estimator, run: Run, plan: CellPlan | None) -> float:
    """Bytes of the checkpoints that a run has at once: those that are kept, and the one that is being written."""
    training, entries = estimator.study.training_settings(run.cell), estimator.sizes.trained(run.cell)["train"].entries
    interval = training.checkpoint_interval(entries)
    if interval is None:
        return 0.0
    count = min(training.checkpoints_kept + 1, math.ceil(training.steps(entries) / interval))
    return count * (plan.checkpoint_bytes if plan else UNKNOWN_MODEL)


def _mixture_tokens(estimator: Estimator, cell: Cell, missing: Callable[[Path], bool]) -> float:
    """Bytes of the token files of a mixture, and of the test sets in all of its wordings."""
    study, paths, size = estimator.study, estimator.study.paths, 0.0
    if missing(paths.training_tokens(cell) / "train.arrow"):
        splits = estimator.sizes.trained(cell)
        size += splits["train"].token_bytes + splits["validation"].token_bytes
    for shared in study.sharing(cell):
        if missing(paths.wording_tokens(shared.task, cell.model, cell.method) / "stats.json"):
            test = estimator.sizes.of(shared.task, cell.model).splits["test"]
            size += len(cell_wordings(study, shared)) * test.token_bytes
    return size


def check_disk(estimator: Estimator, jobs: int = 1) -> None:
    """Whether a study fits on the disk.

    Raises:
        TuneGridError: it does not; the message says how much is needed for what, and what to do.
    """
    if os.environ.get(IGNORE):
        return
    need = disk(estimator, jobs)
    root, cache = estimator.study.paths.root, hub_cache()
    # On one disk a model's files in results/ are second names of those in the cache; else they are copies.
    hub = any(model.source.kind == "hub" for model in estimator.study.models.values())
    places = {root: need.results, cache: need.needs["cache"] + hub * need.needs["models"]}
    if _existing(root).stat().st_dev == _existing(cache).stat().st_dev:
        places = {root: need.results + need.needs["cache"]}
    for place, size in places.items():
        free = shutil.disk_usage(_existing(place)).free
        if size * MARGIN > free:
            kinds = ", ".join(
                f"{kind} {binary_size(size)}"
                for kind, size in need.needs.items()
                if size >= 2**20 and (len(places) == 1 or (kind == "cache") == (place == cache) or kind == "models")
            )
            raise TuneGridError(
                f"not enough disk for the study {estimator.study.name}: about {binary_size(size * MARGIN)} more are "
                f"needed under {place}/ ({kinds}), {binary_size(free)} are free. Run it on a larger disk (results/ can "
                f"be a link to one, and HF_HOME can name another cache), remove what finished studies no longer need "
                f"(`tunegrid clean CONFIG`), keep fewer checkpoints (`training.checkpoints_kept`), or run fewer jobs "
                f"at once. These are estimates: {IGNORE}=1 goes on anyway."
            )


def hub_cache() -> Path:
    """The Hub's folder of downloads, as its library finds it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HF_HOME") or Path(base) / "huggingface")


def _existing(path: Path) -> Path:
    """The path, or the closest of its parents that is there."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def form_disk(estimator: Estimator, cell: Cell, name: str) -> float:
    """Bytes that the evaluation of a run in another form writes, of which the converted model is there for a while."""
    plan, form = estimator.cell(cell), form_plan(estimator, cell, name)
    kept = form.saved_bytes if form else 0
    return (4 * plan.parameters if plan else UNKNOWN_MODEL) + kept + _predictions(estimator, cell.task)


def job_disk(estimator: Estimator, cell: Cell) -> float:
    """Bytes that a training job writes: weights, and checkpoints where there are any."""
    plan = estimator.cell(cell)
    return (plan.saved_bytes if plan else UNKNOWN_MODEL) + _checkpoints(estimator, Run(cell, 0), plan)
