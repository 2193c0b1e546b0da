"""A run that is killed ends as one that never was: kill -9 at every moment that matters."""

import json
from itertools import product

import pytest

from tests.support import slow_except
from tests.support.checkpoints import FAMILIES
from tests.support.interrupted_runs import (
    assert_as_undisturbed,
    checkpoints,
    finish,
    finish_as_undisturbed,
    folder_of,
    kill,
    steps_of,
    undisturbed,
)
from tunegrid.results.records import TrainRecord, read_record
from tunegrid.study.cells import Cell, Run


@pytest.mark.parametrize(
    ("model", "method"), slow_except(("flan-t5", "lora"), product(FAMILIES, ("full", "lora", "adapters")))
)
def test_killed_again_and_again_a_run_ends_with_the_same_bits(study_of, model, method):
    study, run = study_of(), Run(Cell("qa", model, method), 1)
    whole = undisturbed(study, run)
    assert (whole.selection.kept, whole.selection.step, whole.selection.stopped_early) == ("best", 6, True)
    assert whole.cost.steps == 12

    kill(study, ("before", "training_step", 4), run)  # before the first evaluation
    assert steps_of(study) == []
    kill(study, ("after", "evaluate", 1), run)  # between it and its checkpoint
    assert steps_of(study) == []
    kill(study, ("before", "seal", 2), run)  # the second checkpoint is written, but not declared so
    assert steps_of(study) == [3, 6]
    kill(study, ("before", "training_step", 6), run)  # from step 3, written again and sealed, in the middle of a step
    kill(study, ("after", "seal", 1), run)  # the next one, before an older one is removed
    assert steps_of(study) == [3, 6, 9]
    kill(study, ("before", "_load_best_model", 1), run)  # early stopping has ended it
    assert steps_of(study) == [6, 12], "the best, and the last"
    kill(study, ("before", "save", 1), run)  # before the weights are saved
    kill(study, ("before", "write_record", 1), run)  # after that
    assert steps_of(study) == [6, 12]
    assert finish_as_undisturbed(study, run) == 0, "it trained on"
    assert not list(study.paths.root.glob("checkpoints/*/*/*/*"))


@pytest.mark.parametrize(
    ("what", "value"),
    [("snakemake.is_abandoned", True), ("parent.callers_are_alive", False)],
    ids=["Snakemake", "command"],
)
def test_a_run_that_nobody_waits_for_any_more_keeps_its_checkpoints_for_the_next_one(study_of, what, value):
    """Its results are taken for half-written: it is started once more, and Snakemake removes them before."""
    study = study_of()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"tunegrid.runtime.{what}", lambda: value)
        undisturbed(study)
    assert steps_of(study) == [6, 12]
    assert finish(study) == 0, "it trained on"
    assert steps_of(study) == []


@pytest.mark.parametrize(("evaluation", "saving"), slow_except((3, 2), [(2, 3), (3, 2), (5, 4)]))
def test_checkpoints_that_fall_between_evaluations_lose_nothing_of_early_stopping(study_of, evaluation, saving):
    """With no best weights to keep, checkpoints need not be where evaluations are."""
    study = study_of(keep_best=False, evaluation_steps=evaluation, checkpoint_steps=saving)
    record = undisturbed(study)
    assert record.selection.stopped_early
    assert record.selection.kept == "last"
    assert record.selection.step == record.cost.steps > record.selection.best_step
    for number in (9, 5, 7):
        kill(study, ("before", "training_step", number))
    finish_as_undisturbed(study)


def test_a_run_that_ends_in_the_middle_of_an_epoch_does_not_do_another_step(study_of):
    """The Trainer alone would: it forgets that it had come to its end."""
    study = study_of(max_steps=5, evaluation_steps=None, keep_best=False, early_stopping_patience=None,
                     checkpoint_steps=2)  # fmt: skip
    assert undisturbed(study).cost.steps == 5
    kill(study, ("before", "save", 1))
    assert steps_of(study) == [4, 5]
    assert finish_as_undisturbed(study) == 0


@pytest.mark.slow
def test_selection_by_the_metric_is_resumed_as_well(study_of):
    study = study_of(max_steps=9, select_by="metric", validation_rows=5, evaluation_steps=2)
    run = Run(Cell("sentiment", "bart", "lora"), 1)
    chosen = undisturbed(study, run).selection
    assert chosen.by == "accuracy"
    kill(study, ("after", "evaluate", 2), run)
    kill(study, ("after", "evaluate", 1), run)
    finish_as_undisturbed(study, run)


@pytest.mark.slow
def test_other_intervals_and_retention_use_the_same_checkpoints(study_of):
    shared = {"keep_best": False, "early_stopping_patience": None, "evaluation_steps": None, "max_steps": 12}
    study = study_of(**shared, checkpoint_steps=3)
    undisturbed(study)
    kill(study, ("before", "training_step", 8))
    assert steps_of(study) == [3]
    study = study_of(**shared, checkpoint_steps=5, checkpoints_kept=5, keep_checkpoints="always")
    finish(study)
    assert steps_of(study) == [3, 5, 10, 12], "the new settings hold"
    assert_as_undisturbed(study)


def test_the_work_before_an_interruption_is_part_of_the_cost(study_of):
    study = study_of()
    whole = undisturbed(study).cost
    kill(study, ("after", "seal", 2))
    seconds = json.loads((checkpoints(study)[-1] / "counts.json").read_text())
    finish(study)
    cost = read_record(folder_of(study) / "train.json", TrainRecord).cost
    assert (cost.steps, cost.examples, cost.tokens) == (whole.steps, whole.examples, whole.tokens)
    for name in ("optimisation_seconds", "evaluation_seconds", "saving_seconds"):
        assert getattr(cost, name) > seconds[name] > 0
