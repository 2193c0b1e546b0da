"""The report's section on how small a difference the study can find, and its sentence on page one."""

from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent, without_exponent
from tunegrid.common.words import listed
from tunegrid.report import layout
from tunegrid.report.layout import Column, Section, Table, right
from tunegrid.report.tables import Frames, Titles, number
from tunegrid.results.expected import Expected, ExpectedTask
from tunegrid.results.statistics.intervals import LEVEL
from tunegrid.results.statistics.power import MORE, MOST_ROWS, MOST_SEEDS, NEVER, POWER, SAME, UNKNOWN

CHANCE = f"{100 * POWER:.0f}%"
TWO_SEEDS = "65 to 75%"  # what simulated studies of two seeds find of it (docs/statistics.md)
LARGEST = 1.0  # difference of two scores
ROWS_LIMITS = {
    SAME: "the difference is 0",
    NEVER: "no number of rows: the seeds' noise alone is larger",
    MORE: f"more than {MOST_ROWS:,.0f} times as many",
}
SEEDS_LIMITS = {
    SAME: "the difference is 0",
    NEVER: "no number of seeds: the test rows' noise alone is larger",
    MORE: f"more than {MOST_SEEDS}",
    UNKNOWN: DASH,
}


def section(frames: Frames, expected: Expected) -> Section | None:
    """The section; None where no task has two cells to compare."""
    if not len(frames["detectable"]):
        return None
    several = (frames["detectable"]["about"] == "methods").any()
    text = (
        "A difference that no test finds may still be there. The smallest difference of a task is the true difference "
        f"of two cells that the paired test of this study finds with a power of {CHANCE}, given "
        + ("the seeds and test rows that there are" if several else "the test rows that there are")
        + f": at the level of Holm's first step (for all pairs of the task together, {LEVEL}), and, as if no other "
        "pair were tested, alone. It differs between pairs, for cells that answer alike are told apart more easily; "
        "the table has the median pair and the range. The spreads are estimates, of few seeds rough ones."
    )
    if len(expected.seeds) == 2:
        text += f" With two seeds they are so rough that it is found less often: in simulated studies in {TWO_SEEDS}."
    needed = (
        "The second table asks what would separate the best cell from the second, if their true difference were the "
        "one seen here, which it hardly is: the difference itself is uncertain, and a smaller one needs far more. More "
        "rows do not lower the noise of the seeds, nor more seeds that of the rows."
    )
    if not several:
        needed += " With one seed per cell it is about these trained models; how many seeds it takes is not known."
    return Section("How much data would tell", (text, needed), (_smallest(frames, expected), _needed(frames, expected)))


def summary(frames: Frames, expected: Expected) -> list[str]:
    """A sentence for page one; none where no task has two cells to compare."""
    rows = {row.task: row for row in frames["detectable"].itertuples()}
    parts, blind = [], []
    for task in expected.tasks:
        if (row := rows.get(task.name)) is None:
            continue
        if row.smallest > LARGEST:
            blind.append(task.title)
            continue
        unit = " points" if task.primary.percent else ""
        span = ""
        if row.cells > 2:
            to = f"to {_about(task, row.smallest_high)}" if row.smallest_high <= LARGEST else "up, in some none"
            span = f"; by pair {_about(task, row.smallest_low)} {to}"
        parts.append(f"{_about(task, row.smallest)}{unit} ({task.title}{span})")
    about = "between two cells" if (frames["detectable"]["about"] == "methods").any() else "between two of these runs"
    chance, texts = TWO_SEEDS if len(expected.seeds) == 2 else CHANCE, []
    if parts:
        texts.append(
            f"What this study can see: a true difference {about} of about {listed(parts)} is found in {chance} of such "
            "studies, smaller ones less often."
        )
    if blind:
        texts.append(
            f"What this study cannot see ({listed(blind)}): no difference {about}, however large, is found in {chance} "
            "of such studies; the seeds or the test rows vary too much, or are too few."
        )
    return texts


def _smallest(frames: Frames, expected: Expected) -> Table:
    rows, tasks = [], {task.name: task for task in expected.tasks}
    for row in frames["detectable"].itertuples():
        task = tasks[row.task]
        unit = " %" if task.primary.percent else ""
        rows.append(
            (
                task.title,
                f"{task.primary.title},{unit}" if unit else task.primary.title,
                digits.count(row.examples) + (f" in {row.units:,.0f} groups" if row.units != row.examples else ""),
                _range(row.seeds_least, row.seeds_most),
                f"{row.cells:.0f}",
                _number(task, row.smallest),
                " to ".join(dict.fromkeys(_number(task, end) for end in (row.smallest_low, row.smallest_high))),
                _number(task, row.smallest_alone),
            )
        )
    heads = ("Test rows", "Seeds", "Cells", "Smallest", "Of all pairs", "Alone")
    caption = (
        f"The smallest true difference between two cells that a study like this finds with a power of {CHANCE}: of the "
        "median pair, and the range of all pairs, with Holm's correction at its first step; alone: of the median pair "
        "without a correction. Cells of which a seed collapsed are left out, unless no other is left."
    )
    if (frames["detectable"][["smallest", "smallest_high", "smallest_alone"]] > LARGEST).any(axis=None):
        caption += " None: not even the largest difference that there can be is found so often."
    return layout.plain_table("detectable", caption, [Column("Task"), Column("Metric"), *right(*heads)], rows)


def _needed(frames: Frames, expected: Expected) -> Table:
    titles, rows, tasks = Titles(expected), [], {task.name: task for task in expected.tasks}
    for row in frames["detectable"].itertuples():
        task = tasks[row.task]
        first, second = titles.cell(row.first_model, row.first_method), titles.cell(row.second_model, row.second_method)
        needed = ("separated here", "separated here") if row.separated else (_rows(row), _seeds(row))
        rows.append((task.title, first, second, _number(task, row.difference, "+"), *needed))
    columns = [Column("Task", width=0.14), Column("First", width=0.17), Column("Second", width=0.17)]
    columns += [*right("Difference"), Column("Test rows that would separate them", width=0.17)]
    columns.append(Column("Seeds that would", width=0.17))
    caption = (
        "What would separate the best cell from the second, with a power of "
        f"{CHANCE} at Holm's first step, if their true difference were the one seen here: test rows, with the seeds "
        "that there are; or seeds of each cell, on the test rows that there are."
    )
    return layout.plain_table("data-needed", caption, columns, rows)


def _rows(row: Any) -> str:
    if not absent(row.rows_limit):
        return ROWS_LIMITS[row.rows_limit]
    of_groups = ", in as many more groups" if row.units != row.examples else ""
    return f"about {_rough(row.rows_needed)}{of_groups} (now {row.examples:,.0f})"


def _seeds(row: Any) -> str:
    if not absent(row.seeds_limit):
        return SEEDS_LIMITS[row.seeds_limit]
    return f"about {_rough(row.seeds_needed)} (now {_range(row.seeds_least, row.seeds_most)})"


def _rough(count: float) -> str:
    """A number to two digits, for it is no more certain: 12,000."""
    return f"{float(f'{count:.2g}'):,.0f}"


def _range(least: float, most: float) -> str:
    return f"{least:.0f}" if least == most else f"{least:.0f} to {most:.0f}"


def _number(task: ExpectedTask, value: float, sign: str = "") -> str:
    """A difference without its unit; "none" where not even the largest could be found."""
    return "none" if value > LARGEST else number(task.primary, value, sign)


def _about(task: ExpectedTask, value: float) -> str:
    """A difference without its unit to two digits, for it is known no better."""
    return without_exponent(100 * value if task.primary.percent else value, 2)
