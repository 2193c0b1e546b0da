"""Learning curves: training and validation loss of every run, one panel per task and model.

Runs that sample their own answers are not there: their loss is none of the task's, and they have a figure of their own.
"""

from itertools import product
from typing import Any

from tunegrid.report import preferences
from tunegrid.report.figures.style import WIDTH, legend, methods, short, tidy
from tunegrid.report.tables import where
from tunegrid.results.expected import Expected

TRAINING, VALIDATION = "training loss", "validation loss"
TASKS_PER_LINE = 4
CROWDED = 60  # from this ratio of the highest to the lowest loss on, a panel has room for powers of ten alone


def draw(frames: dict[str, Any], expected: Expected) -> Any:
    """The figure; None where no run has a history. Seeds are thin lines; the axis is examples seen, else steps."""
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    history = frames["history"].dropna(subset=["loss", "validation_loss"], how="all")
    samplers = preferences.samplers(expected)
    learners = [method for method in expected.methods if method not in samplers]
    history = history[history["method"].isin([method.name for method in learners])]
    if not len(history):
        return None
    axis_column = "examples" if history["examples"].notna().all() else "step"
    tasks, models = expected.tasks, expected.models
    blocks = [tasks[first : first + TASKS_PER_LINE] for first in range(0, len(tasks), TASKS_PER_LINE)]
    lines = len(blocks) * len(models)
    height = 1.25 if lines > 1 else 2.2  # inches of a line
    size = {"figsize": (WIDTH, 0.7 + lines * min(height, 7.4 / lines)), "squeeze": False, "layout": "constrained"}
    figure, axes = plt.subplots(lines, len(blocks[0]), sharex="col" if len(blocks) == 1 else False, **size)
    for number, (block, model) in enumerate(product(blocks, models)):
        line = number % len(models)
        for axis in axes[number][len(block) :]:
            axis.set_visible(False)
        for column, (axis, task) in enumerate(zip(axes[number], block, strict=False)):
            _panel(axis, where(history, task=task.name, model=model.name), axis_column, expected)
            if line == 0:
                axis.set_title(short(task.title, 30 if len(tasks) < TASKS_PER_LINE else 18))
            if column == 0:
                axis.set_ylabel(short(model.title))
            if line == len(models) - 1:
                axis.set_xlabel("examples seen" if axis_column == "examples" else "step")
            axis.xaxis.set_major_locator(MaxNLocator(4 if len(blocks[0]) < TASKS_PER_LINE else 3))
            if axis.get_yscale() == "log":
                low, high = axis.get_ylim()
                axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < CROWDED else (1,)))
                axis.yaxis.set_minor_locator(NullLocator())
                axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            else:
                axis.yaxis.set_major_locator(MaxNLocator(4))
            axis.xaxis.set_major_formatter(_thousands)
            axis.grid(color="0.92", linewidth=0.6)
            tidy(axis)
    styles = methods(expected)
    for method in learners:  # what a method looks like, whether or not it is in the first panel
        colour, marker, dashes = styles[method.name]
        axes[0, 0].add_line(Line2D([], [], color=colour, marker=marker, linestyle=dashes, ms=4, label=method.title))
    axes[0, 0].add_line(Line2D([], [], color="0.3", linewidth=1.1, label=TRAINING))
    axes[0, 0].add_line(Line2D([], [], color="0.3", marker="o", mfc="none", ms=4.5, linestyle="", label=VALIDATION))
    legend(figure, [*(method.title for method in learners), TRAINING, VALIDATION])
    return figure


def _panel(axis: Any, history: Any, column: str, expected: Expected) -> None:
    styles = methods(expected)
    for method in expected.methods:
        colour, marker, dashes = styles[method.name]
        of_method = where(history, method=method.name)
        width = 1.2 if of_method["seed"].nunique() < 2 else 0.6
        for _, run in of_method.groupby("seed"):
            trained, checked = (run.dropna(subset=[loss]) for loss in ("loss", "validation_loss"))
            axis.plot(trained[column], trained["loss"], color=colour, linestyle=dashes, linewidth=width)
            axis.plot(
                checked[column], checked["validation_loss"], color=colour, linestyle=":", linewidth=0.4,
                marker=marker, markersize=4, markerfacecolor="white", markeredgewidth=0.9,
            )  # fmt: skip
    losses = history[["loss", "validation_loss"]].to_numpy().ravel()
    if len(losses) and not (losses <= 0).any():  # where runs end tells them apart, not where they begin
        axis.set_yscale("log")


def _thousands(value: float, _: int) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:g}"
