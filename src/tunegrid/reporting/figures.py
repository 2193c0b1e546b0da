"""The report's figure: the primary metric of every cell with its interval, one panel per task."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

# Okabe and Ito's colours: told apart by colour-blind eyes; the markers tell them apart in grey.
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"), ("#E69F00", "P"))
PANELS_PER_LINE = 3
WIDTH = 6.3  # inches: the text width of the report


@dataclass(frozen=True)
class Point:
    """A cell's score; `low` and `high` of its interval, None where there is none. All on the panel's axis."""

    model: str
    method: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Panel:
    """A task: its cells, the score of its trivial baseline, and of the untuned models by model."""

    title: str
    axis: str
    points: tuple[Point, ...]
    baseline: float | None
    untuned: dict[str, float]


def score_figure(panels: list[Panel], models: list[str], methods: list[str], folder: Path, name: str) -> list[Path]:
    """Draws the panels as `folder`/<name>.pdf (vector, fonts embedded) and .svg; same input, same bytes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    settings = {
        "pdf.fonttype": 42,
        "svg.hashsalt": "tunegrid",
        "svg.fonttype": "path",
        "font.size": 8,
        "axes.titlesize": 8.5,
        "text.parse_math": False,  # a $ in a name is a dollar
    }
    with plt.rc_context(settings):
        lines = -(-len(panels) // PANELS_PER_LINE)
        columns = min(len(panels), PANELS_PER_LINE)
        height = lines * (0.65 + 0.14 * len(models) * (len(methods) + 1)) + 0.35
        figure, axes = plt.subplots(
            lines, columns, figsize=(WIDTH, height), sharey=True, squeeze=False, layout="constrained"
        )
        for axis, panel in zip(axes.flat, panels, strict=False):
            _draw(axis, panel, models, methods)
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        handles: dict[str, object] = {}
        for axis in axes.flat:
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        order = [label for label in (*methods, "untuned", "trivial baseline") if label in handles]
        figure.legend(
            [handles[label] for label in order],
            order,
            loc="outside upper center",
            ncols=min(len(order), 6),
            frameon=False,
        )
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.pdf", folder / f"{name}.svg"]
        figure.savefig(paths[0], metadata={"CreationDate": None})
        figure.savefig(paths[1], metadata={"Date": None})
        plt.close(figure)
    return paths


def _draw(axis, panel: Panel, models: list[str], methods: list[str]) -> None:
    place = {model: -row for row, model in enumerate(models)}
    step = 0.8 / (len(methods) + 1)
    if panel.baseline is not None:
        axis.axvline(panel.baseline, color="0.35", linewidth=1, linestyle="--", label="trivial baseline", zorder=1)
    for column, method in enumerate(methods):
        colour, marker = STYLES[column % len(STYLES)]
        points = [point for point in panel.points if point.method == method]
        if not points:
            continue
        heights = [place[point.model] + 0.4 - step * (column + 0.5) for point in points]
        for point, height in zip(points, heights, strict=True):
            if point.low is not None and point.high is not None:
                axis.plot([point.low, point.high], [height] * 2, color=colour, linewidth=1.4, zorder=2)
        values = [point.value for point in points]
        axis.plot(values, heights, marker, color=colour, markersize=4.5, label=method, zorder=3)
    if panel.untuned:
        heights = [place[model] + 0.4 - step * (len(methods) + 0.5) for model in panel.untuned]
        axis.plot(list(panel.untuned.values()), heights, "x", color="0.2", markersize=4.5, label="untuned", zorder=3)
    for row in range(len(models) - 1):
        axis.axhline(-row - 0.5, color="0.85", linewidth=0.6, zorder=0)
    axis.set_title(panel.title)
    axis.set_xlabel(panel.axis)
    axis.set_yticks([-row for row in range(len(models))], [_short(model) for model in models])
    axis.set_ylim(-len(models) + 0.5, 0.5)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)


def _short(label: str) -> str:
    """A label that leaves room for the panels: two lines of at most 20 letters."""
    lines = textwrap.wrap(label, 20) or [""]
    return "\n".join(lines if len(lines) <= 2 else [lines[0], f"{lines[1][:19]}…"])
