"""Exports runs of the study of `winners`, and asks what was exported in a process without TuneGrid."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.support import ROOT
from tests.support.winners import CONFIG
from tunegrid.cli import main
from tunegrid.study.cells import Cell

RUNNER = ROOT / "tests/support/run_cards.py"


def export(cell: Cell, folder: Path, *options: str) -> int:
    names = ["--task", cell.task, "--model", cell.model, "--method", cell.method]
    return main(["export", *CONFIG, str(folder), *names, *options])


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def card_of(folder: Path) -> tuple[dict, str]:
    """(front matter, text)."""
    _, front, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), text


def rows_of(cell: Cell) -> list[list[str]]:
    """The fields of a task's test rows, in the order of the card's function; as they are before any cleaning."""
    rows = [json.loads(line) for line in Path(f"rows/{cell.task}-test.jsonl").read_text().splitlines()]
    if cell.task == "qa":
        return [[row["question"], row["context"]] for row in rows]
    return [[row["text"]] if cell.task == "sentiment" else [row["translation"]["en"]] for row in rows]


def answers_elsewhere(tmp_path: Path, exported: dict[Path, list[list[str]]], **environment: str) -> dict:
    """What the cards' code says in a new process, in which nothing of the repository can be imported."""
    (tmp_path / "tasks.json").write_text(json.dumps([[str(folder), rows] for folder, rows in exported.items()]))
    clean = {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"} | environment
    command = [sys.executable, "-W", "ignore", str(RUNNER), str(tmp_path / "tasks.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | clean, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
