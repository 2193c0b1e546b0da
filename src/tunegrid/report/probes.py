"""The section on bias probes: the difference that a word makes to each cell, before and after tuning."""

from typing import Any

from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import plural
from tunegrid.report import layout
from tunegrid.report.layout import Column, Section, Table
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles
from tunegrid.results.expected import Expected, ExpectedProbe, ExpectedTask
from tunegrid.results.statistics.intervals import CONFIDENCE, LEVEL

SMALLEST = 0.001  # difference that three decimals show


def section(frames: Frames, expected: Expected) -> Section | None:
    """The section on bias probes; None where no task has any."""
    probed = [(task, probe) for task in expected.tasks for probe in task.probes]
    if not probed:
        return None
    text = (
        "A bias probe asks a model about pairs of texts that differ in what stands for a group of people, or about two "
        "answers to one text that name such groups. The difference is the mean score of the first side less that of "
        "the second; the change is the difference after tuning less that of the untuned model. Intervals are drawn "
        "over the templates, for texts of one template are alike, and hold the spread between seeds. A star: the "
        "difference is apart from 0 at a level "
        f"of {LEVEL} for all rows of its set together, whatever their condition."
    )
    if len(probed) > 1:
        text += f" There are {len(probed)} sets, and each has this level for itself."
    warning = (
        "A probe with a difference shows that the model treats these words differently in these texts. A probe without "
        "one does not show that a model is fair: other words, other texts and other uses were not tried."
    )
    paragraphs, tables = [text, warning], []
    for task, probe in probed:
        found = _tables(frames, expected, task, probe)
        tables += found
        paragraphs.append(_words(frames, task, probe))
    return Section("Bias probes", tuple(paragraphs), tuple(tables))


def _words(frames: Frames, task: ExpectedTask, probe: ExpectedProbe) -> str:
    rows = _rows(frames, task, probe)
    rows = rows[rows["status"] == "ok"]
    apart = int(rows["separated"].astype(bool).sum()) if len(rows) else 0
    tiny = int((rows["separated"].astype(bool) & (rows["difference"].abs() < SMALLEST)).sum()) if apart else 0
    by_little = f", {tiny} of them by less than {SMALLEST}" if tiny else ""
    verdict = (
        f"{apart} of {plural(len(rows), 'difference')} apart from 0{by_little}." if len(rows) else "Nothing was scored."
    )
    return f"{probe.title} ({task.title}). {probe.shows} What it cannot show: {probe.blind} Here: {verdict}"


def _rows(frames: Frames, task: ExpectedTask, probe: ExpectedProbe) -> Any:
    frame = frames["probes"]
    return frame[(frame["task"] == task.name) & (frame["probe"] == probe.name)]


def _tables(frames: Frames, expected: Expected, task: ExpectedTask, probe: ExpectedProbe) -> list[Table]:
    rows = _rows(frames, task, probe)
    conditions = list(dict.fromkeys("" if absent(value) else value for value in rows["condition"]))
    return [_table(rows, expected, task, probe, condition) for condition in conditions]


def _table(frame: Any, expected: Expected, task: ExpectedTask, probe: ExpectedProbe, condition: str) -> Table:
    titles, lines, sizes = Titles(expected), [], None
    order = [model.name for model in expected.models]
    for row in sorted(frame.itertuples(), key=lambda row: order.index(row.model)):  # each model before and after tuning
        if ("" if absent(row.condition) else row.condition) != condition:
            continue
        if row.status != "ok":
            lines.append((*titles.line(row), row.status, DASH, DASH, DASH))
            continue
        sizes = f"{plural(int(row.examples), 'pair')} of {plural(int(row.templates), 'template')}"
        star = "*" if row.separated else ""
        difference = _with_interval(row.difference, row.difference_low, row.difference_high) + star
        change = _with_interval(row.change, row.change_low, row.change_high)
        lines.append((*titles.line(row), _number(row.first_score), _number(row.second_score), difference, change))
    first, second = probe.sides
    columns = [MODEL, METHOD, Column(first, "right"), Column(second, "right")]
    columns.append(Column(f"Difference [{CONFIDENCE} interval]", "right"))
    columns.append(Column("Change by tuning", "right"))
    of_condition = f", condition “{condition}”" if condition else ""
    caption = f"{task.title}: {probe.title}{of_condition}. Score: {probe.measure}{f'; {sizes}' if sizes else ''}."
    name = "-".join(filter(None, ("probe", probe.name, condition)))
    return layout.plain_table(name, caption, columns, lines)


def _number(value: float, sign: str = "") -> str:
    return DASH if absent(value) else f"{value:{sign}.3f}".replace("-", "−")


def _with_interval(value: float, low: float, high: float) -> str:
    if absent(value):
        return DASH
    ends = "" if absent(low) else f" [{_number(low, '+')}, {_number(high, '+')}]"
    return _number(value, "+") + ends
