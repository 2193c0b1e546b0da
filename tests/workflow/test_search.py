"""A whole study with a search: its trainings use the learning rates that were chosen; what a change reruns."""

from pathlib import Path

import pytest
import yaml

from tests.support.diverging import DIVERGING
from tests.support.running import PRETRAINING, TINY, Workflow
from tunegrid.results.records import ChoiceRecord, TrainRecord, TrialRecord, read_record
from tunegrid.study.cells import Cell, Run
from tunegrid.study.paths import Paths

pytestmark = pytest.mark.slow

# Two cells whose rates differ, one cell in which every rate diverges; two seeds.
WORKS, OTHER, DIVERGES = (
    Cell("sentiment", "t5", "full"),
    Cell("sentiment", "t5", "lora"),
    Cell("sentiment", "t5", "adapters"),
)
VALUES = {
    "study": "searched",
    "seeds": [1, 2],
    "grid": {"tasks": ["sentiment"], "models": ["t5"], "exclude": []},
    "search": {"factors": [0.5, 4.0], "validation_rows": 12},
    "training": {"max_steps": 12},
    "overrides": [
        {"where": {"method": "lora"}, "training": {"learning_rate": 0.01}},
        {
            "where": {"method": "adapters"},
            "training": DIVERGING | {"learning_rate": 2.5, "max_steps": 400},
        },
    ],
}
DOWNSTREAM = {"evaluate", "tables", "report", "all"}
SEARCHES = {"search_trial", "choose_learning_rate"}
TRAININGS = {cell.training_rule for cell in (WORKS, OTHER, DIVERGES)}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    folder = tmp_path_factory.mktemp("searched")
    (folder / "search.yaml").write_text(yaml.safe_dump(VALUES))
    workflow = Workflow(folder, PRETRAINING, TINY, folder / "search.yaml")
    result = workflow.snakemake()
    assert result.returncode == 0, result.stdout[-5000:]
    return workflow


@pytest.fixture(scope="module")
def paths(searched: Workflow) -> Paths:
    return Paths("searched", searched.folder / "results")


@pytest.mark.parametrize(("cell", "rates"), [(WORKS, [1e-3, 8e-3]), (OTHER, [5e-3, 4e-2])], ids=str)
def test_the_chosen_rate_is_the_one_that_every_seed_was_trained_with(paths, cell, rates):
    trials = [read_record(paths.trial(cell, name), TrialRecord) for name in ("0.5", "4")]
    choice = read_record(paths.choice(cell), ChoiceRecord)
    assert [trial.learning_rate for trial in trials] == rates
    assert [trial.validation_rows for trial in trials] == [12, 12]
    assert choice.learning_rate in rates
    for seed in (1, 2):
        folder = paths.run(Run(cell, seed))
        record = read_record(folder / "train.json", TrainRecord)
        assert record.configuration["training"]["learning_rate"] == choice.learning_rate
        assert record.configuration["search"]["factor"] == choice.factor
        # What the optimiser was given, not only what the record says: the largest rate of the history.
        header, *rows = (line.split(",") for line in (folder / "history.csv").read_text().splitlines())
        given = [float(row[header.index("learning_rate")]) for row in rows if row[header.index("learning_rate")]]
        assert choice.learning_rate / 2 < max(given) <= choice.learning_rate


def test_a_cell_without_a_usable_rate_is_a_failed_row_and_the_study_ends_with_its_report(paths):
    for seed in (1, 2):
        record = read_record(paths.run(Run(DIVERGES, seed)) / "train.json", TrainRecord)
        assert record.status == "failed"
        assert record.reason.startswith("no learning rate of the search could be scored")
    assert (paths.tables / "search.csv").read_text().count("diverged") == 2
    html = (paths.report / "report.html").read_text()
    assert "Search for the learning rates" in html
    assert "(6 of 6 trials)" in html


def test_nothing_is_left_of_the_trials_but_their_records(paths):
    files = {file.name for file in (paths.root / "search").rglob("*") if file.is_file()}
    assert files == {"factor-0.5.json", "factor-4.json", "choice.json"}


@pytest.mark.parametrize(("change", "expected"), [
    ({}, set()),
    ({"search": {"validation_rows": 11}}, SEARCHES | TRAININGS | DOWNSTREAM),
    ({"search": {"factors": [0.5, 4.0, 2.0]}}, SEARCHES | TRAININGS | DOWNSTREAM),
    ({"search": None}, TRAININGS | DOWNSTREAM),
    ({"seeds": [1, 2, 3]}, TRAININGS | DOWNSTREAM),
    ({"methods": {"lora": {"alpha": 8.0}}}, SEARCHES | {OTHER.training_rule} | DOWNSTREAM),
    ({"tasks": {"sentiment": {"evaluation_batch_size": 8}}},
     DOWNSTREAM | {"evaluate_untuned", "evaluate_baseline"}),
    ({"title": "Another"}, {"tables", "report", "all"}),
], ids=lambda value: str(value) if isinstance(value, dict) else "")  # a set's order differs between processes # fmt: skip
def test_a_change_runs_again_what_it_alters(searched, tmp_path, change, expected):
    (tmp_path / "change.yaml").write_text(yaml.safe_dump(change))
    jobs = Workflow(searched.folder, *searched.configs, tmp_path / "change.yaml").planned()
    assert jobs.keys() == expected
    if "factors" in (change.get("search") or {}):
        assert jobs["search_trial"] == 3  # the new one of each cell: the others are as they were


def test_a_study_that_was_run_without_a_search_runs_again_only_when_it_gets_one(tiny, tmp_path: Path):
    (tmp_path / "change.yaml").write_text("search: {factors: [1.0, 3.0]}")
    jobs = Workflow(tiny.folder, PRETRAINING, TINY, tmp_path / "change.yaml").planned()
    assert (jobs["search_trial"], jobs["choose_learning_rate"], jobs["evaluate"]) == (18, 9, 9)
