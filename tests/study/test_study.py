"""The cells and runs of a study, and the settings of a cell."""

import pytest
from pydantic import ValidationError

from tests.support.small_study import BASE, changed
from tunegrid.study.cells import Cell


def test_the_grid_is_the_product_less_what_is_excluded(load):
    study = load(
        changed("methods: [full, lora]", "methods: [full, lora, bitfit]\n  exclude: [{model: t5, method: bitfit}]")
    )
    assert [str(cell) for cell in study.cells()] == [
        f"{task}_{cell}"
        for task in ("qa", "sentiment")
        for cell in ("t5_full", "t5_lora", "bart_full", "bart_lora", "bart_bitfit")
    ]
    assert len(study.runs()) == 2 * len(study.cells())
    assert len(set(study.runs())) == len(study.runs())


def test_later_overrides_win_and_touch_only_the_cells_they_name(load):
    text = (
        BASE
        + """\
  - {where: {model: t5}, training: {learning_rate: 3.0e-3}}
  - {where: {model: t5, method: lora}, training: {learning_rate: 5.0e-3, warmup_ratio: 0.2}, method: {r: 2}}
  - {where: {method: lora}, method: {alpha: 4}}
"""
    )
    study = load(text)
    rate = {str(cell): study.training_settings(cell).learning_rate for cell in study.cells()}
    assert rate == {
        "qa_t5_full": 3e-3, "qa_t5_lora": 5e-3, "qa_bart_full": 1e-3, "qa_bart_lora": 1e-3,
        "sentiment_t5_full": 3e-3, "sentiment_t5_lora": 5e-3, "sentiment_bart_full": 1e-3, "sentiment_bart_lora": 1e-3,
    }  # fmt: skip
    lora = {model: study.method_settings(Cell("qa", model, "lora")) for model in ("t5", "bart")}
    assert (lora["t5"].r, lora["t5"].alpha) == (2, 4)
    assert (lora["bart"].r, lora["bart"].alpha) == (8, 4)
    assert study.training_settings(Cell("qa", "t5", "lora")).max_steps == 200
    assert study.training_settings(Cell("sentiment", "t5", "lora")).max_steps == 100


def test_an_override_that_names_one_length_drops_the_other(load):
    study = load(changed("training: {max_steps: 200}", "training: {epochs: 2.5}"))
    training = study.training_settings(Cell("qa", "t5", "full"))
    assert (training.max_steps, training.epochs) == (None, 2.5)
    training = study.training_settings(Cell("sentiment", "t5", "full"))
    assert (training.max_steps, training.epochs) == (100, None)


def test_an_integer_serves_as_a_fraction(load):
    assert (
        load(changed("training: {max_steps: 200}", "training: {epochs: 2}"))
        .training_settings(Cell("qa", "t5", "full"))
        .epochs
        == 2.0
    )


def test_a_study_cannot_be_changed_once_it_is_read(load):
    with pytest.raises(ValidationError):
        load(BASE).seeds = [3]
