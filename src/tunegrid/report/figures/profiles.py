"""Performance profiles: the share of a method's runs, in all tasks, that score above each normalised score."""

from typing import Any

from tunegrid.report.figures.style import PANELS_PER_LINE, WIDTH, legend, methods, short, tidy
from tunegrid.results.expected import Expected


def draw(frames: dict[str, Any], expected: Expected) -> Any:
    """The figure, a panel for each model; None where no method has a run in every task."""
    import matplotlib.pyplot as plt

    profiles = frames["profiles"]
    models = [model for model in expected.models if (profiles["model"] == model.name).any()]
    if not models:
        return None
    lines, columns = -(-len(models) // PANELS_PER_LINE), min(len(models), PANELS_PER_LINE)
    figure, axes = plt.subplots(
        lines,
        columns,
        figsize=(WIDTH, 1.7 * lines + 0.4),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    styles = methods(expected)
    for axis, model in zip(axes.flat, models, strict=False):
        for method in expected.methods:
            rows = profiles[(profiles["model"] == model.name) & (profiles["method"] == method.name)]
            if not len(rows):
                continue
            colour, _, dashes = styles[method.name]
            across = rows["threshold"]
            axis.fill_between(
                across, rows["share_low"], rows["share_high"], step="post", color=colour, alpha=0.15, lw=0
            )
            axis.step(across, rows["share"], where="post", color=colour, linestyle=dashes, lw=1.3, label=method.title)
        axis.set_title(short(model.title, 30))
        axis.set_xlabel("normalised score τ")
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1.02)
        axis.grid(color="0.9", linewidth=0.6)
        tidy(axis)
    for line in axes:
        line[0].set_ylabel("runs above τ")
    for axis in axes.flat[len(models) :]:
        axis.set_visible(False)
    legend(figure, [method.title for method in expected.methods])
    return figure
