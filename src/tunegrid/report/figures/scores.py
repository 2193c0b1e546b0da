"""The primary metric of every cell with its interval and each of its seeds, one panel per task.

The axis names models, whose methods lie below one another; or, where there is one model, its methods.
"""

from typing import Any

from tunegrid.common.digits import absent
from tunegrid.report.figures.style import axis_title, legend, methods, panels, scale, short, tidy
from tunegrid.report.tables import where
from tunegrid.results.expected import Expected, ExpectedTask

BASELINE, UNTUNED, SEED, COLLAPSED = "trivial baseline", "untuned", "a seed", "a collapsed seed"


def draw(frames: dict[str, Any], expected: Expected) -> Any:
    """The figure; None where no row has a score."""
    cells = frames["cells"].dropna(subset=["mean"])
    if cells.empty:
        return None
    models = expected.models
    line = 0.105 if len(models) > 1 else 0.15  # inches that a cell takes
    height = 0.65 + line * len(models) * (len(expected.methods) + 1)
    figure, shown = panels(expected.tasks, height, 0.35, sharey=True)
    for axis, task in shown:
        _panel(axis, task, where(cells, task=task.name, primary=True), expected)
        if len(expected.seeds) > 1:
            _seeds(axis, task, frames["results"], expected)
    named = [method.title for method in expected.methods] if len(models) > 1 else []
    legend(figure, [*named, SEED, COLLAPSED, UNTUNED, BASELINE])
    return figure


def _panel(axis: Any, task: ExpectedTask, rows: Any, expected: Expected) -> None:
    from matplotlib.ticker import MaxNLocator

    place = {model.name: -number for number, model in enumerate(expected.models)}
    step, factor = _step(expected), scale(task)
    for row in where(rows, kind="baseline", method=task.trivial).itertuples():
        axis.axvline(factor * row.mean, color="0.35", linewidth=1, linestyle="--", label=BASELINE, zorder=1)
    styles = methods(expected)
    for column, method in enumerate(expected.methods):
        colour, marker, _ = styles[method.name]
        points = list(where(rows, kind="run", method=method.name).itertuples())
        heights = [place[point.model] + 0.4 - step * (column + 0.5) for point in points]
        for point, height in zip(points, heights, strict=True):
            if not absent(point.ci_low):
                ends = [factor * point.ci_low, factor * point.ci_high]
                axis.plot(ends, [height] * 2, color=colour, linewidth=1.4, zorder=2)
        values = [factor * point.mean for point in points]
        if points:
            axis.plot(values, heights, marker, color=colour, markersize=4.5, label=method.title, zorder=3)
    untuned = list(where(rows, kind="untuned").itertuples())
    if untuned:
        heights = [place[row.model] + 0.4 - step * (len(expected.methods) + 0.5) for row in untuned]
        axis.plot([factor * row.mean for row in untuned], heights, "x", color="0.2", markersize=4.5, label=UNTUNED)
    for number in range(len(expected.models) - 1):
        axis.axhline(-number - 0.5, color="0.85", linewidth=0.6, zorder=0)
    axis.set_title(short(task.title, 30))
    axis.set_xlabel(axis_title(task))
    axis.xaxis.set_major_locator(MaxNLocator(5, min_n_ticks=3))
    if len(place) > 1:
        axis.set_yticks([-number for number in range(len(place))], [short(model.title) for model in expected.models])
    else:
        titles = [*(method.title for method in expected.methods), UNTUNED]
        heights = [0.4 - step * (number + 0.5) for number in range(len(titles))]
        axis.set_yticks(heights, [short(title, 26) for title in titles])
        axis.set_ylabel(short(expected.models[0].title))
        axis.label_outer()
    axis.set_ylim(-len(place) + 0.5, 0.5)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color="0.9", linewidth=0.6)
    tidy(axis, "left")


def _step(expected: Expected) -> float:
    """Height of a method's line; a model has 0.8, the untuned model's line included."""
    return 0.8 / (len(expected.methods) + 1)


def _seeds(axis: Any, task: ExpectedTask, results: Any, expected: Expected) -> None:
    """Draws every seed as a dot just below its cell's interval, and a ring around each that collapsed."""
    models, methods_ = [[named.name for named in names] for names in (expected.models, expected.methods)]
    rows = where(results, task=task.name, primary=True, kind="run", status="ok").dropna(subset=["value"])
    step, factor = _step(expected), scale(task)
    heights = [-models.index(row.model) + 0.4 - step * (methods_.index(row.method) + 0.78) for row in rows.itertuples()]
    rows = rows.assign(x=factor * rows["value"], y=heights)
    axis.plot(rows["x"], rows["y"], ".", color="0.25", markersize=2.5, label=SEED, zorder=4)
    fallen = rows.dropna(subset=["collapse"])
    if len(fallen):
        look = {"color": "#D40000", "fillstyle": "none", "markersize": 6}
        axis.plot(fallen["x"], fallen["y"], "o", **look, label=COLLAPSED, zorder=4)
