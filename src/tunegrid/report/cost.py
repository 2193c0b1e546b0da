"""The report's tables of costs, of the fronts of quality and cost, and of the efficiency score."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import absent
from tunegrid.report import layout
from tunegrid.report.cost_words import COST_TITLES, COUNTED, operations, unit_of
from tunegrid.report.layout import Column, Table, TableCell, right
from tunegrid.report.tables import Frames, Titles, cell_of, per_cell, where
from tunegrid.results.expected import Expected, ExpectedTask, Named
from tunegrid.results.statistics import efficiency
from tunegrid.results.tables import costs

_Column = tuple[str, Callable[[Any], str]]  # title, and what it says of the costs of a cell's runs


def tables(frames: Frames, expected: Expected) -> tuple[Table, ...]:
    """All tables about cost that are not empty, in the order of the report."""
    makers = (training, times, inference, merged, fronts, ranking)
    return tuple(table for make in makers if (table := make(frames, expected)) is not None)


def training(frames: Frames, expected: Expected) -> Table:
    """Table of the cost of training, with the size of the saved weights."""
    columns = (
        ("Trainable", lambda runs: digits.count(runs["parameters_trainable"].mean())),
        ("Share", lambda runs: digits.percent(runs["trainable_share"].mean())),
        ("Optimisation, s", lambda runs: _spread(runs, "optimisation_seconds")),
        ("FLOPs", lambda runs: operations(runs["training_flops"].mean())),
        ("Memory", lambda runs: digits.binary_size(runs["peak_memory_bytes"].mean())),
        ("Saved", lambda runs: digits.binary_size(runs["saved_bytes"].mean())),
    )
    caption = (
        "Cost of training: trainable parameters and their share of all, seconds of optimisation, floating-point "
        f"operations by formula, peak memory, size of the saved weights. {_over_seeds(expected)}"
    )
    return _of_runs("costs-training", caption, columns, frames, expected)


def times(frames: Frames, expected: Expected) -> Table:
    """Table of the seconds of each part of a run, and of the search before it."""
    names = {
        "Load": "loading_seconds",
        "Optimise": "optimisation_seconds",
        "Validate": "evaluation_seconds",
        "Save": "saving_seconds",
        "Load again": "prediction_load_seconds",
        "Predict": "prediction_seconds",
        "Score": "scoring_seconds",
        "Measure": "measuring_seconds",
    } | ({"Search": "search_seconds"} if expected.search else {})
    texts = {title: partial(_spread if title == "Optimise" else _short, name=name) for title, name in names.items()}
    caption = (
        "Seconds of one run, by what they went to: training (load, optimise, validate, save), then evaluation (load "
        "again, predict the test set, score it, measure latency)."
        + (" Search: all trials of the cell, once for all of its seeds." if expected.search else "")
        + f" {_over_seeds(expected)}"
    )
    return _of_runs("costs-time", caption, texts.items(), frames, expected)


def inference(frames: Frames, expected: Expected) -> Table:
    """Table of the cost of one prediction."""
    columns = (
        ("Latency, ms", lambda runs: _spread(runs, "latency_seconds", 1e3)),
        ("90%, ms", lambda runs: _short(runs, "latency_p90_seconds", 1e3)),
        ("ms / token", lambda runs: _short(runs, "token_seconds", 1e3)),
        ("Tokens", lambda runs: _short(runs, "generated_tokens")),
        ("Examples / s", lambda runs: digits.count(runs["prediction_examples_per_second"].mean())),
        ("Memory", lambda runs: digits.binary_size(runs["prediction_peak_memory_bytes"].mean())),
        ("FLOPs", lambda runs: operations(runs["inference_flops"].mean())),
    )
    caption = (
        "Cost of prediction, the method's modules beside the base's: latency of one example at a time (median and 90th "
        "percentile of the few that are measured) from token ids to text, the same per generated token, tokens "
        "generated per example, examples per second of the whole test set in batches, peak memory, floating-point "
        "operations of one example by formula. "
        f"{_over_seeds(expected)}"
    )
    return _of_runs("costs-inference", caption, columns, frames, expected)


def merged(frames: Frames, expected: Expected) -> Table | None:
    """Table of the cells that can be merged into their base: speed gained, predictions altered; None without any."""
    if not _any_merged(frames["costs"]):
        return None
    columns = (
        ("Latency, ms", lambda runs: _short(runs, "latency_seconds", 1e3)),
        ("merged", lambda runs: _short(runs, "merged_latency_seconds", 1e3)),
        ("Examples / s", lambda runs: digits.count(runs["batch_examples_per_second"].mean())),
        ("merged", lambda runs: digits.count(runs["merged_batch_examples_per_second"].mean())),
        ("Other answers", lambda runs: digits.count(runs["merged_differences"].sum())),
        ("of", lambda runs: digits.count(runs["merged_compared"].sum())),
    )
    caption = (
        "Methods that can be merged into the base's weights, before and after: median latency, throughput in one batch "
        "of the same examples, and how many of them, in all seeds, the two answer differently."
    )
    return _of_runs("costs-merged", caption, columns, frames, expected, shown=_any_merged)


def fronts(frames: Frames, expected: Expected) -> Table | None:
    """Table of the cells on the front of each task and cost, the cheapest first; None without any."""
    table, titles, groups = where(frames["pareto"], on_front=True), Titles(expected), []
    for task in expected.tasks:
        rows = []
        for cost in costs.PARETO_COSTS:
            cells = where(table, task=task.name, cost=cost).sort_values("value", kind="stable")
            if len(cells):
                listed = [_front_cell(row, task, titles) for row in cells.itertuples()]
                rows.append((COST_TITLES[cost], "; ".join(listed)))
        groups.append((f"{task.title}: {task.primary.title}", rows))
    if not any(rows for _, rows in groups):
        return None
    columns = (Column("Cost", width=0.2), Column("On the front, the cheapest first", width=0.74))
    caption = (
        "Fronts of quality and cost: the cells that no other cell of the task beats in both, with score and cost. "
        "* A cheaper cell is tied with it: what it costs more buys a difference that may be chance."
    )
    caption += (
        " One run per cell: how far seconds and memory vary is not known."
        if len(expected.seeds) == 1
        else " ±: standard deviation of the cost over seeds. † A cell that scores as much costs more by less than "
        "the two vary: measured again, it may have the place."
    )
    return layout.grouped_table("pareto", caption, columns, groups)


def ranking(frames: Frames, expected: Expected) -> Table | None:
    """Table of the rank of each cell by the efficiency score, for each beta; None without scores."""
    table = frames["efficiency"]
    if not table["rank"].notna().any():
        return None

    def line(task: ExpectedTask, model: Named, method: Named) -> tuple[str | TableCell, ...]:
        scored = cell_of(table, task, model.name, method.name)
        ranks = dict(zip(scored["beta"], scored["rank"], strict=True))
        cells = (TableCell(digits.count(ranks[beta]), bold=ranks[beta] == 1) for beta in efficiency.BETAS)
        return method.title, *cells

    caption = (
        "Rank within its task by the efficiency score, for each weight β of cost. β = 0: by quality alone. Bold: the "
        "first. The scores are in efficiency.csv."
    )
    return per_cell("efficiency", caption, right(*(f"β = {beta:g}" for beta in efficiency.BETAS)), expected, line)


# Parts ---------------------------------------------------------------------------------------------------------------


def _of_runs(
    name: str,
    caption: str,
    columns: Iterable[_Column],
    frames: Frames,
    expected: Expected,
    shown: Callable[[Any], bool] = lambda runs: True,
) -> Table:
    """Table of the cells of which `shown` runs is true, with what each column says of those that have a result."""
    titles, texts = zip(*columns, strict=True)

    def line(task: ExpectedTask, model: Named, method: Named) -> tuple[str, ...] | None:
        runs = cell_of(frames["costs"], task, model.name, method.name)
        shared = " (shared)" if runs["shared_by"].notna().any() else ""  # the training is that of other tasks too
        done = where(runs, status="ok")
        return (method.title + shared, *(text(done) for text in texts)) if shown(done) else None

    return per_cell(name, caption, right(*titles), expected, line)


def _any_merged(runs: Any) -> bool:
    return (runs["merge"] == "merged").any()


def _front_cell(row: Any, task: ExpectedTask, titles: Titles) -> str:
    marks = ("" if absent(row.tied_with_cheaper) else "*") + ("" if absent(row.replaceable_by) else "†")
    name = titles.cell(row.model, row.method) + marks
    return f"{name} ({task.primary.short(row.score)}; {_value(row.cost, row.value, row.value_sd)})"


def _value(cost: str, value: float, spread: float) -> str:
    if cost == "parameters_trainable":
        return digits.count(value)
    if cost == "training_flops":
        return operations(value)
    if cost.endswith("bytes"):
        varies = spread > 0 and cost not in COUNTED  # not so where it is missing
        return digits.binary_size(value) + (f" ± {digits.binary_size(spread)}" if varies else "")
    factor, unit = unit_of(cost)
    return f"{digits.with_spread(value / factor, spread / factor)} {unit}"


def _spread(runs: Any, name: str, factor: float = 1.0) -> str:
    """Mean of a column over runs, with the standard deviation of several seeds."""
    values = factor * runs[name].dropna()
    if len(values) > 1 and values.std() > 0:
        return digits.with_spread(values.mean(), values.std())
    return digits.significant(values.mean()) + (" ± 0" if len(values) > 1 else "")


def _short(runs: Any, name: str, factor: float = 1.0) -> str:
    return digits.significant(factor * runs[name].mean())


def _over_seeds(expected: Expected) -> str:
    if len(expected.seeds) == 1:
        return "One seed."
    return f"Means over {len(expected.seeds)} seeds; ±: their standard deviation."
