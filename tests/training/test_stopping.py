"""A training that is asked to end saves what it has at once, and ends later with the same bits."""

import signal
from itertools import product

import pytest

from tests.support import slow_except
from tests.support.checkpoints import FAMILIES
from tests.support.interrupted_runs import (
    PLAIN,
    assert_as_undisturbed,
    finish_as_undisturbed,
    kill,
    steps_of,
    stop,
    undisturbed,
)
from tunegrid.study.cells import Cell, Run


@pytest.mark.parametrize(
    ("model", "method"), slow_except(("bart", "adapters"), product(FAMILIES, ("full", "lora", "adapters")))
)
def test_stopped_again_and_again_a_run_ends_with_the_same_bits(study_of, model, method):
    """With accumulated batches, dropout, length buckets, the best weights kept, and early stopping."""
    study, run = study_of(), Run(Cell("qa", model, method), 1)
    whole = undisturbed(study, run)
    assert (whole.selection.step, whole.selection.stopped_early, whole.cost.steps) == (6, True, 12)

    assert stop(study, ("before", "prepare", 1), run) == 0  # nothing is there to save
    assert steps_of(study) == []
    assert stop(study, ("before", "training_step", 1), run) == 1  # in the first batch of the first step
    assert stop(study, ("after", "training_step", 4), run) == 3  # after the last batch of a step that is evaluated
    assert stop(study, ("before", "evaluation_loop", 1), run) == 3  # in that evaluation, when it is made up for
    assert stop(study, ("before", "training_step", 1), run) == 4  # the last step of an epoch
    assert stop(study, ("after", "evaluation_loop", 1), run) == 6, "too late to interrupt it"
    assert stop(study, ("before", "seal", 2), run, [signal.SIGINT, signal.SIGTERM, signal.SIGTERM]) == 12
    assert finish_as_undisturbed(study, run) == 0, "early stopping had ended it"
    assert not list(study.paths.root.glob("checkpoints/*/*/*/*"))


@pytest.mark.slow
def test_a_run_that_writes_no_checkpoints_does_when_it_is_stopped(study_of):
    study = study_of(**PLAIN | {"checkpoint_steps": None})
    undisturbed(study)
    assert stop(study, ("before", "training_step", 4)) == 2
    assert stop(study, ("before", "training_step", 5)) == 5
    assert stop(study, ("before", "evaluation_loop", 1)) == 6  # the one at the end
    assert finish_as_undisturbed(study) == 0


@pytest.mark.parametrize(("evaluation", "saving"), slow_except((2, 3), [(2, 3), (3, 2)]))
def test_a_stop_where_no_checkpoint_would_be_alters_nothing_of_early_stopping(study_of, evaluation, saving):
    study = study_of(keep_best=False, evaluation_steps=evaluation, checkpoint_steps=saving, checkpoints_kept=1)
    assert undisturbed(study).selection.stopped_early
    for step in range(1, 9):
        assert stop(study, ("before", "training_step", 1)) == step
    finish_as_undisturbed(study)


def test_selection_by_the_metric_is_stopped_in_its_predictions(study_of):
    study = study_of(max_steps=6, select_by="metric", validation_rows=5, evaluation_steps=2)
    run = Run(Cell("sentiment", "bart", "lora"), 1)
    assert undisturbed(study, run).selection.by == "accuracy"
    assert stop(study, ("before", "evaluation_loop", 2), run) == 4
    assert stop(study, ("before", "evaluation_loop", 1), run) == 4
    finish_as_undisturbed(study, run)


def test_a_stop_while_the_result_is_written_lets_it_be_written(study_of):
    study = study_of(**PLAIN)
    undisturbed(study)
    assert stop(study, ("before", "save", 1)) is None
    assert_as_undisturbed(study)


@pytest.mark.slow
def test_a_kill_after_a_stop_loses_nothing(study_of):
    """The checkpoint of a stop stays whole while the evaluation that it lacks is made up for."""
    study = study_of()
    undisturbed(study)
    assert stop(study, ("before", "evaluation_loop", 1)) == 3
    kill(study, ("after", "evaluate", 1))
    kill(study, ("before", "training_step", 2))
    assert steps_of(study) == [3]
    finish_as_undisturbed(study)
