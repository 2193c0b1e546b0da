"""How small a difference a study could find, before anything of it runs: from assumed variances, as lines of text.

The command's defaults (1 point, 10 %) are round numbers near what the mini study shows: its seeds' own standard
deviation is .3, .7 and 1.4 points in question answering, translation (BLEU) and sentiment (medians of cells), and the
means of two cells differ on 14, 3 and 9 % of the rows (BLEU: the variance of a row's part in the difference).
"""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from tunegrid.results.statistics.power import POWER, assumed_difference

MORE_SEEDS = 10


class Design(NamedTuple):
    """A task of a study: number of test rows, of seeds and of cells."""

    task: str
    rows: int
    seeds: int
    cells: int


def planned_power(designs: Iterable[Design], seed_sd: float, disagreement: float) -> str:
    """A line for each task with at least two cells, under a heading with what is assumed; "" without such a task."""
    lines = [_line(design, seed_sd, disagreement) for design in designs if design.cells > 1 and design.rows > 0]
    if not lines:
        return ""
    heading = (
        f"\nWhat it could tell: true differences of two cells, in points, that are found with {100 * POWER:.0f}% power "
        "among all pairs of a task.\n"
        f"Assumed: seeds differ by {100 * seed_sd:g} points (sd), two cells on {100 * disagreement:g}% of the rows "
        "(--seed-sd, --disagreement)."
    )
    return "\n".join([heading, *lines])


def _line(design: Design, seed_sd: float, disagreement: float) -> str:
    task, rows, seeds, cells = design
    family = cells * (cells - 1) // 2

    def points(rows: float, seeds: int, family: int = family) -> str:
        return f"{100 * assumed_difference(rows, seeds, cells, seed_sd, disagreement, family):.1f}"

    text = f"  {task}: {rows:,} test rows, {seeds} seed{'s' if seeds > 1 else ''}, {cells} cells: {points(rows, seeds)}"
    text += f" (one pair alone {points(rows, seeds, 1)})"
    if seeds == 1:
        return f"{text}, of these trained models only; of methods with 3 seeds {points(rows, 3)}"
    text += f"; with any number of rows {points(inf, seeds)}"
    return text + (f", with {MORE_SEEDS} seeds {points(rows, MORE_SEEDS)}" if seeds < MORE_SEEDS else "")
