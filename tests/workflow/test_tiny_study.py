"""A very small study from the data to the PDF, with every stage, family, method and task; and what changes rerun."""

import html
import json
import os
import re
import shutil
import time
from pathlib import Path

import pytest
import yaml

from tests.support.running import PRETRAINING, TINY, Workflow
from tunegrid.report.index import read_index
from tunegrid.report.latex import tex_engine
from tunegrid.results.records import MetricsRecord, TrainRecord, read_record

pytestmark = pytest.mark.slow

CELLS = [
    ("translation", "t5", "full"),
    ("translation", "bart", "lora"),
    ("translation", "flan-t5", "adapters"),
    ("qa", "t5", "lora"),
    ("qa", "bart", "adapters"),
    ("qa", "flan-t5", "full"),
    ("sentiment", "t5", "adapters"),
    ("sentiment", "bart", "full"),
    ("sentiment", "flan-t5", "lora"),
]
# Per model of two layers in each stack: linear layers (4 + 8 attention, 2 or 3 feed-forward per layer), and two
# bottlenecks per layer.
INJECTED = {
    ("t5", "lora"): 2 * (4 + 2) + 2 * (8 + 2),
    ("bart", "lora"): 2 * (4 + 2) + 2 * (8 + 2),
    ("flan-t5", "lora"): 2 * (4 + 3) + 2 * (8 + 3),
}


def run_folder(workflow: Workflow, task: str, model: str, method: str) -> Path:
    return workflow.folder / "results" / "tiny" / "runs" / task / model / method / "seed-1"


@pytest.mark.parametrize("cell", CELLS, ids="_".join)
def test_each_cell_wrote_its_own_results(tiny, cell):
    # A rule made in a loop would run the last cell's command under every cell's name.
    _, model, method = cell
    folder = run_folder(tiny, *cell)
    trained, scored = (
        read_record(folder / "train.json", TrainRecord),
        read_record(folder / "metrics.json", MetricsRecord),
    )
    assert (trained.task, trained.model, trained.method) == (scored.task, scored.model, scored.method) == cell
    assert trained.status == scored.status == "ok"
    assert trained.configuration["method"]["kind"] == method
    assert trained.configuration["family"] == model
    expected = {"full": 0, "adapters": 8}.get(method) if method != "lora" else INJECTED[model, method]
    assert trained.injected.count == expected
    assert scored.examples == 40
    assert any((folder / "weights").glob("*.safetensors"))
    assert not list((folder / "weights").glob("*.bin"))


def test_the_study_ends_with_its_report(tiny):
    report = tiny.folder / "results" / "tiny" / "report"
    assert (report / "report.tex").is_file()
    assert (report / "report.html").is_file()
    if tex_engine():
        assert (report / "report.pdf").read_bytes().startswith(b"%PDF")


def test_snakemakes_own_report_holds_every_table_and_figure_and_asks_nobody(tiny, tmp_path):
    file = tmp_path / "workflow.html"
    result = tiny.snakemake("--report", str(file))
    assert result.returncode == 0, result.stdout[-3000:]
    page = file.read_text()
    report = tiny.folder / "results" / "tiny" / "report"
    index = read_index(report)
    assert len([entry for entry in index.values() if entry["kind"] == "figure"]) >= 4
    # A dictionary of its page's script: path -> caption, labels, data.
    held = json.JSONDecoder().raw_decode(page, re.search(r"\bresults = (?=\{)", page).end())[0]
    for name, entry in index.items():
        kinds = [("tables", "html"), ("tables", "csv")] if entry["kind"] == "table" else [("figures", "svg")]
        for part, kind in kinds:
            item = held[f"results/tiny/report/{part}/{name}.{kind}"]
            assert entry["caption"] in html.unescape(item["caption"])
            assert entry["title"] in item["labels"]["what"]
            assert item["data_uri"].startswith("data:")
    assert "results/tiny/report/report.html" in held
    for category in ("1 The whole report", "2 Tables", "3 Figures", "01 Scores"):
        assert category in page
    assert not re.search(r"<(script|img|iframe)[^>]+src=.https?:|<link[^>]+href=.https?:", page)


def test_a_finished_study_has_the_status_of_one_also_where_it_was_copied_to(tiny, tmp_path):
    shutil.copytree(tiny.folder / "results", tmp_path / "results", ignore=shutil.ignore_patterns("logs", "benchmarks"))
    for workflow in (tiny, Workflow(tmp_path, PRETRAINING, TINY)):
        result = workflow.tunegrid("status", "--watch")  # looks once, for nothing is left to wait for
        assert result.returncode == 0, result.stdout
        assert "9 of 9 runs are done" in result.stdout
        assert "Nothing is left to do.\n" in result.stdout
        assert "other settings" not in result.stdout
        rows = [
            line.split() for line in result.stdout.splitlines() if line.startswith(("training", "untuned", "report"))
        ]
        assert rows == [
            ["training", "9", "·", "·", "·", "9"],
            ["untuned", "9", "·", "·", "·", "9"],
            ["report", "1", "·", "·", "·", "1"],
        ]


def test_a_second_call_has_nothing_to_do(tiny):
    start = time.perf_counter()
    result = tiny.snakemake()
    assert "Nothing to be done" in result.stdout
    assert result.returncode == 0
    assert time.perf_counter() - start < 20  # far above what it takes, below what one job would


DOWNSTREAM = {"tables", "report", "all"}
SCORED_AGAIN = {"evaluate", "evaluate_untuned"}


def trainings(**where: str) -> set[str]:
    """Returns the training rules of the cells with this task, model or method, and the rule that follows every training."""
    names = ("task", "model", "method")
    chosen = [cell for cell in CELLS if all(cell[names.index(name)] == value for name, value in where.items())]
    return {f"train_{'_'.join(cell)}" for cell in chosen} | {"evaluate"}


OVERRIDE = [{"where": {"method": "full", "task": "qa"}, "training": {"learning_rate": 0.1}}]
CHANGES = [  # a setting, its new value, the jobs that follow from it
    ("methods.lora.alpha", 8.0, trainings(method="lora")),
    ("methods.adapters.reduction_factor", 8.0, trainings(method="adapters")),
    ("training.learning_rate", 0.1, trainings()),
    ("overrides", OVERRIDE, trainings(task="qa", method="full")),
    ("seeds", [1, 2], trainings()),
    ("hardware.threads", 2, trainings() | SCORED_AGAIN | {"pretrain_model", "tokenise", "evaluate_baseline"}),
    ("tasks.qa.generation.num_beams", 2, SCORED_AGAIN | {"evaluate_baseline"}),
    ("tasks.sentiment.evaluation_batch_size", 8, SCORED_AGAIN | {"evaluate_baseline"}),
    ("tasks.qa.max_source_length", 100, trainings(task="qa") | SCORED_AGAIN | {"tokenise"}),
    (
        "tasks.qa.prompts",
        {"bart": "{context} {question}"},
        trainings(task="qa", model="bart") | SCORED_AGAIN | {"tokenise"},
    ),
    ("models.t5.source.steps", 11, trainings(model="t5") | SCORED_AGAIN | {"pretrain_model", "tokenise"}),
    ("title", "Another title", set()),
    ("description", "Other words.", set()),
]


@pytest.mark.parametrize(("key", "value", "expected"), CHANGES, ids=[key for key, _, _ in CHANGES])
def test_a_changed_setting_reruns_what_it_alters_and_nothing_else(tiny, tmp_path, key, value, expected):
    change: object = value
    for part in reversed(key.split(".")):
        change = {part: change}
    (tmp_path / "change.yaml").write_text(yaml.safe_dump(change))
    jobs = Workflow(tiny.folder, PRETRAINING, TINY, tmp_path / "change.yaml").planned()
    assert jobs.keys() == expected | DOWNSTREAM


def test_an_unchanged_cell_is_not_trained_again(tiny, tmp_path):
    (tmp_path / "change.yaml").write_text(yaml.safe_dump({"methods": {"lora": {"alpha": 8.0}}}))
    jobs = Workflow(tiny.folder, PRETRAINING, TINY, tmp_path / "change.yaml").planned()
    assert jobs["evaluate"] == 3
    assert not {rule for rule in jobs if rule.startswith("train_") and not rule.endswith("_lora")}


def test_the_report_is_rebuilt_from_copied_results_and_marks_what_is_missing(tiny, tmp_path):
    # Results copied from a cluster: no metadata of Snakemake, and times that mean nothing.
    shutil.copytree(tiny.folder / "results", tmp_path / "results")
    shutil.rmtree(tmp_path / "results/tiny/report")
    shutil.rmtree(tmp_path / "results/tiny/tables")
    for file in (tmp_path / "results").rglob("*"):
        os.utime(file, (0, 0))
    shutil.rmtree(tmp_path / run_folder(tiny, "qa", "t5", "lora").relative_to(tiny.folder))
    result = Workflow(tmp_path, PRETRAINING, TINY).tunegrid("report", "--no-pdf")
    assert result.returncode == 0, result.stdout
    html = (tmp_path / "results/tiny/report/report.html").read_text()
    assert "missing" in html.lower()


def test_a_cleaned_study_has_nothing_to_do_and_makes_the_same_report(tiny, tmp_path):
    shutil.copytree(tiny.folder, tmp_path / "study")
    study = Workflow(tmp_path / "study", PRETRAINING, TINY)
    results = study.folder / "results/tiny"
    before = {file.name: file.read_bytes() for file in (results / "tables").glob("*.csv")}
    cleaned = study.tunegrid("clean", "--weights")
    assert cleaned.returncode == 0, cleaned.stdout
    assert not list(results.rglob("*.safetensors"))
    assert not list(results.rglob("*.arrow"))
    assert "Nothing to be done" in study.snakemake("--dry-run").stdout
    report = study.tunegrid("report", "--no-pdf")
    assert report.returncode == 0, report.stdout
    assert {file.name: file.read_bytes() for file in (results / "tables").glob("*.csv")} == before
    # What is asked for later is made again, the base models too.
    (tmp_path / "seeds.yaml").write_text("seeds: [1, 2]")
    jobs = Workflow(study.folder, PRETRAINING, TINY, tmp_path / "seeds.yaml").planned()
    assert jobs["pretrain_model"] == 3
    assert jobs["tokenise"] == 9


def test_two_copies_are_the_same_results_and_a_changed_number_is_found(tiny, tmp_path):
    shutil.copytree(tiny.folder / "results/tiny", tmp_path / "tiny")
    compare = Workflow(tmp_path)
    first, second = str(tiny.folder / "results/tiny"), str(tmp_path / "tiny")
    assert compare.tunegrid("compare", first, second).returncode == 0
    metrics = tmp_path / "tiny/runs/qa/t5/lora/seed-1/metrics.json"
    record = json.loads(metrics.read_text())
    record["metrics"]["f1"]["value"] += 0.125
    metrics.write_text(json.dumps(record))
    result = compare.tunegrid("compare", first, second)
    assert result.returncode == 1
    assert "runs/qa/t5/lora/seed-1/metrics.json: metrics.f1.value" in result.stdout


def test_a_row_that_cannot_be_used_ends_the_study_with_one_clear_message(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"text": "good", "label": 1}\n{"text": "bad", "label": 7}\n')
    files = {"train": "train.jsonl", "test": "train.jsonl"}
    source = {"kind": "files", "paths": files}
    study = yaml.safe_load(PRETRAINING.read_text()) | {"study": "broken", "overrides": []}
    study["tasks"]["sentiment"]["source"] = source
    study["grid"]["tasks"] = ["sentiment"]
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(study))
    result = Workflow(tmp_path, tmp_path / "broken.yaml").snakemake()
    assert result.returncode != 0
    assert (
        "tunegrid: error: train.jsonl, line 2: column label: 7 is not a label. Valid: negative, positive"
        in result.stdout
    )
    assert not list((tmp_path / "results").glob("**/*.parquet"))
    assert not list((tmp_path / "results").glob("**/train.json"))
