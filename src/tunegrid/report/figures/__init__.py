"""The report's figures: one module each, one list from which they are drawn, and put into the report's sections.

A module offers `draw(frames, expected) -> matplotlib.figure.Figure | None`: `frames` are the tidy tables by name
(tables.py), None says that there is nothing to show. It takes sizes, colours and markers from `style`.
"""

from collections.abc import Callable
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from tunegrid.report.figures.style import settings
from tunegrid.report.layout import Figure
from tunegrid.report.tables import Frames
from tunegrid.results.expected import Expected
from tunegrid.results.statistics.intervals import CONFIDENCE

FIGURES: tuple[Figure, ...] = (
    Figure(
        "figure-scores",
        f"Primary metric of every cell with its {CONFIDENCE} interval; dots: its seeds, ringed where one collapsed.",
        "scores",
    ),
    Figure(
        "figure-profiles",
        "Performance profiles: the share of a method's runs, in all tasks together, that score above τ, where the "
        f"trivial baseline of a task is 0 and a perfect score 1. The bands are pointwise {CONFIDENCE} intervals of a "
        "bootstrap within tasks, over seeds and test rows. Where a line is the higher one, more runs score above τ.",
        "profiles",
    ),
    Figure(
        "figure-breakdown",
        "Where a run's time goes: seconds of training and of evaluation by what they went to, means over seeds.",
        "breakdown",
    ),
    Figure(
        "figure-pareto",
        "Quality against cost: a point per cell, its colour and mark for the method, its letter for the model. The "
        "stepped line is the front: no other cell is better in one of the two and not worse in the other. The "
        "line through a point: the standard deviation of its cost over seeds. Costs that differ more than fivefold are "
        "on a logarithmic axis.",
        "pareto",
    ),
    Figure(
        "figure-efficiency",
        "Rank of each cell by the efficiency score, for each weight β of cost: lines that cross are cells whose order "
        "depends on what a cost is taken to be worth.",
        "efficiency",
    ),
    Figure(
        "figure-curves",
        "Learning curves: training loss (lines) and validation loss (marks) of every run, on a logarithmic axis; with "
        "several seeds each is a thin line. Losses of different tasks, models and label smoothings do not compare.",
        "curves",
    ),
    Figure(
        "figure-preferences",
        "Runs that learn from preferences, on validation rows: the mean reward of sampled answers, their divergence "
        "from the run at the start, their tokens, and the task's own metric. Each seed is a line.",
        "preferences",
    ),
)


class Drawing(NamedTuple):
    """A figure of the report, and what Matplotlib drew."""

    figure: Figure
    canvas: Any  # matplotlib.figure.Figure

    def as_svg(self) -> str:
        """Draws the figure as SVG and closes it; same input, same text."""
        import matplotlib.pyplot as plt

        text = StringIO()
        with plt.rc_context(settings()):
            self.canvas.savefig(text, format="svg", metadata={"Date": None})
        plt.close(self.canvas)
        return text.getvalue()


def draw_figures(frames: Frames, expected: Expected, folder: Path) -> dict[str, Drawing]:
    """Draws what there is to show as `folder`/<name>.pdf (vector, fonts embedded); same input, same bytes.

    Returns the drawings by name, open for `as_svg`.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn = {}
    with plt.rc_context(settings()):
        for figure in FIGURES:
            draw: Callable[[Frames, Expected], Any] = import_module(f"{__name__}.{figure.module}").draw
            canvas = draw(frames, expected)
            if canvas is None:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            canvas.savefig(folder / f"{figure.name}.pdf", metadata={"CreationDate": None})
            canvas.set_layout_engine(None)  # the layout is found, and is the same for SVG: it takes as long as drawing
            drawn[figure.name] = Drawing(figure, canvas)
    return drawn
