"""Which run predicts: the recommended cell, and the best of its seeds on validation data."""

import json
import shutil

import pytest

from tests.support.predict_command import predict
from tests.support.winners import CELLS, recommend
from tunegrid.common.errors import TuneGridError
from tunegrid.deploy.choose import choose
from tunegrid.study.cells import Cell, Run
from tunegrid.study.study import Study


def another_seed(study: Study, cell: Cell, seed: int, **selection: object) -> None:
    """Makes the run of seed 1 that of another seed, with other scores on validation data."""
    first, folder = (study.paths.run(Run(cell, number)) for number in (1, seed))
    if seed != 1:
        shutil.copytree(first, folder)
    record = json.loads((folder / "train.json").read_text())
    record |= {"seed": seed, "selection": record["selection"] | selection}
    (folder / "train.json").write_text(json.dumps(record))


def with_seeds(study: Study, *seeds: int) -> Study:
    return study.model_copy(update={"seeds": list(seeds)})


def test_of_several_seeds_validation_data_choose(own):
    cell = CELLS[0]
    recommend(own, qa="t5 full")
    for seed, loss in ((1, 2.0), (2, 1.5), (3, 1.75)):
        another_seed(own, cell, seed, validation_loss=loss)
    winner = choose(with_seeds(own, 1, 2, 3), "qa")
    assert (winner.run.cell, winner.run.seed) == (cell, 2)
    assert "Recommended: Best." in winner.reason
    assert "2 has the lowest validation loss: 1.5, and not 2 with seed 1, 1.75 with seed 3" in winner.reason
    assert choose(with_seeds(own, 1, 2, 3), "qa", seed=3).run.seed == 3


def test_a_validation_metric_chooses_the_highest(own):
    for seed, value in ((1, 0.5), (2, 0.25)):
        another_seed(own, CELLS[0], seed, by="exact_match", validation_metric=value, validation_loss=1.0 - value / 10)
    winner = choose(with_seeds(own, 2, 1), "qa", "t5", "full")
    assert winner.run.seed == 1
    assert "highest exact_match on validation data" in winner.reason


def test_a_seed_that_failed_is_passed_over_and_named(own):
    another_seed(own, CELLS[0], 2, validation_loss=0.1)
    file = own.paths.run(Run(Cell("qa", "t5", "full"), 2)) / "train.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"status": "diverged", "reason": "the loss is nan"}))
    winner = choose(with_seeds(own, 1, 2, 3), "qa", "t5", "full")
    assert winner.run.seed == 1
    assert "seed 2 (diverged: the loss is nan); seed 3 (not trained yet)" in winner.reason
    with pytest.raises(TuneGridError, match=r"qa_t5_full has no weights to use \(seed 2: diverged: the loss is nan\)"):
        choose(with_seeds(own, 1, 2), "qa", "t5", "full", 2)


def test_without_the_study_or_its_tables_it_says_so(own, tmp_path, capsys, monkeypatch):
    source = ["--input", "rows/qa-test.jsonl"]
    assert predict("--task", "qa", *source) == 1
    assert "recommendation.csv: no such file, so no run is recommended. `tunegrid tables`" in capsys.readouterr().err
    recommend(own, translation="t5 full")
    assert predict("--task", "qa", *source) == 1
    assert "says nothing of the task qa" in capsys.readouterr().err
    recommend(own, qa="")
    assert predict("--task", "qa", *source) == 1
    assert "No cell is recommended for the task qa. No cell has a result." in capsys.readouterr().err
    recommend(own, qa="mbart full")
    assert predict("--task", "qa", *source) == 1
    assert "recommends qa_mbart_full, which the study does not have" in capsys.readouterr().err
    shutil.move("results", tmp_path / "elsewhere")
    assert predict("--task", "qa", *source) == 1
    assert "results/tiny/: no such folder of results" in capsys.readouterr().err


def test_names_that_the_study_does_not_have_are_refused(study, capsys):
    refused = {
        ("--task", "qaa"): "Did you mean qa?",
        ("--task", "qa", "--model", "t5"): "give both",
        ("--task", "qa", "--model", "t5", "--method", "bitfit"): "no cell (task_model_method) qa_t5_bitfit",
        ("--task", "qa", "--seed", "9"): "no seed 9",
    }
    for options, says in refused.items():
        assert predict(*options, "--input", "rows/qa-test.jsonl") == 1
        assert says in capsys.readouterr().err
