"""history.csv: what a training said as it went."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

from tunegrid.common.files import replaced, written

NAME = "history.csv"
COLUMNS = ("step", "epoch", "loss", "learning_rate", "gradient_norm", "validation_loss")


def rows_of(log: list[dict[str, Any]], metric: str | None) -> list[dict[str, float]]:
    """Rows of history.csv from the Trainer's log. `metric`: what the weights are chosen by, if not by the loss."""
    columns = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "gradient_norm"}
    columns["eval_loss"] = "validation_loss"
    if metric is not None:
        columns[f"eval_{metric}"] = "validation_metric"
    return [
        {"step": entry["step"], "epoch": round(entry["epoch"], 4)}
        | {column: entry[name] for name, column in columns.items() if name in entry}
        for entry in log
        if "loss" in entry or "eval_loss" in entry
    ]


def write_history(rows: list[dict[str, float]], path: Path) -> None:
    """Writes history.csv, whole or not at all."""
    with written(path) as file:
        chosen_by_metric = any("validation_metric" in row for row in rows)
        writer = csv.DictWriter(file, (*COLUMNS, "validation_metric") if chosen_by_metric else COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def keep_history(checkpoints: Path, folder: Path) -> None:
    """What a training that failed had said, from beside its checkpoints to its results; at least the columns' names."""
    if (there := checkpoints / NAME).is_file():
        with replaced(folder / NAME) as temporary:
            shutil.copyfile(there, temporary)
    else:
        write_history([], folder / NAME)
