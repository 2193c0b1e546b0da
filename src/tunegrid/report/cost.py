"""The report's tables of costs, of the fronts of quality and cost, and of the efficiency score."""

from collections.abc import Iterable
from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import absent
from tunegrid.report import layout
from tunegrid.report.cost_words import (
    COST_TITLES,
    COUNTED,
    cost_text,
    efficiency_text,
    mean,
    operations,
    pareto_text,
    total,
    unit_of,
)
from tunegrid.report.layout import Column, Table, TableCell, TableRow
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, cell_of
from tunegrid.results.expected import Expected, ExpectedTask
from tunegrid.results.statistics import efficiency
from tunegrid.results.tables import costs

__all__ = ["cost_text", "efficiency_text", "pareto_text", "tables"]


def tables(frames: Frames, expected: Expected) -> tuple[Table, ...]:
    """All tables about cost that are not empty, in the order of the report."""
    makers = (training, times, inference, merged, fronts, ranking)
    return tuple(table for make in makers if (table := make(frames, expected)) is not None)


def training(frames: Frames, expected: Expected) -> Table:
    """Table of the cost of training, with the size of the saved weights."""
    titles = ("Trainable", "Share", "Optimisation, s", "FLOPs", "Memory", "Saved")
    caption = (
        "Cost of training: trainable parameters and their share of all, seconds of optimisation, floating-point "
        f"operations by formula, peak memory, size of the saved weights. {_over_seeds(expected)}"
    )

    def line(runs: Any) -> tuple[str, ...]:
        return (
            digits.count(mean(runs, "parameters_trainable")),
            digits.percent(mean(runs, "trainable_share")),
            _spread(runs, "optimisation_seconds"),
            operations(mean(runs, "training_flops")),
            digits.binary_size(mean(runs, "peak_memory_bytes")),
            digits.binary_size(mean(runs, "saved_bytes")),
        )

    return _per_cell("costs-training", caption, titles, frames, expected, line)


def times(frames: Frames, expected: Expected) -> Table:
    """Table of the seconds of each part of a run, and of the search before it."""
    columns = {
        "loading_seconds": "Load",
        "optimisation_seconds": "Optimise",
        "evaluation_seconds": "Validate",
        "saving_seconds": "Save",
        "prediction_load_seconds": "Load again",
        "prediction_seconds": "Predict",
        "scoring_seconds": "Score",
        "measuring_seconds": "Measure",
    }
    searched = {"search_seconds": "Search"} if expected.search else {}
    caption = (
        "Seconds of one run, by what they went to: training (load, optimise, validate, save), then evaluation (load "
        "again, predict the test set, score it, measure latency)."
        + (" Search: all trials of the cell, once for all of its seeds." if searched else "")
        + f" {_over_seeds(expected)}"
    )
    columns |= searched

    def line(runs: Any) -> tuple[str, ...]:
        return tuple(_spread(runs, name) if name == "optimisation_seconds" else _short(runs, name) for name in columns)

    return _per_cell("costs-time", caption, columns.values(), frames, expected, line)


def inference(frames: Frames, expected: Expected) -> Table:
    """Table of the cost of one prediction."""
    titles = ("Latency, ms", "90%, ms", "ms / token", "Tokens", "Examples / s", "Memory", "FLOPs")
    caption = (
        "Cost of prediction, the method's modules beside the base's: latency of one example at a time (median and 90th "
        "percentile of the few that are measured) from token ids to text, the same per generated token, tokens "
        "generated per example, examples per "
        "second of the whole test set in batches, peak memory, floating-point operations of one example by formula. "
        f"{_over_seeds(expected)}"
    )

    def line(runs: Any) -> tuple[str, ...]:
        return (
            _spread(runs, "latency_seconds", 1e3),
            _short(runs, "latency_p90_seconds", 1e3),
            _short(runs, "token_seconds", 1e3),
            _short(runs, "generated_tokens"),
            digits.count(mean(runs, "prediction_examples_per_second")),
            digits.binary_size(mean(runs, "prediction_peak_memory_bytes")),
            operations(mean(runs, "inference_flops")),
        )

    return _per_cell("costs-inference", caption, titles, frames, expected, line)


def merged(frames: Frames, expected: Expected) -> Table | None:
    """Table of the cells that can be merged into their base: speed gained, predictions altered; None without any."""
    if not (frames["costs"]["merge"] == "merged").any():
        return None
    titles = ("Latency, ms", "merged", "Examples / s", "merged", "Other answers", "of")
    caption = (
        "Methods that can be merged into the base's weights, before and after: median latency, throughput in one batch "
        "of the same examples, and how many of them, in all seeds, the two answer differently."
    )

    def line(runs: Any) -> tuple[str, ...] | None:
        if not (runs["merge"] == "merged").any():
            return None
        return (
            *(_short(runs, f"{prefix}latency_seconds", 1e3) for prefix in ("", "merged_")),
            *(digits.count(mean(runs, f"{prefix}batch_examples_per_second")) for prefix in ("", "merged_")),
            *(digits.count(total(runs, f"merged_{name}")) for name in ("differences", "compared")),
        )

    return _per_cell("costs-merged", caption, titles, frames, expected, line)


def fronts(frames: Frames, expected: Expected) -> Table | None:
    """Table of the cells on the front of each task and cost, the cheapest first; None without any."""
    table, titles, groups = frames["pareto"], Titles(expected), []
    table = table[table["on_front"]]
    for task in expected.tasks:
        rows = []
        for cost in costs.PARETO_COSTS:
            cells = table[(table["task"] == task.name) & (table["cost"] == cost)].sort_values("value", kind="stable")
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
    table, titles, rows = frames["efficiency"], Titles(expected), []
    if not table["rank"].notna().any():
        return None
    for task in expected.tasks:
        rows.append(TableRow((TableCell(task.title, bold=True),), rule=bool(rows), heading=True))
        group = None
        for model, method in expected.grid(task):
            scored = cell_of(table, task, model.name, method.name)
            ranks = dict(zip(scored["beta"], scored["rank"], strict=True))
            cells = [
                TableCell("" if model.name == group else titles.models[model.name]),
                TableCell(titles.methods[method.name]),
            ]
            cells += [TableCell(digits.count(ranks[beta]), bold=ranks[beta] == 1) for beta in efficiency.BETAS]
            rows.append(TableRow(tuple(cells)))
            group = model.name
    columns = (MODEL, METHOD, *(Column(f"β = {beta:g}", "right") for beta in efficiency.BETAS))
    caption = (
        "Rank within its task by the efficiency score, for each weight β of cost. β = 0: by quality alone. Bold: the "
        "first. The scores are in efficiency.csv."
    )
    return Table("efficiency", caption, columns, tuple(rows))


# Parts ---------------------------------------------------------------------------------------------------------------


def _per_cell(name: str, caption: str, titles: Iterable[str], frames: Frames, expected: Expected, line: Any) -> Table:
    names, groups = Titles(expected), []
    for task in expected.tasks:
        rows = []
        for model, method in expected.grid(task):
            runs = cell_of(frames["costs"], task, model.name, method.name)
            values = line(runs[runs["status"] == "ok"])
            if values is not None:
                rows.append((names.models[model.name], names.methods[method.name] + _shared(runs), *values))
        groups.append((task.title, rows))
    return layout.grouped_table(name, caption, [MODEL, METHOD, *(Column(title, "right") for title in titles)], groups)


def _shared(runs: Any) -> str:
    """What a line about a training says that is that of other tasks too."""
    return " (shared)" if runs["shared_by"].notna().any() else ""


def _front_cell(row: Any, task: ExpectedTask, titles: Titles) -> str:
    marks = ("" if absent(row.tied_with_cheaper) else "*") + ("" if absent(row.replaceable_by) else "†")
    name = f"{titles.models[row.model]} + {titles.methods[row.method]}{marks}"
    return f"{name} ({task.primary.short(row.score)}; {_value(row.cost, row.value, row.value_sd)})"


def _value(cost: str, value: float, spread: float | None = None) -> str:
    if spread and not absent(spread) and cost not in COUNTED:
        if cost.endswith("bytes"):
            return f"{digits.binary_size(value)} ± {digits.binary_size(spread)}"
        factor, unit = unit_of(cost)
        return f"{digits.with_spread(value / factor, spread / factor)} {unit}"
    if cost.endswith("bytes"):
        return digits.binary_size(value)
    if cost == "parameters_trainable":
        return digits.count(value)
    if cost == "training_flops":
        return operations(value)
    factor, unit = unit_of(cost)
    return f"{digits.without_exponent(value / factor)} {unit}"


def _spread(runs: Any, name: str, factor: float = 1.0) -> str:
    """Mean of a column over runs, with the standard deviation of several seeds."""
    values = factor * runs[name].dropna()
    if len(values) > 1 and values.std() > 0:
        return digits.with_spread(values.mean(), values.std())
    return digits.significant(values.mean()) + (" ± 0" if len(values) > 1 else "")


def _short(runs: Any, name: str, factor: float = 1.0) -> str:
    return digits.significant(factor * mean(runs, name))


def _over_seeds(expected: Expected) -> str:
    if len(expected.seeds) == 1:
        return "One seed."
    return f"Means over {len(expected.seeds)} seeds; ±: their standard deviation."
