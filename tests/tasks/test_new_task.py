"""The task and the metric of docs/adding-a-task.md, each one file and its name, from the study file to the model card."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.support import ROOT

STUDY = """\
study: toy
title: A toy
description: A task that is not in the package.
seeds: [1]
hardware: {device: cpu, threads: 1, precision: fp32}
grid: {tasks: [headlines], models: [t5], methods: [full, lora]}
tasks:
  headlines:
    kind: headlines
    source: {kind: files, paths: {train: train.jsonl, test: test.jsonl}, licence: CC0-1.0}
    max_source_length: 48
    max_target_length: 12
    generation: {max_new_tokens: 8}
models:
  t5: {family: t5, source: {kind: directory, path: checkpoints/t5}}
methods: {full: {kind: full}, lora: {kind: lora, r: 4, alpha: 8, dropout: 0.0}}
training: {learning_rate: 1.0e-3, max_steps: 2, batch_size: 8}
measure: {latency_examples: 2}
"""

# A file of the documentation is a module; then its class is named in the dictionary, before a study is read.
SCRIPT = """\
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

def load(name):
    spec = spec_from_file_location(f"{name}_of_the_documentation", f"{name}.py")
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

from tunegrid.tasks.metrics import METRICS
METRICS["word_coverage"] = load("word_coverage").WordCoverage
from tunegrid.tasks import TASKS
TASKS["headlines"] = load("headlines").Headlines
heavy = {"torch", "transformers", "datasets", "evaluate", "sklearn", "sacrebleu", "pandas"}

from tunegrid.study.cells import Run
from tunegrid.study.load import load_study
study = load_study("study.yaml")
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()

from tunegrid.deploy.choose import choose
from tunegrid.deploy.export import export
from tunegrid.stages.evaluate import evaluate_baseline, evaluate_run, evaluate_untuned
from tunegrid.stages.fetch_data import fetch_data
from tunegrid.stages.fetch_model import fetch_model
from tunegrid.stages.report import write_report
from tunegrid.stages.tokenise import tokenise
from tunegrid.stages.train import train
task, paths = study.task("headlines"), study.paths
fetch_data("headlines", task, paths.data("headlines"))
fetch_model(study, "t5", paths.model("t5"))
data, model = paths.data("headlines"), paths.model("t5")
tokenise(task, "t5", data, model, paths.tokens("headlines", "t5"))
evaluate_baseline(study, "headlines", "lead", paths.baseline("headlines", "lead"))
evaluate_untuned(study, "headlines", "t5", paths.untuned("headlines", "t5"))
for cell in study.cells():
    train(study, Run(cell, 1), paths.run(Run(cell, 1)))
    evaluate_run(study, Run(cell, 1), paths.run(Run(cell, 1)))
write_report(study, pdf=False)
export(study, choose(study, "headlines"), Path("exported"))
"""


def write_rows(file: str, count: int, start: int) -> None:
    names = ["Anna", "Ben", "Cora", "Dan", "Emil"]
    with Path(file).open("w", encoding="utf-8") as output:
        for number in range(start, start + count):
            who, other = names[number % 5], names[number // 5 % 5]
            article = f"{who} lives with {other} in house {number}. They have a dog. The dog sees {other}."
            highlights = f"{who} lives with {other} in house {number}."
            output.write(json.dumps({"article": article, "highlights": highlights}) + "\n")


@pytest.fixture
def toy(checkpoints, tmp_path, monkeypatch) -> Path:
    """A folder with the study, its rows, and the two files of the documentation."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/adding-a-task.md").read_text(encoding="utf-8")
    for path, code in re.findall(r"^`src/tunegrid/(tasks/[\w/]+\.py)`:\n\n```python\n(.*?)```", text, re.M | re.S):
        Path(Path(path).name).write_text(code, encoding="utf-8")
    Path("study.yaml").write_text(STUDY.replace("checkpoints/t5", str(checkpoints / "t5")), encoding="utf-8")
    write_rows("train.jsonl", 40, 0)
    write_rows("test.jsonl", 12, 100)
    Path("run.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_a_new_task_and_a_new_metric_are_one_file_each_from_the_study_to_the_model_card(toy):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "run.py"], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    results = Path("results/toy")
    predictions = pd.read_parquet(results / "baselines/headlines/lead/predictions.parquet")
    assert predictions.columns.tolist() == ["id", "prediction", "references", "chrf", "words", "words_covered"]
    metrics = json.loads((results / "baselines/headlines/lead/metrics.json").read_text())["metrics"]
    assert list(metrics) == ["word_coverage", "chrf"]
    assert metrics["word_coverage"]["value"] == predictions["words_covered"].sum() / predictions["words"].sum() == 1

    with (results / "tables/cells.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "word_coverage"]
    assert {(row["kind"], row["method"]) for row in rows} == {
        ("run", "full"), ("run", "lora"), ("untuned", "untuned"), ("baseline", "lead")
    }  # fmt: skip
    for row in rows:
        assert 0 <= float(row["ci_low"]) <= float(row["mean"]) <= float(row["ci_high"]) <= 1
        assert row["primary"] == "True"
    report = results / "report"
    text = "\n".join(file.read_text(encoding="utf-8") for file in report.rglob("*.html"))
    assert "Word Coverage" in text
    assert any("Word Coverage" in file.read_text(encoding="utf-8") for file in report.rglob("*.tex"))
    card = Path("exported/README.md").read_text(encoding="utf-8")
    assert "Word Coverage" in card
    assert "First sentence" not in card
    assert "summarize: <document>" in card
