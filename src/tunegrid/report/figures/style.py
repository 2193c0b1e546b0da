"""Sizes, fonts, colours and markers of all figures."""

import textwrap
from collections.abc import Sequence
from typing import Any

from tunegrid.results.expected import Expected, ExpectedTask, Named

# Okabe and Ito's colours: told apart by colour-blind eyes; markers and dashes tell them apart in grey.
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"), ("#E69F00", "P"))
MORE_MARKERS = ("X", "p", "<", "h", ">", "*")  # of methods whose colour another one has, too
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
WIDTH = 6.3  # inches: the text width of the report
TALLEST = 8.2  # inches: what a page has room for, with the caption
PANELS_PER_LINE = 3
LINE, HANDLE = 100, 7  # letters that a line of a legend has room for, and how many a label's mark takes of them


def settings() -> dict[str, Any]:
    """Matplotlib's settings for every figure."""
    return {
        "pdf.fonttype": 42,  # TrueType, embedded
        "svg.hashsalt": "tunegrid",  # the same drawing has the same bytes
        "svg.fonttype": "path",
        "font.size": 8,
        "axes.titlesize": 8.5,
        "legend.fontsize": 8,
        "text.parse_math": False,  # a $ in a name is a dollar
    }


def panels(shown: Sequence[Named], height: float, rest: float, **options: Any) -> tuple[Any, list[tuple[Any, Any]]]:
    """A figure with a panel for each task or model that is shown: the figure, and (panel, what it shows) of each.

    Args:
        height: inches of a line of panels.
        rest: inches of what is above and below them all.
        options: of `plt.subplots`.
    """
    import matplotlib.pyplot as plt

    lines, columns = -(-len(shown) // PANELS_PER_LINE), min(len(shown), PANELS_PER_LINE)
    size = (WIDTH, lines * height + rest)
    figure, axes = plt.subplots(lines, columns, figsize=size, squeeze=False, layout="constrained", **options)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    return figure, list(zip(axes.flat, shown, strict=False))


def methods(expected: Expected) -> dict[str, tuple[str, str, Any]]:
    """(colour, marker, dashes) of each method, by name: the same in every figure. Twelve have a look of their own."""
    looks = {}
    for number, method in enumerate(expected.methods):
        again, place = divmod(number, len(STYLES))
        colour, marker = STYLES[place]
        marker = MORE_MARKERS[place] if again % 2 else marker
        looks[method.name] = (colour, marker, DASHES[(place + again) % len(DASHES)])
    return looks


def model_letters(expected: Expected) -> dict[str, str]:
    """Letter next to the points of each model: A, B, C, … in the order of the tables, by name."""
    return {model.name: chr(ord("A") + number % 26) for number, model in enumerate(expected.models)}


def explain_letters(figure: Any, expected: Expected) -> None:
    """Says below all panels which model a letter stands for."""
    letters = model_letters(expected)
    key = ", ".join(f"{letters[model.name]}: {model.title}" for model in expected.models)
    figure.supxlabel(short(key, 110), fontsize=7.5)


def axis_title(task: ExpectedTask) -> str:
    """The task's primary metric as the title of an axis; see `scale`."""
    return f"{task.primary.title}, %" if task.primary.percent else task.primary.title


def scale(task: ExpectedTask) -> int:
    """Factor of the primary metric in figures: 100 where the tables print percentages, else 1."""
    return 100 if task.primary.percent else 1


def short(label: str, letters: int = 20) -> str:
    """Wraps a label into at most two lines of `letters` letters, so that the panels have room."""
    lines = textwrap.wrap(label, letters) or [""]
    return "\n".join(lines if len(lines) <= 2 else [lines[0], f"{lines[1][: letters - 1]}…"])


def tidy(axis: Any, *hidden: str) -> None:
    """Removes the box of a panel, and puts its grid behind the drawing."""
    axis.set_axisbelow(True)
    axis.spines[["top", "right", *hidden]].set_visible(False)


def legend(figure: Any, order: list[str]) -> None:
    """Draws one legend above all panels, each label once, in the given order."""
    handles: dict[str, object] = {}
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    labels = [label for label in order if label in handles]
    if labels:
        shown = [short(label, 34) for label in labels]
        widths = [max(map(len, label.split("\n"))) + HANDLE for label in shown]
        figure.legend(
            [handles[label] for label in labels],
            shown,
            loc="outside upper center",
            ncols=len(labels) if sum(widths) <= LINE else max(1, LINE // max(widths)),
            frameon=False,
        )
