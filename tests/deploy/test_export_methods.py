"""`tunegrid export` of every method that is no plain model afterwards, and of mixtures: the card's code answers as predict."""

from pathlib import Path

import pytest
import yaml

from tests.support.exporting import answers_elsewhere, card_of, rows_of
from tests.support.instructed import CONFIG as INSTRUCTED
from tests.support.instructed import cell as instructed_cell
from tests.support.seals import seal_base
from tests.support.winners import as_after_long_training, tell_texts_apart
from tunegrid.cli import main
from tunegrid.data.parquet import read_parquet
from tunegrid.study.cells import Cell, Run

METHODS = {
    "prefix": {"kind": "prefix", "length": 5, "bottleneck": 8},
    "prompt": {"kind": "prompt", "length": 5},
    "mam": {"kind": "adapters", "config": "mam"},
    "ptuning": {"kind": "peft", "tuner": "P_TUNING", "settings": {"num_virtual_tokens": 4, "encoder_hidden_size": 8}},
    "ia3": {"kind": "peft", "tuner": "IA3"},
}
# Each family with each method; questions, whose contexts are read in windows, and translations by beams.
LIBRARIES = {"prefix": "adapters", "prompt": "peft", "mam": "adapters", "ptuning": "peft", "ia3": "transformers"}
# Cards that one process runs: adapters changes classes of transformers that the others use.
TOGETHER = (("prefix", "mam"), ("prompt", "ptuning", "ia3"))
CHANGES = {
    "seeds": [1],
    "grid": {"tasks": ["qa", "translation"], "methods": list(METHODS), "exclude": []},
    "methods": METHODS,
    "tasks": {
        "qa": {"max_source_length": 30, "long_contexts": "windows", "window_overlap": 4},
        "translation": {"generation": {"max_new_tokens": 6, "num_beams": 3}},
    },
    "training": {"learning_rate": 1.0e-3, "max_steps": 2, "batch_size": 8},
}


@pytest.fixture
def every_method(tiny_study):
    from tunegrid.stages.tokenise import tokenise

    study = tiny_study(yaml.safe_dump(CHANGES))
    paths = study.paths
    for model in study.grid.models:
        tell_texts_apart(paths.model(model), 0.5)
        seal_base(paths.model(model))
        family = study.models[model].family
        tokenise(study.task("qa", model), family, paths.data("qa"), paths.model(model), paths.tokens("qa", model))
    return study


def exported(cell: Cell, folder: Path, config: list[str]) -> Path:
    names = ["--task", cell.task, "--model", cell.model, "--method", cell.method]
    assert main(["export", *config, str(folder), *names]) == 0
    return folder


def predictions(study, cell: Cell) -> list[str]:
    import pandas as pd

    return pd.read_parquet(study.paths.run(Run(cell, 1)) / "predictions.parquet")["prediction"].tolist()


def trained_and_evaluated(study, cell: Cell) -> list[str]:
    """Trains the run of a cell; returns its predictions."""
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.train import train

    run = Run(cell, 1)
    record = train(study, run, study.paths.run(run))
    assert (record.status, record.reason) == ("ok", None)
    as_after_long_training(study, run)
    evaluate_run(study, run, study.paths.run(run))
    return predictions(study, cell)


@pytest.mark.slow
@pytest.mark.parametrize("methods", TOGETHER, ids="-".join)
def test_the_card_of_each_family_gives_the_predictions(every_method, tmp_path, methods):
    rows, expected = {}, []
    for method in methods:
        answers = []
        for number, model in enumerate(every_method.grid.models):
            for task in every_method.grid.tasks if model == "bart" else [every_method.grid.tasks[number % 2]]:
                cell = Cell(task, model, method)
                answers.append(trained_and_evaluated(every_method, cell))
                folder = exported(cell, tmp_path / str(cell), ["tiny.yaml", "changes.yaml"])
                front, text = card_of(folder)
                assert front["library_name"] == LIBRARIES[method]
                needs_eager = model == "bart" and LIBRARIES[method] == "adapters"
                assert ("attn_implementation='eager'" in text) == needs_eager
                rows[folder] = rows_of(cell)
        assert sum(len(set(texts)) > 1 for texts in answers) >= 2, "answers depend on the text"
        expected += answers
    assert {*sum(TOGETHER, ())} == {*METHODS}
    assert answers_elsewhere(tmp_path, rows)["answers"] == expected


@pytest.mark.slow
def test_the_card_of_a_mixture_asks_in_its_first_wording(instructed, tmp_path):
    rows, expected = {}, []
    for task in ("qa", "sentiment"):
        cell = instructed_cell(task)
        folder = exported(cell, tmp_path / str(cell), [str(file) for file in INSTRUCTED])
        test = read_parquet(instructed.paths.split(task, "test"))
        fields = ("question", "context") if task == "qa" else ("text",)
        rows[folder] = [[row[field] for field in fields] for row in test]
        expected.append(predictions(instructed, cell))
    assert answers_elsewhere(tmp_path, rows)["answers"] == expected
