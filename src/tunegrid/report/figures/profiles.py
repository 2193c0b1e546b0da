"""Performance profiles: the share of a method's runs, in all tasks, that score above each normalised score."""

from typing import Any

from tunegrid.report.figures.style import PANELS_PER_LINE, legend, methods, panels, short, tidy
from tunegrid.report.tables import where
from tunegrid.results.expected import Expected


def draw(frames: dict[str, Any], expected: Expected) -> Any:
    """The figure, a panel for each model; None where no method has a run in every task."""
    profiles = frames["profiles"]
    models = [model for model in expected.models if (profiles["model"] == model.name).any()]
    if not models:
        return None
    figure, shown = panels(models, 1.7, 0.4, sharex=True, sharey=True)
    styles = methods(expected)
    for number, (axis, model) in enumerate(shown):
        for method in expected.methods:
            rows = where(profiles, model=model.name, method=method.name)
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
        if number % PANELS_PER_LINE == 0:
            axis.set_ylabel("runs above τ")
    legend(figure, [method.title for method in expected.methods])
    return figure
