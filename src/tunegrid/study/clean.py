"""Removing what a finished study no longer needs; every number and every prediction stays."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import read_json, size_of, write_json
from tunegrid.common.words import bytes_
from tunegrid.study.study import Study

LOCKS = Path(".snakemake/locks")


@dataclass(frozen=True)
class Removed:
    """What was removed, or would be: `kind` is checkpoints, tokens, models or weights."""

    kind: str
    path: Path
    size: int


def clean(study: Study, *, weights: bool = False, checkpoints_only: bool = False, dry_run: bool = False) -> str:
    """Removes checkpoints, token files and base models of a finished study; says what, in several lines.

    Args:
        weights: the tuned weights of the runs too.
        checkpoints_only: only checkpoints of runs that are done, be the study finished or not.
        dry_run: only say it.

    Raises:
        TuneGridError: the study is not finished, or Snakemake is at work in this folder.
    """
    if LOCKS.is_dir() and any(LOCKS.iterdir()):
        raise TuneGridError(
            f"Snakemake is at work in this folder ({LOCKS}): wait for it. If none is running, it was killed: "
            "`snakemake --unlock`, then run the study to its end."
        )
    if not checkpoints_only:
        _require_finished(study)
    removed = _checkpoints(study)
    if not checkpoints_only:
        removed += _tokens(study) + _models(study) + (_weights(study) if weights else [])
    if not dry_run:
        for one in removed:
            _remove(study, one)
    return _text(removed, study, dry_run)


def _require_finished(study: Study) -> None:
    paths = study.paths
    results = {str(run.cell) + f", seed {run.seed}": study.paths.run(run) for run in study.runs()}
    for task in study.grid.tasks:
        results |= {f"{task}_{model}_untuned": paths.untuned(task, model) for model in study.grid.models}
        results |= {f"{task}, {name}": paths.baseline(task, name) for name in study.task(task).baselines()}
    missing = [name for name, folder in results.items() if not (folder / "metrics.json").is_file()]
    if missing:
        shown = "; ".join(missing[:5]) + (f"; and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise TuneGridError(
            f"the study {study.name} is not finished: {len(missing)} of {len(results)} results are missing ({shown}). "
            "Run it to its end first. `--checkpoints` removes the checkpoints of the runs that are done."
        )


def _checkpoints(study: Study) -> list[Removed]:
    """Those of runs that have a record: an interrupted run still goes on from its own."""
    found = []
    for run in study.runs():
        if (study.paths.run(run) / "train.json").is_file():
            place = study.paths.checkpoints(run, "")
            found += sorted(place.parent.glob(f"{place.name}*"))
    return [Removed("checkpoints", path, size_of(path)) for path in found]


def _tokens(study: Study) -> list[Removed]:
    """The token files; stats.json stays, for the report counts what was cut by it."""
    folders = [study.paths.tokens(task, model) for task in study.grid.tasks for model in study.grid.models]
    files = [file for folder in folders for file in sorted(folder.glob("*.arrow"))]
    return [Removed("tokens", file, file.stat().st_size) for file in files]


def _models(study: Study) -> list[Removed]:
    """Whole folders, so that Snakemake makes them again when they are needed; their cards are kept elsewhere."""
    folders = [study.paths.model(model) for model in study.grid.models]
    return [Removed("models", folder, size_of(folder)) for folder in folders if folder.is_dir()]


def _weights(study: Study) -> list[Removed]:
    folders = [study.paths.run(run) / "weights" for run in study.runs()]
    return [Removed("weights", folder, size_of(folder)) for folder in folders if folder.is_dir()]


def _remove(study: Study, one: Removed) -> None:
    if one.kind == "models":
        card = one.path / "card.json"
        if card.is_file():
            write_json(study.paths.kept_card(one.path.name), read_json(card))
    if one.path.is_dir():
        shutil.rmtree(one.path)
    else:
        one.path.unlink()


def _text(removed: list[Removed], study: Study, dry_run: bool) -> str:
    if not removed:
        return f"{study.paths.root}/ holds nothing that can be removed"
    lines = [f"{one.path}  {bytes_(one.size)}" for one in removed]
    kinds = {
        kind: sum(one.size for one in removed if one.kind == kind) for kind in dict.fromkeys(o.kind for o in removed)
    }
    verb = "would be removed" if dry_run else "removed"
    total = ", ".join(f"{kind} {bytes_(size)}" for kind, size in kinds.items())
    lines.append(f"{bytes_(sum(kinds.values()))} {verb}: {total}")
    if {"tokens", "models"} & kinds.keys():
        lines.append(
            "The report can be rebuilt, and every result stays. Further seeds or cells fetch and tokenise again, and "
            "then train again what used that data and model."
        )
    return "\n".join(lines)
