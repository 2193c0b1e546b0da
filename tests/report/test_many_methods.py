"""The report of a study with one model and many methods: each can be told from the others, and each table fits a page."""

from itertools import combinations

import pytest

from tests.support.study_on_disk import expected_study
from tunegrid.methods import METHODS
from tunegrid.report import effects, origins
from tunegrid.report.figures import curves, scores, style
from tunegrid.results.expected import Named
from tunegrid.results.tables import COLUMNS
from tunegrid.results.tables.frames import frame_of

KINDS = ("full", "lora", "adapters", "prefix", "prompt", "bitfit", "dpo", "ppo")


@pytest.fixture
def expected():
    methods = tuple(Named(kind, METHODS[kind].title, kind=kind) for kind in KINDS)
    return expected_study(methods=methods, models=expected_study().models[:1])


def frames_of(expected):
    """Results of every cell: scores, the loss of one run at two steps, answers that were not ended."""
    cells, results, history, model = [], [], [], expected.models[0].name
    for task in expected.tasks:
        for number, method in enumerate(expected.methods):
            at = {"task": task.name, "model": model, "method": method.name, "metric": task.primary.name,
                  "primary": True, "kind": "run", "status": "ok"}  # fmt: skip
            score = 0.1 * (number + 1)
            cells.append(at | {"mean": score, "ci_low": score - 0.05, "ci_high": score + 0.05})
            results.append(at | {"seed": 1, "value": score, "predictions_cut": number, "examples": 100})
            loss = -0.01 if method.kind == "ppo" else 0.5
            history += [at | {"seed": 1, "step": step, "examples": step, "loss": loss * step} for step in (1, 2)]
    rows = {"cells": cells, "results": results, "history": history}
    return {name: frame_of(name, COLUMNS[name], value) for name, value in rows.items()}


def test_twelve_methods_have_a_look_of_their_own_by_marker_and_by_line():
    expected = expected_study(methods=tuple(Named(f"m{number}", f"Method {number}") for number in range(12)))
    looks = style.methods(expected).values()
    assert len({(colour, marker) for colour, marker, _ in looks}) == 12
    assert len({(colour, dashes) for colour, _, dashes in looks}) == 12
    # Without colours the first six are told apart as well.
    assert len({marker for _, marker, _ in looks}) == 12


def test_the_axis_names_the_methods_where_there_is_one_model(expected):
    figure = scores.draw(frames_of(expected), expected)
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == [METHODS[kind].title for kind in KINDS] + [
        "untuned"
    ]
    ticks = dict(zip(KINDS, axis.get_yticks(), strict=False))
    drawn = {line.get_label(): line.get_ydata() for line in axis.get_lines()}
    assert all(drawn[METHODS[kind].title] == pytest.approx([ticks[kind]]) for kind in KINDS)
    assert axis.get_ylabel() == expected.models[0].title
    named = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert not named & {METHODS[kind].title for kind in KINDS}


def test_learning_curves_are_logarithmic_and_without_runs_that_sample_their_answers(expected):
    figure = curves.draw(frames_of(expected), expected)
    assert [axis.get_yscale() for axis in figure.axes[:3]] == ["log"] * 3
    named = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert METHODS["dpo"].title in named
    assert METHODS["ppo"].title not in named
    assert all(value > 0 for line in figure.axes[0].get_lines() for value in line.get_ydata())


def test_losses_that_are_not_positive_have_a_linear_axis(expected):
    frames = frames_of(expected)
    frames["history"] = frames["history"].assign(loss=frames["history"]["loss"] - 0.5)
    assert curves.draw(frames, expected).axes[0].get_yscale() == "linear"


def test_each_of_many_pairs_of_methods_is_a_line_under_its_first_method(expected):
    whole = [
        {"kind": "method", "first": first, "second": second, "tasks": 2, "difference": 0.1, "ci_low": 0.0,
         "ci_high": 0.2, "p_holm": 0.01, "blocks": 2, "blocks_ahead": 1, "lowest": -0.1, "highest": 0.3,
         "left_out_blocks": 0}
        for first, second in combinations(KINDS, 2)
    ]  # fmt: skip
    above, below = (
        whole[1] | {"task": task.name, "tasks": 1, "ci_low": low, "ci_high": low + 0.1}
        for task, low in zip(expected.tasks, (0.1, -0.3), strict=False)
    )  # the tasks disagree on the second pair
    frames = {
        "effects": frame_of("effects", COLUMNS["effects"], [*whole, above, below]),
        "over_tasks": frame_of("over_tasks", COLUMNS["over_tasks"], []),
    }
    table = effects._table(frames, expected, "method")
    assert [row.cells[0].text for row in table.rows if row.heading] == [METHODS[kind].title for kind in KINDS[:-1]]
    pairs = [[cell.text for cell in row.cells] for row in table.rows if not row.heading]
    assert len(pairs) == 28
    assert pairs[0] == ["LoRA", "2", "+10.0 [0.0, 20.0]", "0.010", "1 of 2", "−10.0 to +30.0"]
    assert [pair[0].endswith(" †") for pair in pairs] == [number == 1 for number in range(28)]
    assert table.note.startswith("† Tasks disagree")


def test_answers_that_were_not_ended_are_a_line_for_each_of_many_methods(expected):
    table = origins._unfinished(frames_of(expected), expected)
    assert [column.title for column in table.columns] == ["Model", "Method", *(task.title for task in expected.tasks)]
    assert [cell.text for cell in table.rows[2].cells] == ["", "LoRA", *["1 of 100"] * 3]
