"""The section on bias probes: the difference that a word makes to each cell, before and after tuning."""

from typing import Any

from tunegrid.common.digits import DASH
from tunegrid.common.words import plural
from tunegrid.report import layout
from tunegrid.report.layout import Section, Table, right
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, change, decimal, where
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
        rows = where(frames["probes"], task=task.name, probe=probe.name)
        paragraphs.append(_words(where(rows, status="ok"), task, probe))
        tables += [_table(rows, expected, task, probe, condition) for condition in rows["condition"].unique()]
    return Section("Bias probes", tuple(paragraphs), tuple(tables))


def _words(rows: Any, task: ExpectedTask, probe: ExpectedProbe) -> str:
    apart = where(rows, separated=True)
    tiny = int((apart["difference"].abs() < SMALLEST).sum())
    by_little = f", {tiny} of them by less than {SMALLEST}" if tiny else ""
    verdict = f"{len(apart)} of {plural(len(rows), 'difference')} apart from 0{by_little}."
    verdict = verdict if len(rows) else "Nothing was scored."
    return f"{probe.title} ({task.title}). {probe.shows} What it cannot show: {probe.blind} Here: {verdict}"


def _table(frame: Any, expected: Expected, task: ExpectedTask, probe: ExpectedProbe, condition: str | None) -> Table:
    titles, lines, sizes = Titles(expected), [], None
    order = [model.name for model in expected.models]
    rows = where(frame, condition=condition).itertuples()
    for row in sorted(rows, key=lambda row: order.index(row.model)):  # each model before and after tuning
        if row.status != "ok":
            lines.append((*titles.line(row), row.status, DASH, DASH, DASH))
            continue
        sizes = f"{plural(int(row.examples), 'pair')} of {plural(int(row.templates), 'template')}"
        star = "*" if row.separated else ""
        difference = change(row.difference, row.difference_low, row.difference_high) + star
        changed = change(row.change, row.change_low, row.change_high)
        lines.append((*titles.line(row), decimal(row.first_score), decimal(row.second_score), difference, changed))
    columns = [MODEL, METHOD, *right(*probe.sides, f"Difference [{CONFIDENCE} interval]", "Change by tuning")]
    of_condition = f", condition “{condition}”" if condition else ""
    caption = f"{task.title}: {probe.title}{of_condition}. Score: {probe.measure}{f'; {sizes}' if sizes else ''}."
    name = "-".join(filter(None, ("probe", probe.name, condition)))
    return layout.plain_table(name, caption, columns, lines)
