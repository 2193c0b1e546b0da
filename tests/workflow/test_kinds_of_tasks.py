"""config/tasks.yaml in small, through Snakemake to its report: every kind of task that the generated world has rows of."""

import csv
import shutil

import pytest

from tests.support import ROOT
from tests.support.running import Workflow
from tunegrid.data.sources.generated import KINDS
from tunegrid.study.load import load_study

pytestmark = pytest.mark.slow

NAMES = ("translation", "qa", "sentiment", "topics", "entities", "summaries", "questions")
ROWS = "{source: {rows: {train: 64, validation: 8, test: 12}}, evaluate_on: {away: {rows: {test: 8}}}}"
SMALLER = f"""\
study: kinds
seeds: [1]
grid: {{models: [t5], methods: [lora]}}
tasks: {{{", ".join(f"{name}: {ROWS}" for name in NAMES)}}}
overrides: []
training: {{learning_rate: 1.0e-3, max_steps: 2, batch_size: 8, logging_steps: 1}}
measure: {{latency_examples: 2}}
"""


def test_a_study_of_all_kinds_of_tasks_ends_with_a_report_of_each(tmp_path):
    shutil.copy(ROOT / "config" / "tasks.yaml", tmp_path / "tasks.yaml")
    (tmp_path / "smaller.yaml").write_text(SMALLER, encoding="utf-8")
    configs = (tmp_path / "tasks.yaml", tmp_path / "smaller.yaml")
    study = load_study(*configs)
    assert {task.kind for task in study.tasks.values()} == set(KINDS)
    done = Workflow(tmp_path, *configs).snakemake("--cores", "2")
    assert done.returncode == 0, done.stdout[-5000:]
    root = tmp_path / "results" / "kinds"
    with (root / "tables" / "cells.csv").open(newline="", encoding="utf-8") as file:
        runs = {row["task"]: row["status"] for row in csv.DictReader(file) if row["kind"] == "run"}
    assert runs == dict.fromkeys(NAMES, "ok")
    with (root / "tables" / "domains.csv").open(newline="", encoding="utf-8") as file:
        assert {row["task"] for row in csv.DictReader(file) if row["status"] == "ok"} == set(NAMES)
    with (root / "tables" / "ceilings.csv").open(newline="", encoding="utf-8") as file:
        ceilings = list(csv.DictReader(file))
    assert {row["task"] for row in ceilings} == set(NAMES)
    log = (root / "report" / "report.log").read_text(encoding="utf-8", errors="replace")
    assert r"Overfull \vbox" not in log  # nothing is higher than a page
    report = (root / "report" / "report.html").read_text(encoding="utf-8")
    assert all(task.title in report for task in study.tasks.values() if task.title)
