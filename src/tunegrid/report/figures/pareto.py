"""Quality against cost: a row of panels per task, a panel per cost, a point per cell, the front as a line of steps."""

from typing import Any

from tunegrid.report.cost_words import COST_TITLES, unit_of
from tunegrid.report.figures.style import (
    TALLEST,
    WIDTH,
    axis_title,
    explain_letters,
    legend,
    methods,
    model_letters,
    scale,
    short,
    tidy,
)
from tunegrid.report.tables import where
from tunegrid.results.expected import Expected

# The others are in pareto.csv: operations go with seconds, and the saved weights with the parameters.
SHOWN = ("parameters_trainable", "optimisation_seconds", "peak_memory_bytes", "deployed_latency_seconds")
FRONT, CHANCE = "front", "cheaper cell tied"


def draw(frames: dict[str, Any], expected: Expected) -> Any:
    """The figure; None where no cell has a score and a cost."""
    import matplotlib.pyplot as plt

    table = frames["pareto"].dropna(subset=["score", "value"])
    shown = [cost for cost in SHOWN if (table["cost"] == cost).any()]
    if not shown:
        return None
    tasks = [task for task in expected.tasks if (table["task"] == task.name).any()]
    figure, axes = plt.subplots(
        len(tasks),
        len(shown),
        figsize=(WIDTH, min(1.55 * len(tasks) + 0.75, TALLEST)),
        sharex="col",
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for line, task in enumerate(tasks):
        for column, cost in enumerate(shown):
            rows = where(table, task=task.name, cost=cost)
            unit = unit_of(cost)[0]
            rows = rows.assign(x=rows["value"] / unit, spread=rows["value_sd"] / unit, y=scale(task) * rows["score"])
            _panel(axes[line, column], rows, expected)
        axes[line, 0].set_ylabel(f"{short(task.title, 18)}\n{axis_title(task)}")
    for column, cost in enumerate(shown):
        _cost_axis(axes[:, column], cost, where(table, cost=cost)["value"])
    legend(figure, [*(method.title for method in expected.methods), FRONT, CHANCE])
    explain_letters(figure, expected)
    return figure


def _panel(axis: Any, rows: Any, expected: Expected) -> None:
    styles, letters = methods(expected), model_letters(expected)
    front = where(rows, on_front=True).sort_values(["x", "y"])
    doubtful = set(front.dropna(subset=["tied_with_cheaper"]).index)
    for row in rows.itertuples():
        colour, marker, _ = styles[row.method]
        style = {"markerfacecolor": "white" if row.Index in doubtful else colour, "markeredgewidth": 1.1}
        alpha = 1.0 if row.on_front else 0.45
        axis.plot([row.x], [row.y], marker, color=colour, markersize=5, alpha=alpha, zorder=3, **style)
        if row.spread > 0:  # not so where it is missing
            ends = [max(row.x - row.spread, row.x / 3), row.x + row.spread]
            axis.plot(ends, [row.y] * 2, color=colour, linewidth=0.6, alpha=alpha, zorder=2)
        axis.annotate(
            letters[row.model], (row.x, row.y), xytext=(3.2, 2.2), textcoords="offset points", fontsize=6, color="0.25"
        )
    own = set(rows["method"])
    for method in expected.methods:  # one entry of the legend each, whatever its points look like here
        if method.name in own:
            colour, marker, _ = styles[method.name]
            axis.plot([], [], marker, color=colour, markersize=5, label=method.title)
    if doubtful:
        axis.plot([], [], "o", color="0.3", markerfacecolor="white", markersize=5, markeredgewidth=1.1, label=CHANCE)
    if len(front):
        axis.step(front["x"], front["y"], where="post", color="0.35", linewidth=0.9, zorder=2, label=FRONT)
    axis.grid(color="0.9", linewidth=0.6)
    axis.margins(0.12, 0.12)
    tidy(axis)


def _cost_axis(axes: Any, cost: str, values: Any) -> None:
    """Sets title and scale of a column of panels: logarithmic where the cells differ by more than fivefold."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    logarithmic = (values > 0).all() and values.max() > 5 * values.min()
    for axis in axes:
        if logarithmic:
            axis.set_xscale("log")
            subs = (1.0,) if values.max() > 100 * values.min() else (1.0, 3.0)
            axis.xaxis.set_major_locator(LogLocator(subs=subs, numticks=6))
            axis.xaxis.set_minor_formatter(NullFormatter())
        else:
            axis.xaxis.set_major_locator(MaxNLocator(3))
        axis.xaxis.set_major_formatter(FuncFormatter(_number))
    unit = unit_of(cost)[1]
    axes[-1].set_xlabel(short(f"{COST_TITLES[cost]}, {unit}" if unit else COST_TITLES[cost], 16))


def _number(value: float, _: int) -> str:
    """Label of a tick: 300, 30k, 1M. (Matplotlib's powers of ten need parse_math, which is off for titles.)"""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 10 * size or (value >= size and value % size == 0):
            return f"{value / size:g}{unit}"
    return f"{value:g}"
