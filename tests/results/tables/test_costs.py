"""Fronts, the efficiency score and the tables of costs: against numbers worked by hand."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from tests.support.study_on_disk import expected_study, write_json
from tunegrid.report import cost, cost_words
from tunegrid.results.compare import compare
from tunegrid.results.expected import Expected
from tunegrid.results.statistics import efficiency, pareto
from tunegrid.results.tables import build_tables
from tunegrid.results.tables import costs as cost_tables

EXPECTED = expected_study()


# -- fronts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "front"),
    [
        ([], []),
        ([(0.5, 9)], [True]),
        # the dearest is the best, the cheapest is the worst, and what is worse and dearer than another is on no front
        ([(0.9, 9), (0.5, 1), (0.4, 2), (0.7, 3)], [True, True, False, True]),
        ([(0.5, 1), (0.5, 2)], [True, False]),  # as good, but dearer
        ([(0.5, 1), (0.4, 1)], [True, False]),  # as dear, but worse
        ([(0.5, 1), (0.5, 1), (0.4, 1)], [True, True, False]),  # equal in both: neither beats the other
        ([(0.6, 2), (0.6, 2), (0.7, 1)], [False, False, True]),
        ([(0.0, 0), (0.0, 0)], [True, True]),
    ],
)
def test_a_cell_is_on_the_front_if_none_is_better_in_one_and_no_worse_in_the_other(cells, front):
    scores, costs = [score for score, _ in cells], [price for _, price in cells]
    assert pareto.front(scores, costs) == front


def test_a_front_is_what_is_left_when_all_pairs_are_compared_the_long_way():
    import random

    generator = random.Random(0)
    cells = [(generator.randint(0, 6), generator.randint(0, 6)) for _ in range(60)]
    on = pareto.front(*zip(*cells, strict=True))
    best_so_far = -1
    expected = set()
    for price in sorted({price for _, price in cells}):  # from the cheapest on, only a better score is worth more
        score = max(score for score, at in cells if at == price)
        if score > best_so_far:
            expected.add((score, price))
            best_so_far = score
    assert [cell in expected for cell in cells] == on


def test_a_dearer_cell_that_no_test_tells_from_a_cheaper_one_is_named_with_the_cheapest_such():
    separated = [
        [False, False, True, False],
        [False, False, False, False],
        [True, False, False, True],
        [False, False, True, False],
    ]
    assert pareto.cheaper_and_tied([4, 3, 2, 4], separated) == [1, 2, None, 1]  # equal costs are not cheaper


def test_a_cell_whose_cost_is_not_told_from_that_of_a_cell_as_good_may_lose_its_place():
    scores, prices = [0.8, 0.8, 0.9, 0.7], [10, 12, 13.5, 11]
    assert pareto.replaceable(scores, prices, [0, 0, 0, 0]) == [None] * 4
    # 12 is 2 above 10, which is less than the root of 1.5² + 1.5²; 13.5 is not; the last is worse.
    assert pareto.replaceable(scores, prices, [1.5, 1.5, 1.5, 1.5]) == [1, 2, None, 1]
    assert pareto.replaceable(scores, prices, [1.5, 0.5, 4, 0]) == [2, 2, None, 2]


# -- efficiency --------------------------------------------------------------------------------------------------------


def test_the_efficiency_score_by_hand():
    scale = efficiency.Costs(100, 10, 8)
    cell = efficiency.Costs(50, 10, 2)
    # factors 1.5, 2 and 1.25: 3.75 in all
    assert efficiency.score(0.9, cell, scale, 0) == 0.9
    assert efficiency.score(0.9, cell, scale, 1) == pytest.approx(0.9 / 3.75)
    assert efficiency.score(0.9, cell, scale, 0.5) == pytest.approx(0.9 / 3.75**0.5)
    assert efficiency.score(0.9, cell, scale, 2) == pytest.approx(0.9 / 3.75**2)
    # With the constants of the paper, models of our size are hardly penalised at all.
    theirs = efficiency.Costs(5e8, 1e13, 94e9)
    assert efficiency.score(1.0, efficiency.Costs(3.2e5, 1.5e7, 5e8), theirs, 1) == pytest.approx(0.994, abs=0.001)


def test_each_cost_at_its_highest_halves_the_score():
    cells = [efficiency.Costs(10, 5, 7), efficiency.Costs(100, 4, 9)]
    assert efficiency.constants(cells, 100) == efficiency.Costs(100, 5, 9)
    dearest = efficiency.Costs(100, 5, 9)
    assert efficiency.score(0.8, dearest, efficiency.constants(cells, 100), 1) == pytest.approx(0.1)


def test_equal_scores_share_the_better_rank():
    assert efficiency.ranks([0.3, 0.9, 0.3, 0.1]) == [2, 1, 2, 4]


# -- tables ------------------------------------------------------------------------------------------------------------


def small() -> Expected:
    """A study of one task with three cells."""
    task = EXPECTED.tasks[0]
    cells = tuple(("qa", "mini-t5", method) for method in ("full", "lora", "adapters"))
    return expected_study(tasks=(task,), cells=cells)


def rows(**values: list) -> list[dict]:
    """One row for each of the three cells of the small study."""
    cells = zip(("full", "lora", "adapters"), *values.values(), strict=True)
    return [
        {"task": "qa", "model": "mini-t5", "method": one[0], **dict(zip(values, one[1:], strict=True))} for one in cells
    ]


def test_fronts_and_scores_of_three_cells_by_hand():
    cells = rows(mean=[0.8, 0.8, 0.7], kind=["run"] * 3, primary=[True] * 3)
    known = {
        "parameters_total": [1000, 1100, 1200],
        "parameters_trainable": [1000, 100, 200],
        "deployed_inference_flops": [20.0, 20.0, 25.0],
        "peak_memory_bytes": [90, 60, 60],
        "deployed_latency_seconds": [0.01, 0.01, 0.02],
    }
    costs = rows(**known, status=["ok"] * 3)
    pair = {"task": "qa", "first_model": "mini-t5", "second_model": "mini-t5", "separated": False}
    pairs = [pair | {"first_method": "full", "second_method": "lora"}]
    pairs += [pair | {"first_method": "lora", "second_method": "adapters", "separated": True}]
    pairs += [pair | {"first_method": "full", "second_method": "adapters", "separated": True}]
    tables = cost_tables.cell_rows(small(), cells, costs, pairs)
    fronts, scores = tables["pareto"], tables["efficiency"]
    found = {(row["cost"], row["method"]): row for row in fronts}
    on = {key for key, row in found.items() if row["on_front"]}
    assert on == {
        ("parameters_trainable", "lora"),
        ("peak_memory_bytes", "lora"),
        ("deployed_latency_seconds", "full"),
        ("deployed_latency_seconds", "lora"),
    }
    assert found["parameters_trainable", "full"]["tied_with_cheaper"] == "mini-t5/lora"
    assert found["deployed_latency_seconds", "full"]["tied_with_cheaper"] is None
    assert found["saved_bytes", "lora"]["value"] is None
    assert not found["saved_bytes", "lora"]["on_front"]
    by = {(row["beta"], row["method"]): row for row in scores}
    assert tables["efficiency_constants"] == [{"task": "qa", "parameters": 1000, "flops": 25, "memory_bytes": 90}]
    assert by[1.0, "lora"]["score"] == pytest.approx(0.8 / (1.1 * 1.8 * (1 + 60 / 90)))
    assert by[1.0, "full"]["score"] == pytest.approx(0.8 / (2 * 1.8 * 2))
    assert [by[0.0, method]["rank"] for method in ("full", "lora", "adapters")] == [1, 1, 3]
    assert [by[1.0, method]["rank"] for method in ("full", "lora", "adapters")] == [3, 1, 2]


def test_a_cell_without_a_score_or_a_cost_is_a_row_and_beats_nobody():
    cells = rows(mean=[None, 0.8, 0.7], kind=["run"] * 3, primary=[True] * 3)
    costs = rows(parameters_trainable=[1, 100, 200], status=["failed", "ok", "ok"])
    tables = cost_tables.cell_rows(small(), cells, costs, [])
    fronts, scores = tables["pareto"], tables["efficiency"]
    assert tables["efficiency_constants"] == []
    found = [row for row in fronts if row["cost"] == "parameters_trainable"]
    assert [(row["method"], row["on_front"]) for row in found] == [("full", False), ("lora", True), ("adapters", False)]
    assert {row["rank"] for row in scores} == {None}  # no FLOPs, no memory


def test_what_a_run_costs_is_in_its_row(made_up_tables):
    run = made_up_tables["costs"].set_index(["task", "model", "method", "seed"])
    lora, full = run.loc["qa", "mini-t5", "lora", 1], run.loc["qa", "mini-t5", "full", 1]
    assert (lora["merge"], full["merge"]) == ("merged", "plain")
    assert lora["latency_seconds"] == pytest.approx(0.03)
    assert lora["merged_latency_seconds"] == lora["deployed_latency_seconds"] == 0.02
    assert (lora["inference_flops"], lora["deployed_inference_flops"]) == (1.1e7, 1.0e7)
    assert full["deployed_latency_seconds"] == full["latency_seconds"] == 0.02
    assert pd.isna(full["merged_latency_seconds"])
    assert (lora["prediction_load_seconds"], lora["scoring_seconds"], lora["measuring_seconds"]) == (1.0, 0.1, 0.8)
    assert pd.isna(lora["search_seconds"])
    assert pd.isna(run.loc["sentiment", "mini-t5", "lora", 1]["token_seconds"])
    assert len(made_up_tables["pareto"]) == 27 * len(cost_tables.PARETO_COSTS)
    assert len(made_up_tables["efficiency"]) == 27 * len(efficiency.BETAS)
    assert set(cost_tables.PARETO_COSTS) <= set(made_up_tables["costs"].columns)


def test_the_search_of_a_cell_is_a_column_of_each_of_its_runs():
    costs = rows(seed=[1, 1, 1]) + rows(seed=[2, 2, 2])
    trials = rows(total_seconds=[3.0, 5.0, None]) + rows(total_seconds=[4.0, None, None])
    cost_tables.add_search(costs, trials)
    assert [row["search_seconds"] for row in costs] == [7.0, 5.0, None] * 2


def test_records_from_before_there_was_an_inference_cost_still_read(made_up, own_made_up):
    for file in own_made_up.glob("runs/*/*/*/*/metrics.json"):
        record = json.loads(file.read_text())
        del record["cost"]["inference"]
        write_json(file, record)
    frames = build_tables(own_made_up, EXPECTED, 300)
    assert frames["costs"]["latency_seconds"].isna().all()
    assert frames["efficiency"]["rank"].isna().all()
    assert frames["pareto"].query("cost == 'saved_bytes'")["on_front"].any()
    assert [table.name for table in cost.tables(frames, EXPECTED)] == [
        "costs-training",
        "costs-time",
        "costs-inference",
        "pareto",
    ]
    assert cost_words.efficiency_text(frames, EXPECTED) == ()
    assert compare(made_up, own_made_up) == []  # what one answer costs is no result


# -- the report --------------------------------------------------------------------------------------------------------


def test_the_tables_of_the_report_say_what_the_tidy_tables_hold(made_up_tables):
    tables = {table.name: table for table in cost.tables(made_up_tables, EXPECTED)}
    assert list(tables) == ["costs-training", "costs-time", "costs-inference", "costs-merged", "pareto", "efficiency"]
    for table in tables.values():
        assert all(len(row.cells) == len(table.columns) for row in table.rows if not row.heading)

    def texts(name: str, number: int) -> list[str]:
        return [cell.text for cell in tables[name].rows[number].cells]

    assert texts("costs-training", 1)[2:] == ["250,000", "100.0%", "21.5 ± 0", "1.5 T", "700 MiB", "977 KiB"]
    assert texts("costs-inference", 2)[2:] == [
        "30.0 ± 0", "45.0", "6.00", "5.00", "60", "400 MiB", "11 M",
    ]  # fmt: skip
    assert texts("costs-merged", 1) == ["Mini-T5", "LoRA", "30.0", "20.0", "533", "800", "2", "160"]
    firsts = [row for row in tables["efficiency"].rows if any(cell.bold and not row.heading for cell in row.cells)]
    assert len(firsts) >= 3
    assert "costs more buys a difference that may be chance" in tables["pareto"].caption


def test_paragraphs_follow_from_the_numbers(made_up_tables):
    assert any(
        "1,440 examples" in text and "18 have another answer" in text
        for text in cost_words.cost_text(made_up_tables, EXPECTED)
    )
    marked = made_up_tables["pareto"][
        made_up_tables["pareto"].on_front.astype(bool) & made_up_tables["pareto"].tied_with_cheaper.notna()
    ]
    rule, _ = cost_words.pareto_text(made_up_tables, EXPECTED)
    assert f"for {len(marked)} of the" in rule
    measured = made_up_tables["pareto"].query("on_front and cost not in @cost_words.COUNTED")
    near = measured.replaceable_by.notna().sum()
    assert f"for {near} of the {len(measured)} places that rest on them a cell" in rule
    one = cost_words.pareto_text(made_up_tables, replace(EXPECTED, seeds=(1,)))[0]
    assert f"on which {len(measured)} of the places rest, are those of one run per cell" in one
    rule, firsts = cost_words.efficiency_text(made_up_tables, EXPECTED)
    assert "largest base model (250,000 parameters)" in rule
    assert "11 M FLOPs and 700 MiB" in rule
    for row in made_up_tables["efficiency"].query("rank == 1 and beta == 4").itertuples():
        assert cost_words.Titles(EXPECTED).methods[row.method] in firsts


@pytest.mark.parametrize("name", ["pareto", "breakdown", "efficiency"])
def test_figures_are_drawn_and_nothing_is_drawn_of_nothing(made_up_tables, tmp_path, name):
    from importlib import import_module

    import matplotlib

    matplotlib.use("Agg")
    from tunegrid.report.figures.style import settings

    draw = import_module(f"tunegrid.report.figures.{name}").draw
    with matplotlib.rc_context(settings()):
        figure = draw(made_up_tables, EXPECTED)
        assert figure.get_size_inches()[0] == pytest.approx(6.3)
        figure.savefig(tmp_path / "figure.pdf")
    labels = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert labels >= ({"optimisation", "prediction"} if name == "breakdown" else {"Full Finetuning", "LoRA"})
    lines = {len(axis.get_yticks()) for axis in figure.axes}
    assert name != "breakdown" or len(lines) == 1, "cells that a task does not have are gaps: lines are labelled once"
    (tmp_path / EXPECTED.study).mkdir()
    assert draw(build_tables(tmp_path / EXPECTED.study, EXPECTED, 300), EXPECTED) is None
