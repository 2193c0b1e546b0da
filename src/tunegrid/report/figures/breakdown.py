"""Where a run's time goes: a panel per task, a bar per cell, its parts loading, optimisation, …, mean over seeds.

All panels have the same lines, so that only those at the left need labels: a cell that a task does not have is a gap.
"""

from itertools import product
from typing import Any

from tunegrid.common.digits import absent
from tunegrid.report.figures.style import PANELS_PER_LINE, STYLES, panels, short, tidy
from tunegrid.report.tables import where
from tunegrid.results.expected import Expected, ExpectedTask

# (title, column of costs, colour, hatch): the hatches tell the parts apart in grey.
PARTS = (
    ("loading", "loading_seconds", STYLES[4][0], ""),
    ("optimisation", "optimisation_seconds", STYLES[0][0], ""),
    ("validation", "evaluation_seconds", STYLES[2][0], "////"),
    ("saving", "saving_seconds", "0.25", ""),
    ("loading again", "prediction_load_seconds", STYLES[4][0], "...."),
    ("prediction", "prediction_seconds", STYLES[1][0], "\\\\\\\\"),
    ("scoring", "scoring_seconds", STYLES[5][0], ""),
    ("measuring latency", "measuring_seconds", STYLES[3][0], "xxxx"),
)


def draw(frames: dict[str, Any], expected: Expected) -> Any:
    """The figure; None where no run has a cost."""
    costs = frames["costs"].dropna(subset=["optimisation_seconds"])
    if costs.empty:
        return None
    tasks = [task for task in expected.tasks if (costs["task"] == task.name).any()]
    of_any_task = {cell for task in tasks for cell in expected.grid(task)}
    cells = [cell for cell in product(expected.models, expected.methods) if cell in of_any_task]
    figure, shown = panels(tasks, 0.7 + 0.15 * len(cells), 0.5)
    for number, (axis, task) in enumerate(shown):
        _panel(axis, task, where(costs, task=task.name), cells)
        if number % PANELS_PER_LINE:
            axis.tick_params(labelleft=False)
    _legend(figure)
    return figure


def _legend(figure: Any) -> None:
    """Draws the legend above all panels, in the order of a bar, in two lines: one would be too wide."""
    by_title = {
        label: bar for axis in figure.axes for bar, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    titles = [title for title, *_ in PARTS if title in by_title]
    columns = -(-len(titles) // 2)
    by_column = [title for column in range(columns) for title in titles[column::columns]]  # as matplotlib fills it
    bars = [by_title[title] for title in by_column]
    figure.legend(bars, by_column, loc="outside upper center", ncols=columns, frameon=False)


def _panel(axis: Any, task: ExpectedTask, costs: Any, cells: list[tuple[Any, Any]]) -> None:
    labels, model_before = [], None
    for number, (model, method) in enumerate(cells):
        labels.append(f"{short(model.title, 20)} · {short(method.title, 16)}".replace("\n", " "))
        runs = where(costs, model=model.name, method=method.name)
        left = 0.0
        for title, column, colour, hatch in PARTS:
            width = runs[column].mean()
            if absent(width):
                continue
            axis.barh(
                -number, width, left=left, height=0.72, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3,
                label=title,
            )  # fmt: skip
            left += width
        if model_before not in (None, model.name):
            axis.axhline(-number + 0.5, color="0.85", linewidth=0.6, zorder=0)
        model_before = model.name
    axis.set_title(short(task.title, 30))
    axis.set_xlabel("seconds of one run")
    axis.set_yticks([-number for number in range(len(cells))], labels, fontsize=7)
    axis.set_ylim(-len(cells) + 0.4, 0.6)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color="0.9", linewidth=0.6)
    tidy(axis, "left")
