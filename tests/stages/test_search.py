"""The search for learning rates: the rows of a trial, one trial, the choice among trials, and the commands."""

import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.diverging import DIVERGING
from tests.support.learning_rate_search import CELL, SEARCH
from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.common.temporary import temporary_path
from tunegrid.data.tokens import take_rows
from tunegrid.methods import METHODS
from tunegrid.results.compare import compare
from tunegrid.results.records import ChoiceRecord, TrainRecord, TrialRecord, read_record
from tunegrid.runtime.attempts import Attempt, AttemptFailed
from tunegrid.stages.search import best, choose_rate, edge, run_trial, sample, write_failed_trial
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import trial_settings

# -- rows of a trial --------------------------------------------------------------------------------------------------


def test_samples_depend_on_the_seed_alone_and_a_larger_one_holds_a_smaller():
    small, large = sample(1000, 50, 7), sample(1000, 400, 7)
    assert list(small) == sorted(set(small))
    assert set(small) <= set(large)
    assert list(sample(1000, 50, 7)) == list(small) != list(sample(1000, 50, 8))
    assert list(sample(3, 10, 0)) == [0, 1, 2]


def test_rows_are_taken_with_all_their_windows_and_numbered_anew():
    import pyarrow

    ids = pyarrow.array([[0], [1], [2], [3], [4]])
    rows = pyarrow.array([0, 1, 1, 2, 3], pyarrow.int32())
    windows = pyarrow.table({"input_ids": ids, "labels": ids, "row": rows})
    taken = take_rows(windows, np.array([1, 3]))
    assert taken.to_pydict() == {"input_ids": [[1], [2], [4]], "labels": [[1], [2], [4]], "row": [0, 0, 1]}
    assert taken.schema == windows.schema


# -- a trial ----------------------------------------------------------------------------------------------------------


def test_a_trial_is_recorded_with_its_cost_and_leaves_nothing_else(tiny_study):
    # 40 training and 12 validation rows; ten steps of 2 rows are more than a tenth of them.
    study = tiny_study("search: {factors: [0.5, 1.0], validation_rows: 5}\ntraining: {max_steps: 40, batch_size: 2}")
    record = run_trial(study, CELL, "0.5")
    file = study.paths.trial(CELL, "0.5")
    assert read_record(file, TrialRecord) == record
    assert [path.name for path in file.parent.iterdir()] == ["factor-0.5.json"]
    assert (record.status, record.reason, record.factor, record.learning_rate) == ("ok", None, 0.5, 0.0025)
    assert (record.train_rows, record.validation_rows, record.cost.steps, record.cost.examples) == (20, 5, 10, 20)
    assert record.metric == "exact_match"
    assert record.score in {n / 5 for n in range(6)}
    assert math.isfinite(record.validation_loss)
    shutil.copytree(study.paths.root, "again")
    run_trial(study, CELL, "0.5")
    assert compare(Path("again"), study.paths.root) == []  # the same trial is the same, but for its times
    cost = record.cost
    assert cost.total_seconds > cost.optimisation_seconds + cost.evaluation_seconds + cost.prediction_seconds
    assert record.configuration == trial_settings(study, CELL, "0.5")
    assert record.seed == 0


def test_a_trial_is_what_a_run_with_its_settings_and_rows_is(tiny_study):
    """The same numbers as the training and evaluation stages give: validation rows in the place of the test rows."""
    import pyarrow

    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.train import train

    study = tiny_study("search: {factors: [1.0, 4.0], train_share: 1.0, seed: 5}\ntraining: {max_steps: 30}")
    cell = Cell("sentiment", "bart", "full")
    trial = run_trial(study, cell, "4")
    alone = tiny_study("seeds: [5]\ntraining: {max_steps: 30, learning_rate: 0.02}")
    paths = alone.paths
    shutil.copy(paths.split(cell.task, "validation"), paths.split(cell.task, "test"))
    tokens = paths.tokens(cell.task, cell.model)
    shutil.copy(tokens / "validation.arrow", tokens / "test.arrow")
    folder = paths.run(Run(cell, 5))
    train(alone, Run(cell, 5), folder)
    evaluated = evaluate_run(alone, Run(cell, 5), folder)
    losses = [row.split(",")[-1] for row in (folder / "history.csv").read_text().splitlines()]
    assert trial.score == evaluated.metrics["accuracy"].value
    assert trial.validation_loss == pytest.approx(float(losses[-1]), abs=1e-6)
    assert trial.validation_rows == len(pyarrow.parquet.read_table(paths.split(cell.task, "validation")))


def test_test_data_is_never_read(tiny_study):
    study = tiny_study("search: {factors: [1.0, 3.0]}")
    study.paths.split("qa", "test").unlink()
    (study.paths.tokens("qa", "t5") / "test.arrow").unlink()
    assert run_trial(study, CELL, "3").status == "ok"


def test_a_trial_that_diverges_is_a_record_and_is_not_chosen(tiny_study):
    study = tiny_study(
        "search: {factors: [1.0, 2000.0]}\n"
        f"training: {json.dumps(DIVERGING | {'learning_rate': 0.005, 'logging_steps': 1})}"
    )
    cell = Cell("qa", "t5", "full")
    record = run_trial(study, cell, "2000")
    assert record.status == "diverged"
    assert "loss is" in record.reason
    assert (record.score, record.cost.total_seconds > 0, record.cost.prediction_seconds) == (None, True, None)
    run_trial(study, cell, "1")
    choice = choose_rate(study, cell)
    # What diverges bounds the search from above: the chosen one is the lowest, but not the highest that makes sense.
    assert (choice.factor, choice.learning_rate, choice.edge) == (1.0, 0.005, "lowest")


def test_a_trial_that_fails_is_a_record_and_what_a_person_has_to_mend_is_none(tiny_study, monkeypatch):
    def fit(method, session):
        raise MemoryError("no memory left")

    monkeypatch.setattr(METHODS["lora"], "fit", fit)
    record = run_trial(tiny_study(SEARCH), CELL, "1")
    assert (record.status, record.reason) == ("failed", "MemoryError: no memory left")
    assert record.train_rows == 40
    study = tiny_study(SEARCH + "\nhardware: {device: cuda}")
    import torch

    if not torch.cuda.is_available():
        with pytest.raises(TuneGridError, match=r"hardware\.device is cuda"):
            run_trial(study, CELL, "3")
        assert not study.paths.trial(CELL, "3").exists()


def test_a_trial_that_dies_is_tried_again_and_then_is_a_record(tiny_study, monkeypatch):
    def fit(method, session):
        raise RuntimeError("no memory")

    study = tiny_study("search: {factors: [1.0, 3.0], validation_rows: 2}")
    monkeypatch.setattr(METHODS[CELL.method], "fit", fit)
    file = study.paths.trial(CELL, "3")
    left = temporary_path(file.with_suffix("")).name.replace(f"-{os.getpid()}-", "-99999999-")
    (file.parent / left).mkdir(parents=True)  # by a process that was killed
    with pytest.raises(AttemptFailed, match=r"search x 3: RuntimeError: no memory \(attempt 1 of 2\)"):
        run_trial(study, CELL, "3", Attempt(1, 2))
    assert list(file.parent.iterdir()) == []
    record = run_trial(study, CELL, "3", Attempt(2, 2))
    assert (record.status, record.reason) == ("failed", "RuntimeError: no memory (attempt 2 of 2)")
    file.unlink()
    write_failed_trial(study, CELL, "3", "killed by signal 9", "2026-01-01T00:00:00+00:00")
    record = read_record(file, TrialRecord)
    assert (record.status, record.reason, record.score) == ("failed", "killed by signal 9", None)


# -- the choice -------------------------------------------------------------------------------------------------------


@pytest.fixture
def trial(tiny_study):
    """Makes records of trials without training."""
    run_trial(study := tiny_study(SEARCH), CELL, "1")
    content = study.paths.trial(CELL, "1").read_text()

    def make(factor: float, score: float | None, loss: float | None = 1.0, status: str = "ok", rows: int = 100):
        changes = {"factor": factor, "score": score, "validation_loss": loss, "status": status, "validation_rows": rows}
        changes["reason"] = None if status == "ok" else "because"
        return TrialRecord.model_validate(json.loads(content) | changes)

    return make


def test_the_rule_of_the_choice(trial):
    """(factor, score, validation loss) of the trials, and the factor that the documented rule chooses."""
    for trials, expected in [
        ([(0.33, 0.50, 1.0), (1.0, 0.60, 9.0), (3.0, 0.55, 0.1)], 1.0),  # the best score, whatever the loss
        ([(0.33, 0.60, 0.9), (1.0, 0.60, 1.0), (3.0, 0.60, 1.1)], 0.33),  # equal scores: the lowest loss
        ([(0.33, 0.59, 0.9), (1.0, 0.60, 1.0)], 0.33),  # one of 100 rows is no difference
        ([(0.33, 0.589, 0.9), (1.0, 0.60, 1.0)], 1.0),  # more than one is
        (
            [(0.1, 0.58, 0.1), (0.33, 0.59, 0.9), (1.0, 0.60, 1.0)],
            0.33,
        ),  # counted from the highest, not from step to step
        ([(0.33, 0.0, 1.0), (3.0, 0.0, 1.0)], 3.0),  # all equal: nearest to 1, as a ratio (3.03 and 3)
        ([(0.25, 0.0, 1.0), (4.0, 0.0, 1.0)], 0.25),  # as near: the lower
        ([(0.33, 0.5, None), (3.0, 0.5, 7.0)], 3.0),  # no loss is no reason
        ([(0.33, 0.1, 1.0), (3.0, 0.9, 1.0, "x")], 0.33),  # what failed is not chosen
    ]:
        records = [
            trial(*values[:3]) if len(values) == 3 else trial(values[0], None, None, "failed") for values in trials
        ]
        assert best(records).factor == expected, trials
        assert best(records[::-1]).factor == expected, trials
    assert best([trial(1.0, None, None, "failed")]) is None


def test_the_edge_of_what_was_tried(trial):
    low, middle, high = trial(0.33, 0.5), trial(1.0, 0.5), trial(3.0, 0.5)
    assert [edge(one, [middle, low, high]) for one in (low, middle, high)] == ["lowest", None, "highest"]
    # A rate that diverged is known to be too high; one that ran out of memory is not known at all.
    assert edge(middle, [low, middle, trial(3.0, None, None, "diverged")]) is None
    assert edge(middle, [low, middle, trial(3.0, None, None, "failed")]) == "highest"


def test_a_trial_of_other_settings_is_not_chosen_among(tiny_study):
    study = tiny_study("search: {factors: [1.0, 3.0]}")
    run_trial(study, CELL, "1")
    with pytest.raises(TuneGridError, match=r"factor-3\.json: cannot be read"):
        choose_rate(study, CELL)
    run_trial(study, CELL, "3")
    other = tiny_study("search: {factors: [1.0, 3.0]}\ntraining: {weight_decay: 0.5}")
    with pytest.raises(TuneGridError, match=r"factor-1\.json: is a trial of other settings"):
        choose_rate(other, CELL)
    assert not study.paths.choice(CELL).exists()


# -- the command line -------------------------------------------------------------------------------------------------


def test_the_commands_by_hand(tiny, tiny_study, capsys, monkeypatch):
    monkeypatch.setattr("os.environ", dict(__import__("os").environ))
    study = tiny_study("search: {factors: [1.0, 3.0]}\ntraining: {max_steps: 2}")
    cell = ["--task", "qa", "--model", "t5", "--method", "lora"]
    configs = [str(tiny), "changes.yaml"]
    for factor in ("1", "3"):
        assert main(["search-trial", *configs, *cell, "--factor", factor]) == 0
    assert main(["search-choice", *configs, *cell]) == 0
    assert main(["train", *configs, *cell, "--seed", "1"]) == 0
    record = read_record(study.paths.run(Run(CELL, 1)) / "train.json", TrainRecord)
    choice = read_record(study.paths.choice(CELL), ChoiceRecord)
    assert record.configuration["training"]["learning_rate"] == choice.learning_rate
    capsys.readouterr()
    assert main(["search-trial", *configs, *cell, "--factor", "2"]) == 1
    assert "the study has no factor of the search 2. Valid: 1, 3" in capsys.readouterr().err
    assert main(["search-trial", *configs, *cell, "--factor", "1", "--settings", "0"]) == 1
    assert "settings for this job have changed" in capsys.readouterr().err
    assert main(["search-choice", str(tiny), *cell]) == 1
    assert "the study searches no learning rates" in capsys.readouterr().err


def test_check_describes_the_search(tiny, tiny_study, capsys):
    tiny_study("search: {factors: [1.0, 3.0], train_share: 0.125}")
    assert main(["check", str(tiny), "changes.yaml"]) == 0
    said = capsys.readouterr().out
    assert "2 trials a cell, at 1, 3 times its learning rate, on 12.5% of the training rows" in said
    assert "54 trials" in said
    assert "learning rate one of 0.005, 0.015" in said
