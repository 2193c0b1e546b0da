"""Settings of the search for learning rates: what is refused, what a trial is, and what repeats one."""

import json

import pytest

from tests.support.learning_rate_search import CELL, SEARCH
from tunegrid.common.errors import TuneGridError
from tunegrid.study.cells import Cell
from tunegrid.study.search_settings import Search
from tunegrid.study.stage_settings import choice_settings, run_settings, trial_settings, trial_study
from tunegrid.training.settings import Training


def search(**values) -> Search:
    return Search.model_validate({"factors": [0.33, 1.0, 3.0]} | values)


def training(**values) -> Training:
    return Training.model_validate({"learning_rate": 0.01, "max_steps": 1000} | values)


@pytest.mark.parametrize(("settings", "says"), [
    ("{factors: []}", "search.factors: "),
    ("{factors: [1.0]}", "at least 2"),
    ("{factors: [1.0, 0]}", "search.factors[1]: "),
    ("{factors: [1.0, -3.0]}", "greater than 0"),
    ("{factors: [1.0, .inf]}", "less than or equal to 1000000 (found inf"),
    ("{factors: [1.0, 3.0, 1.0]}", "the factors 1 and 1 are the same trial twice"),
    ("{factors: [1.0, 1.001]}", "the same trial twice"),
    ("{factors: [1.0, 3.0], train_share: 0.0}", "search.train_share: "),
    ("{factors: [1.0, 3.0], train_share: 1.5}", "search.train_share: "),
    ("{factors: [1.0, 3.0], validation_rows: 0}", "search.validation_rows: "),
    ("{factors: [1.0, 3.0], seed: 2}", "search.seed: 2 is one of the study's seeds too"),
    ("{factor: [1.0, 3.0]}", "search.factor: unknown key. Did you mean factors?"),
])  # fmt: skip
def test_a_search_that_makes_no_sense_is_refused(tiny_study, settings, says):
    with pytest.raises(TuneGridError) as caught:
        tiny_study(f"search: {settings}")
    assert says in str(caught.value)
    assert "changes.yaml, line 1" in str(caught.value)


def test_every_cell_has_the_same_trials_around_its_own_learning_rate(tiny_study):
    study = tiny_study(SEARCH + "\noverrides: [{where: {method: lora}, training: {learning_rate: 0.02}}]")
    rates = {}
    for cell in study.cells():
        trials = [trial_settings(study, cell, trial)["training"]["learning_rate"] for trial in study.search.trials]
        rates.setdefault(cell.method, set()).add(tuple(trials))
    # 0.33 x 0.02 is 0.006600000000000001 in binary.
    assert rates["lora"] == {(0.0066, 0.02, 0.06)}
    assert rates["full"] == rates["adapters"] == {(0.00165, 0.005, 0.015)}


@pytest.mark.parametrize(("cell", "expected"), [
    ({"max_steps": 1000}, {"max_steps": 100, "logging_steps": 5}),
    ({"max_steps": 60}, {"max_steps": 10, "logging_steps": 8}),  # not below ten steps; a sixth of everything
    ({"max_steps": 4}, {"max_steps": 4, "logging_steps": 50}),  # the cell's own
    ({"max_steps": 1000, "evaluation_steps": 40}, {"max_steps": 100, "logging_steps": 5, "evaluation_steps": 4}),
    ({"max_steps": None, "epochs": 3.0}, {"logging_steps": 5}),  # as many passes over the fewer rows
])  # fmt: skip
def test_a_trial_is_a_tenth_as_long_and_otherwise_as_its_cell(cell, expected):
    own = training(**cell, warmup_ratio=0.25, weight_decay=0.125, checkpoint_steps=100)
    change = search().trial_changes(own, 3.0)
    assert change.pop("learning_rate") == 0.03
    assert change.pop("checkpoint_steps") is None
    assert {key: value for key, value in change.items() if key in Training.model_fields and key in expected} == expected
    assert not change.keys() & {"warmup_ratio", "weight_decay", "batch_size", "epochs", "schedule"}


def test_the_rows_of_a_trial_are_its_share_but_enough_for_ten_steps():
    own = training(batch_size=8, gradient_accumulation_steps=2)
    assert search().train_rows(own, 5000) == 500
    assert search().train_rows(own, 1000) == 160
    assert search().train_rows(own, 100) == 100


def test_what_alters_no_trial_repeats_none(tiny_study):
    before = tiny_study(SEARCH)
    same = tiny_study(
        SEARCH + "\ntraining: {checkpoint_steps: 5}\ntasks: {qa: {evaluation_batch_size: 3}}\ntitle: Another"
    )
    assert choice_settings(same, CELL) == choice_settings(before, CELL)
    more = tiny_study("search: {factors: [10.0, 3.0, 0.33, 1.0]}")
    assert trial_settings(more, CELL, "3") == trial_settings(before, CELL, "3")
    assert choice_settings(more, CELL) != choice_settings(before, CELL)


@pytest.mark.parametrize("change", [
    "search: {train_share: 0.2}", "search: {validation_rows: 3}", "search: {seed: 9}", "training: {weight_decay: 0.5}",
    "tasks: {qa: {generation: {num_beams: 2}}}", "methods: {lora: {r: 3}}", "hardware: {threads: 2}",
])  # fmt: skip
def test_what_alters_a_trial_repeats_it(tiny_study, change):
    before = tiny_study(SEARCH)
    key, _, rest = change.partition(": ")
    after = tiny_study(f"search: {{factors: [0.33, 1.0, 3.0], {rest[1:]}" if key == "search" else f"{SEARCH}\n{change}")
    assert trial_settings(after, CELL, "1") != trial_settings(before, CELL, "1")


def test_a_study_without_a_search_is_what_it_was(tiny_study):
    assert tiny_study("search: null") == tiny_study()
    assert "search" not in json.dumps(run_settings(tiny_study(), CELL))


def test_a_trial_trains_as_its_cell_in_everything_else(tiny_study):
    study = tiny_study(SEARCH + "\ntraining: {max_steps: 100, weight_decay: 0.25, label_smoothing: 0.125}")
    own, trial = study.training_settings(CELL), trial_study(study, CELL, "3").training_settings(CELL)
    different = {key for key, value in trial.model_dump().items() if value != getattr(own, key)}
    assert different == {"learning_rate", "max_steps", "logging_steps"}
    other = Cell("qa", "t5", "full")
    assert trial_study(study, CELL, "3").training_settings(other) == study.training_settings(other)
