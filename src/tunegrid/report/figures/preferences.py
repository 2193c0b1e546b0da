"""Reward, divergence, length and the task's metric over the steps of the runs that learn from preferences."""

from typing import Any

from tunegrid.report.figures.style import WIDTH, axis_title, legend, methods, scale, short, tidy
from tunegrid.report.tables import Titles
from tunegrid.results.expected import Expected

PANELS = (("reward", "reward"), ("kl", "KL, nats per answer"), ("length", "tokens"), ("score", None))


def draw(frames: dict[str, Any], expected: Expected) -> Any:
    """The figure: a line of panels for each task and model, a line in them for each run; None without rewards."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    groups = list(frames["observations"].dropna(subset=["reward"]).groupby(["task", "model"], sort=False))
    if not groups:
        return None
    figure, axes = plt.subplots(
        len(groups), len(PANELS), figsize=(WIDTH, 0.6 + 1.5 * len(groups)), squeeze=False, layout="constrained"
    )
    styles, titles = methods(expected), Titles(expected)
    for line, ((task_name, model), points) in enumerate(groups):
        task = next(task for task in expected.tasks if task.name == task_name)
        for axis, (column, title) in zip(axes[line], PANELS, strict=True):
            factor = scale(task) if column == "score" else 1
            for (method, _), run in points.groupby(["method", "seed"], sort=False):
                colour, marker, dashes = styles[method]
                axis.plot(run["step"], factor * run[column], color=colour, marker=marker, linestyle=dashes, ms=3,
                          linewidth=0.9, label=titles.methods[method])  # fmt: skip
            axis.set_title(title or axis_title(task))
            axis.xaxis.set_major_locator(MaxNLocator(3, integer=True))
            axis.yaxis.set_major_locator(MaxNLocator(4))
            axis.grid(color="0.92", linewidth=0.6)
            tidy(axis)
            if line == len(groups) - 1:
                axis.set_xlabel("step")
        axes[line, 0].set_ylabel(short(f"{task.title}, {titles.models[model]}"))
    legend(figure, [method.title for method in expected.methods])
    return figure
