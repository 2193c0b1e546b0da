"""Every task that learns from files of rows, from JSON lines to the report, with a packaged model."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.support.running import Workflow
from tunegrid.results.records import MetricsRecord, read_record

pytestmark = pytest.mark.slow

NAMES, PLACES = ("Anna", "Ben", "Clara", "David"), ("garden", "kitchen", "park", "house")
STUDY = """\
study: files
title: Tasks of files
description: A few steps of each task on rows from files.
seeds: [1]
hardware: {device: cpu, threads: 1, precision: fp32}
grid: {tasks: [topics, pairs, summaries, names, orders], models: [t5], methods: [lora]}
tasks:
  topics:
    kind: classification
    labels: [garden, kitchen, park, house]
    source: {kind: files, paths: {train: topics-train.jsonl, test: topics-test.jsonl}, licence: CC0-1.0}
    evaluate_on:
      easy: {kind: files, paths: {test: topics-train.jsonl}}
      far: {kind: files, paths: {test: topics-far.jsonl}, rows: {test: 20}}
    max_source_length: 48
    max_target_length: 8
    generation: {max_new_tokens: 6}
  pairs:
    kind: pair-classification
    labels: [same, other]
    source: {kind: files, paths: {train: pairs-train.jsonl, test: pairs-test.jsonl}, licence: CC0-1.0}
    max_source_length: 64
    max_target_length: 8
    generation: {max_new_tokens: 6}
  summaries:
    kind: summarisation
    source: {kind: files, paths: {train: summaries-train.jsonl, test: summaries-test.jsonl}, licence: CC0-1.0}
    max_source_length: 64
    max_target_length: 24
    generation: {max_new_tokens: 12}
  names:
    kind: ner
    types: [person, place]
    source: {kind: files, paths: {train: names-train.jsonl, test: names-test.jsonl}, licence: CC0-1.0}
    max_source_length: 48
    max_target_length: 24
    generation: {max_new_tokens: 12}
  orders:
    kind: generation
    metrics: [bleu, exact_text]
    source: {kind: files, paths: {train: orders-train.jsonl, test: orders-test.jsonl}, licence: CC0-1.0}
    max_source_length: 48
    max_target_length: 24
    generation: {max_new_tokens: 12}
models:
  t5: {family: t5, source: {kind: packaged, name: t5}}
methods: {lora: {kind: lora, r: 4, alpha: 8, dropout: 0.0}}
training: {learning_rate: 1.0e-3, max_steps: 4, batch_size: 8, logging_steps: 2}
measure: {latency_examples: 2}
"""
METRICS = {
    "topics": {"accuracy", "macro_f1", "matthews", *(f"f1_{place}" for place in PLACES)},
    "pairs": {"accuracy", "macro_f1", "matthews", "f1_same", "f1_other"},
    "summaries": {"rouge1", "rouge2", "rouge_l", "rouge_lsum", "chrf"},
    "orders": {"bleu", "exact_text"},
    "names": {"entity_f1", "entity_precision", "entity_recall", "entities_exact"},
}


def rows(task: str, begin: int, end: int) -> list[dict]:
    made = []
    for number in range(begin, end):
        name, place = NAMES[number % 4], PLACES[number // 4 % 4]
        sentence, other = f"{name} is in the {place} {number}.", PLACES[(number // 4 + number % 2) % 4]
        made.append(
            {
                "topics": {"text": sentence, "label": place},
                "pairs": {
                    "sentence1": sentence,
                    "sentence2": f"{name} sees the {other}.",
                    "label": "same" if other == place else "other",
                },
                "summaries": {"document": f"{sentence} It is warm. Then it rains.", "summary": f"{name} is there."},
                "orders": {"source": f"{place}: {name}", "target": sentence},
                "names": {
                    "tokens": [name, "is", "in", "the", place, str(number)],
                    "ner_tags": ["B-person", "O", "O", "O", "B-place", "O"],
                },
            }[task]
        )
    return made


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Workflow:
    folder = tmp_path_factory.mktemp("files")
    for task in METRICS:
        for split, begin, end in (("train", 0, 64), ("test", 64, 96)):
            lines = "".join(json.dumps(row) + "\n" for row in rows(task, begin, end))
            (folder / f"{task}-{split}.jsonl").write_text(lines, encoding="utf-8")
    far = [{"text": f"deep in the {PLACES[number % 4]}", "label": PLACES[number % 4]} for number in range(24)]
    (folder / "topics-far.jsonl").write_text("".join(json.dumps(row) + "\n" for row in far), encoding="utf-8")
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    workflow = Workflow(folder, folder / "study.yaml")
    done = workflow.snakemake("--cores", "1")
    assert done.returncode == 0, done.stdout[-5000:]
    return workflow


def scored(workflow: Workflow, task: str) -> list[Path]:
    root = workflow.folder / "results" / "files"
    return [
        root / "runs" / task / "t5" / "lora" / "seed-1" / "metrics.json",
        *sorted((root / "baselines" / task).glob("*/metrics.json")),
        *sorted((root / "untuned" / task).glob("*/metrics.json")),
    ]


@pytest.mark.parametrize("task", METRICS)
def test_each_task_is_scored_on_every_test_row(workflow, task):
    files = scored(workflow, task)
    assert len(files) >= 3
    for file in files:
        record = read_record(file, MetricsRecord)
        assert (record.status, record.examples) == ("ok", 32)
        assert record.metrics.keys() == METRICS[task]
        assert len(pd.read_parquet(file.with_name("predictions.parquet"))) == 32


def test_baselines_score_what_the_rows_say(workflow):
    baselines = workflow.folder / "results" / "files" / "baselines"

    def score(task: str, name: str, metric: str) -> float:
        return read_record(baselines / task / name / "metrics.json", MetricsRecord).metrics[metric].value

    assert score("topics", "majority-class", "accuracy") == 8 / 32
    assert score("pairs", "majority-class", "accuracy") == 16 / 32
    assert score("topics", "ngram-logistic-regression", "accuracy") == 1
    assert score("names", "known-entities", "entity_f1") == 1  # every test name and place is one of the training rows


def test_the_report_has_every_task(workflow):
    report = (workflow.folder / "results" / "files" / "report" / "report.html").read_text(encoding="utf-8")
    for title in (
        "Classification",
        "Classification of Pairs",
        "Summarisation",
        "Named Entity Recognition",
        "Text Generation",
    ):
        assert title in report


def test_other_domains_are_scored_by_every_run_untuned_model_and_baseline(workflow):
    root = workflow.folder / "results" / "files"
    assert not list(root.glob("domains/pairs/*"))
    for file in scored(workflow, "topics"):
        for domain, examples in (("easy", 64), ("far", 20)):
            record = read_record(file.parent / "domains" / domain / "metrics.json", MetricsRecord)
            assert (record.status, record.examples, record.domain) == ("ok", examples, domain)
            assert record.metrics.keys() == METRICS["topics"]
            assert (
                record.provenance.data_fingerprint
                == json.loads((root / "domains" / "topics" / domain / "card.json").read_text())["fingerprint"]
            )
    table = pd.read_csv(root / "tables" / "domains.csv")
    assert set(table["domain"]) == {"easy", "far"}
    assert set(table["kind"]) == {"run", "untuned", "baseline"}
    assert (table["loss"] - (table["in_domain"] - table["score"])).abs().max() < 1e-9
    report = (root / "report" / "report.html").read_text(encoding="utf-8")
    assert "Other domains" in report
    again = workflow.snakemake("--cores", "1", "-n", "-p")
    assert "evaluate_domains" not in again.stdout
