"""Which run answers: of the recommended cell, or of one that is named, the seed that validation data prefer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.records import read_rows
from tunegrid.models.forms import Form
from tunegrid.models.seal import check_base, check_trained_from, check_weights
from tunegrid.results.records import MetricsRecord, TrainRecord, read_record
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import run_settings
from tunegrid.study.study import Study

RECOMMENDATION = ("task", "model", "method", "rationale", "left_out")  # columns of recommendation.csv


@dataclass(frozen=True)
class Winner:
    """A run whose weights are there.

    Attributes:
        folder: of the run.
        training: its train.json.
        recommended: the task's row of recommendation.csv if the run is of the recommended cell; else None.
        reason: why this cell and this seed, in sentences.
        form: of its weights, such as int8, the recommended one unless another is asked for; None: as they were trained.
    """

    run: Run
    folder: Path
    training: TrainRecord
    recommended: dict[str, str] | None
    reason: str
    form: str | None = None

    def __str__(self) -> str:
        cell = self.run.cell
        form = f" as {self.form}" if self.form else ""
        return f"{cell.task}: {cell.model} with {cell.method}{form}, seed {self.run.seed}. {self.reason}"


def choose(
    study: Study, task: str, model: str | None = None, method: str | None = None, seed: int | None = None
) -> Winner:
    """The run to answer with; scores on test data are not looked at beyond what the recommendation is made of.

    Args:
        model, method: both, for a cell other than the recommended one.
        seed: none: of the cell's runs the one that validation data prefer.

    Raises:
        TuneGridError: there is no such run, no recommendation, or nothing of it can be used any more.
    """
    if (model is None) != (method is None):
        raise TuneGridError("--model and --method name a cell together: give both, or none for the recommended one.")
    if not study.paths.root.is_dir():
        raise TuneGridError(
            f"{study.paths.root}/: no such folder of results. Run the study first, or go to the folder it was run in."
        )
    found = _recommendation(study, task, required=model is None)
    recommended = Cell(task, found["model"], found["method"]) if found and found["model"] else None
    if model is None or method is None:
        cell = _recommended_cell(study, task, found, recommended)
        reason, form = f"Recommended: {found['rationale']}", found.get("form") or None
    else:
        cell, form = Cell(task, model, method), None
        reason = "The recommended cell." if cell == recommended else "Not the recommended cell."
    run, training, of_seed = _run(study, cell, seed)
    winner = Winner(
        run, study.paths.run(run), training, found if cell == recommended else None, f"{reason} {of_seed}".strip(), form
    )
    _require_usable(study, winner)
    return winner


def require_form(study: Study, winner: Winner, form: Form) -> Path:
    """The folder of the weights that were saved of a form that is tuned, of the winner's run.

    Raises:
        TuneGridError: they are not there, or not as they were saved.
    """
    run = Run(winner.run.cell, winner.run.seed, form.name)
    file, cell = study.paths.run(run) / "metrics.json", run.cell
    again = f"Make them: tunegrid compress CONFIG --task {cell.task} --model {cell.model} --method {cell.method}"
    again += f" --seed {run.seed} --form {form.name}"
    if not file.is_file():
        raise TuneGridError(f"{file}: no such file, so there are no weights of {cell} as {form.name}. {again}")
    record = read_record(file, MetricsRecord, kind="run", **run.names)
    if record.status != "ok" or record.form is None:
        raise TuneGridError(f"{file}: {cell} as {form.name} has no weights ({record.status}: {record.reason}).")
    weights = file.parent / "weights"
    if record.form.weights is None or not weights.is_dir():
        raise TuneGridError(f"{weights}: the weights of {cell} as {form.name} are not there. {again}")
    check_weights(weights, record.form.weights, file, again)
    return weights


# -- the cell ---------------------------------------------------------------------------------------------------------


def _recommendation(study: Study, task: str, required: bool) -> dict[str, str]:
    """The task's row of recommendation.csv; {} where there is none and none is required."""
    file = study.paths.tables / "recommendation.csv"
    if file.exists():
        rows = [row for row in read_rows(file, *RECOMMENDATION) if row["task"] == task]
        if rows:
            return rows[0]
    if not required:
        return {}
    what = f"{file}: says nothing of the task {task}" if file.is_file() else f"{file}: no such file"
    raise TuneGridError(
        f"{what}, so no run is recommended. `tunegrid tables` with this configuration writes it from the results that "
        "are there; or name a cell: --model and --method."
    )


def _recommended_cell(study: Study, task: str, found: dict[str, str], cell: Cell | None) -> Cell:
    if cell is None:
        out = f" Left out: {found['left_out']}." if found["left_out"] else ""
        raise TuneGridError(
            f"No cell is recommended for the task {task}. {found['rationale']}{out} "
            "To use a run nevertheless, name its cell: --model and --method."
        )
    if cell not in study.cells():
        raise TuneGridError(
            f"{study.paths.tables / 'recommendation.csv'}: recommends {cell}, which the study does not have. It is of "
            "another configuration: write it again with `tunegrid tables`."
        )
    return cell


# -- the seed ---------------------------------------------------------------------------------------------------------


def _run(study: Study, cell: Cell, seed: int | None) -> tuple[Run, TrainRecord, str]:
    """(the run, its record, why this seed)."""
    records = {}
    states = {}
    for number in study.seeds if seed is None else [seed]:
        run = Run(cell, number)
        file = study.paths.run(run) / "train.json"
        if not file.is_file():
            states[number] = "not trained yet"
            continue
        record = read_record(file, TrainRecord, **run.names)
        if record.status == "ok":
            records[number] = record
        else:
            states[number] = f"{record.status}: {record.reason}"
    if not records:
        reasons = "; ".join(f"seed {number}: {state}" for number, state in states.items())
        raise TuneGridError(f"{cell} has no weights to use ({reasons}). Run it first: snakemake … {cell.target}")
    chosen, why = (seed, "") if seed is not None else _preferred(records)
    if states:
        why += " Not to choose from: " + "; ".join(f"seed {number} ({state})" for number, state in states.items()) + "."
    return Run(cell, chosen), records[chosen], why.strip()


def _preferred(records: dict[int, TrainRecord]) -> tuple[int, str]:
    """(the seed whose weights were best on validation data, why). Of equal ones the first in the study's order."""
    first = next(iter(records))
    if len(records) == 1:
        return first, ""
    chosen = {seed: record.selection for seed, record in records.items()}
    if any(selection is None for selection in chosen.values()) or len({s.by for s in chosen.values()}) > 1:
        return first, f"Seed {first} is the first of {len(records)}: they have no validation score in common."
    by = chosen[first].by
    if by == "loss":
        values = {seed: selection.validation_loss for seed, selection in chosen.items()}
        best, what = min(values, key=values.get), "lowest validation loss"
    else:
        values = {seed: selection.validation_metric for seed, selection in chosen.items()}
        best, what = max(values, key=values.get), f"highest {by} on validation data"
    others = ", ".join(f"{value:.4g} with seed {seed}" for seed, value in values.items() if seed != best)
    return best, f"Of its seeds, {best} has the {what}: {values[best]:.4g}, and not {others}."


# -- whether it can be used -------------------------------------------------------------------------------------------


def _require_usable(study: Study, winner: Winner) -> None:
    """Weights and base model are there, as they were saved, and belong together and to the study as it is now."""
    cell, weights = winner.run.cell, winner.folder / "weights"
    if not weights.is_dir() or not any(weights.iterdir()):
        raise TuneGridError(
            f"{weights}: the weights of this run are not there; `tunegrid clean --weights` removes them. Train it "
            f"again: {study.train_again(cell)}"
        )
    base = study.paths.model(cell.model)
    if not (base / "config.json").is_file():
        command = "pretrain" if study.models[cell.model].source.kind == "pretrain" else "fetch-model"
        raise TuneGridError(
            f"{base}: the base model, which has the tokenizer too, is not there; `tunegrid clean` removes it. Get it "
            f"again: tunegrid {command} CONFIG --model {cell.model}"
        )
    check_trained_from(base, winner.folder, winner.training.provenance.model_fingerprint)
    _require_same_prompts(study, winner)
    check_base(base)
    check_weights(
        weights,
        winner.training.weights,
        winner.folder / "train.json",
        f"Train the run again: {study.train_again(cell)}",
    )


def _require_same_prompts(study: Study, winner: Winner) -> None:
    """A model only answers well to the prompts and lengths that it was tuned with."""
    cell, recorded = winner.run.cell, winner.training.configuration
    expected: dict[str, Any] = {
        **run_settings(study, cell)["tokens"],
        "kind of method": study.method_settings(cell).kind,
    }
    then = {**recorded.get("tokens", {}), "kind of method": recorded.get("method", {}).get("kind")}
    changed = [key for key in expected if expected[key] != then.get(key)]
    if changed:
        changes = "; ".join(f"{key}: {then.get(key)!r} then, {expected[key]!r} now" for key in changed)
        raise TuneGridError(
            f"{winner.folder}: was trained with other settings than the study has now ({changes}). Put them back, or "
            "run the study again."
        )
