"""Removing what a finished study no longer needs; every number and every prediction stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from itertools import chain
from pathlib import Path

from tunegrid.common.digits import binary_size
from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import read_json, size_of, write_json
from tunegrid.common.temporary import leftovers, remove
from tunegrid.runtime.snakemake import LOCKS, is_locked
from tunegrid.study.study import Study


def clean(study: Study, *, weights: bool = False, checkpoints_only: bool = False, dry_run: bool = False) -> str:
    """Removes checkpoints, token files and base models of a finished study; returns a list of them, in several lines.

    Args:
        weights: also remove the tuned weights of the runs.
        checkpoints_only: only remove the checkpoints of runs that are done, whether or not the study is finished.
        dry_run: remove nothing, only list.

    Raises:
        TuneGridError: the study is not finished, or Snakemake is at work in this folder.
    """
    if is_locked():
        raise TuneGridError(
            f"Snakemake is at work in this folder ({LOCKS}): wait for it. If none is running, it was killed: "
            "`tunegrid unlock`, then run the study to its end."
        )
    if not checkpoints_only:
        _require_finished(study)
    found = {"checkpoints": _checkpoints(study), "leftovers": _leftovers(study)}
    if not checkpoints_only:
        found |= {"tokens": _tokens(study), "models": _models(study), "weights": _weights(study) if weights else []}
    sizes = {kind: {path: size_of(path) for path in paths} for kind, paths in found.items()}
    if not dry_run:
        for folder in found.get("models", ()):
            if (card := folder / "card.json").is_file():
                write_json(study.paths.kept_card(folder.name), read_json(card))
        for path in chain(*found.values()):
            remove(path)
    return _text(sizes, study, dry_run)


def _require_finished(study: Study) -> None:
    results = list(_results(study))
    missing = [name for name, place in results if not place.exists()]
    if missing:
        shown = "; ".join(missing[:5]) + (f"; and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise TuneGridError(
            f"the study {study.name} is not finished: {len(missing)} of {len(results)} results are "
            f"missing ({shown}). Run it to its end first. `--checkpoints` removes the checkpoints of the runs that are "
            "done."
        )


def _results(study: Study) -> Iterator[tuple[str, Path]]:
    """Yields the name of each result that a finished study has, with its file or folder."""
    paths, runs = study.paths, {f"{run.cell}, seed {run.seed}": run for run in study.runs()}
    for name, run in runs.items():
        yield name, paths.run(run) / "metrics.json"
    for task in study.grid.tasks:
        for model in study.grid.models:
            yield f"{task}_{model}_untuned", paths.untuned(task, model) / "metrics.json"
        for name in study.task(task).baselines():
            yield f"{task}, {name}", paths.baseline(task, name) / "metrics.json"
    probed = {settings.task for settings in study.probes.values()}
    for name, run in runs.items():
        if study.tasks[run.cell.task].evaluate_on:
            yield f"{name}, other domains", paths.domain_results(paths.run(run))
    for name, run in runs.items():
        if run.cell.task in probed:
            yield f"{name}, bias probes", paths.probe_results(paths.run(run))
    for name, run in runs.items() if study.forgetting else ():
        yield f"{name}, pretraining loss", paths.run(run) / "forgetting.json"


def _checkpoints(study: Study) -> list[Path]:
    """Checkpoints of runs that have a record: an interrupted run still goes on from its own."""
    paths = []
    for run in study.training_runs():
        if (study.paths.run(run) / "train.json").is_file():
            prefix = study.paths.checkpoints(run, "")
            paths += sorted(prefix.parent.glob(f"{prefix.name}*"))
    return paths


def _leftovers(study: Study) -> list[Path]:
    """What killed processes were writing."""
    folders = [study.paths.root, *(path for path in study.paths.root.rglob("*") if path.is_dir())]
    return [path for folder in folders for path in leftovers(folder)]


def _tokens(study: Study) -> list[Path]:
    """The token files; stats.json and ceiling.json stay, because the report is made of them."""
    folders = [study.paths.tokens(task, model) for task in study.grid.tasks for model in study.grid.models]
    folders += sorted(study.paths.training_tokens(cell) for cell in study.trainings() if study.is_shared(cell))
    folders += [study.paths.wording_tokens(*astuple(cell)) for cell in study.cells() if study.is_shared(cell)]
    return [file for folder in folders for file in sorted(folder.glob("*.arrow"))]


def _models(study: Study) -> list[Path]:
    """Whole folders of base models, so that Snakemake makes them again when needed; their cards are kept elsewhere."""
    return [folder for model in study.grid.models if (folder := study.paths.model(model)).is_dir()]


def _weights(study: Study) -> list[Path]:
    runs = [*study.runs(), *(run for run in study.training_runs() if study.is_shared(run.cell))]
    folders = [study.paths.run(run) / "weights" for run in [*runs, *study.formed_runs()]]
    return [folder for folder in folders if folder.is_dir()]


def _text(sizes: dict[str, dict[Path, int]], study: Study, dry_run: bool) -> str:
    """What was removed, or would be, and how many bytes of each kind."""
    lines = [f"{path}  {binary_size(size)}" for paths in sizes.values() for path, size in paths.items()]
    if not lines:
        return f"{study.paths.root}/ holds nothing that can be removed"
    totals = {kind: sum(paths.values()) for kind, paths in sizes.items() if paths}
    verb = "would be removed" if dry_run else "removed"
    total = ", ".join(f"{kind} {binary_size(size)}" for kind, size in totals.items())
    lines.append(f"{binary_size(sum(totals.values()))} {verb}: {total}")
    if {"tokens", "models"} & totals.keys():
        lines.append(
            "The report can be rebuilt, and every result stays. Further seeds or cells fetch and tokenise again, and "
            "then train again what used that data and model."
        )
    return "\n".join(lines)
