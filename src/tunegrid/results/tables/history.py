"""The training histories of all runs, from their history.csv, as one tidy table."""

from __future__ import annotations

import csv

from tunegrid.common.errors import TuneGridError
from tunegrid.results.expected import Row
from tunegrid.results.read import Result, StudyResults

MEASURED = ("epoch", "loss", "validation_loss", "validation_metric", "learning_rate", "gradient_norm")
COLUMNS = f"study task model method seed status step examples {' '.join(MEASURED)}"


def history_rows(study: StudyResults) -> list[Row]:
    """A row for each line of each history.csv, also of failed runs; `examples`: examples seen up to that step.

    Raises TuneGridError for a file that is not what a training writes.
    """
    return [row for result in study.results if result.kind == "run" for row in _rows(result)]


def _rows(result: Result) -> list[Row]:
    file = result.folder / "history.csv"
    if not file.is_file():
        return []
    cost = result.training.cost if result.training else None
    per_step = cost.examples / cost.steps if cost and cost.steps else None
    rows = []
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            for line in csv.DictReader(lines):
                step = int(line["step"])
                row = result.names | {"status": result.status, "step": step}
                row["examples"] = None if per_step is None else round(step * per_step)
                rows.append(row | {name: float(line[name]) for name in MEASURED if line.get(name)})
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise TuneGridError(
            f"{file}: not a history of a training ({type(error).__name__}: {error}). Train again."
        ) from error
    return rows
