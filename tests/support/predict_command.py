"""Runs `tunegrid predict` on the study of `winners`, and reads its answers."""

import json
from pathlib import Path

from tests.support.winners import CONFIG
from tunegrid.cli import main
from tunegrid.study.cells import Cell


def predict(*options: str) -> int:
    return main(["predict", *CONFIG, *options])


def cell_options(cell: Cell) -> list[str]:
    return ["--task", cell.task, "--model", cell.model, "--method", cell.method]


def answers(file: str) -> list[dict]:
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
