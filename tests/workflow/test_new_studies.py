"""Files as people have them, each to a study by `tunegrid new` that is fetched, tokenised, trained and evaluated."""

import csv
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tunegrid.cli import main
from tunegrid.results.records import MetricsRecord, read_record
from tunegrid.stages.evaluate import evaluate_baseline, evaluate_run
from tunegrid.stages.fetch_data import fetch_data
from tunegrid.stages.fetch_model import fetch_model
from tunegrid.stages.tokenise import tokenise
from tunegrid.stages.train import train
from tunegrid.study.cells import Run
from tunegrid.study.load import load_study

pytestmark = pytest.mark.slow

NAMES, PLACES = ("Anna", "Ben", "Clara", "David"), ("garden", "kitchen", "park", "house")
SMALLER = """\
seeds: [1]
grid: {models: [t5], methods: [lora]}
training: {learning_rate: 1.0e-3, max_steps: 2, batch_size: 8, logging_steps: 1}
"""
COUNT = 60


def sentence(number: int) -> str:
    return f"{NAMES[number % 4]} is in the {PLACES[number // 4 % 4]}, {number} times."


def semicolons(path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Nr.", "Review Text", "Stars (1-5)", "Comment; internal"])
        writer.writerows([number, f"{sentence(number)} So; so", 1 + number % 5, ""] for number in range(COUNT))


def nested_answers(path: Path) -> None:
    rows = [
        {
            "uid": f"q{number}",
            "doc": {
                "title": f"story {number // 6}",
                "body": f"{sentence(number)} {sentence(number + 1)} Then it rains.",
            },
            "query": f"where is {NAMES[number % 4]}?",
            "gold": [{"text": PLACES[number // 4 % 4], "start": 11}, {"text": "there", "start": 0}],
        }
        for number in range(COUNT)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def parquet(path: Path) -> None:
    columns = {
        "guid": pyarrow.array(range(COUNT), pyarrow.int64()),
        "contract": [f"{sentence(number)} {sentence(number + 3)} It is warm, and then it rains." for number in range(COUNT)],
        "plain_summary": [f"{NAMES[number % 4]} is there." for number in range(COUNT)],
    }  # fmt: skip
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def conll(path: Path) -> None:
    lines = []
    for number in range(COUNT):
        lines += [f"{NAMES[number % 4]} NNP I-PER", "is VBZ O", "here RB O", f"{PLACES[number // 4 % 4]} NN I-LOC", ""]
    path.write_text("-DOCSTART- -X- O\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


def no_header(path: Path) -> None:
    path.write_text("".join(f"{sentence(number)}\t{PLACES[number // 4 % 4]}\n" for number in range(COUNT)))


FILES = {
    "reviews.csv": (semicolons, [], "classification", "accuracy"),
    "questions.jsonl": (nested_answers, [], "qa", "exact_match"),
    "contracts.parquet": (parquet, [], "summarisation", "rouge_l"),
    "entities.conll": (conll, [], "ner", "entity_f1"),
    "rooms.tsv": (no_header, [], "classification", "accuracy"),
    "orders.tsv": (no_header, ["--kind", "generation"], "generation", "chrf"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_becomes_a_study_that_runs(name, tmp_path, monkeypatch):
    make, options, kind, metric = FILES[name]
    monkeypatch.chdir(tmp_path)
    make(Path(name))
    assert main(["new", name, "--mini", "--output", "study.yaml", *options]) == 0
    Path("smaller.yaml").write_text(SMALLER)
    study = load_study("study.yaml", "smaller.yaml")
    ((task, settings),) = study.tasks.items()
    assert settings.kind == kind
    paths, (cell,) = study.paths, study.cells()
    fetch_data(task, study.task(task), paths.data(task))
    card = json.loads(paths.data_card(task).read_text())
    assert sum(card["rows"].values()) == COUNT
    fetch_model(study, "t5", paths.model("t5"))
    tokenise(study.task(task, "t5"), "t5", paths.data(task), paths.model("t5"), paths.tokens(task, "t5"))
    stats = json.loads((paths.tokens(task, "t5") / "stats.json").read_text())
    assert stats["splits"]["train"]["targets_cut"] == 0
    run = Run(cell, 1)
    assert train(study, run, paths.run(run)).status == "ok"
    record = evaluate_run(study, run, paths.run(run))
    assert (record.status, record.primary, record.examples) == ("ok", metric, card["rows"]["test"])
    for baseline in study.task(task).baselines():
        evaluate_baseline(study, task, baseline, paths.baseline(task, baseline))
        assert read_record(paths.baseline(task, baseline) / "metrics.json", MetricsRecord).status == "ok"
