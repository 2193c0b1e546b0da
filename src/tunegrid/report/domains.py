"""The section on other domains: what each cell scores there, and what each method loses."""

from typing import Any

from tunegrid.common.digits import DASH, absent
from tunegrid.report import layout
from tunegrid.report.layout import Section, Table, right
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, number, where, with_interval
from tunegrid.results.expected import Expected, ExpectedTask
from tunegrid.results.statistics.intervals import CONFIDENCE


def section(frames: Frames, expected: Expected) -> Section | None:
    """The section on other domains; None where no task is evaluated on any."""
    tables = [_cells(frames, expected, task, domain) for task in expected.tasks for domain in task.domains]
    if not any(tables):
        return None
    tables.append(_methods(frames, expected))
    text = (
        "The runs of the tables of scores, on test rows of other domains: nothing was trained or chosen on them. The "
        "loss is a cell's score on its own test set less that on the other; both test sets are resampled for its "
        "interval, and the spread of the losses between seeds is part of it. A domain can be harder or easier by "
        "itself: the losses of the baselines and of the untuned models show it."
    )
    return Section("Other domains", (text, *_sentences(frames, expected)), tuple(filter(None, tables)))


def _cells(frames: Frames, expected: Expected, task: ExpectedTask, domain: str) -> Table | None:
    titles, metric = Titles(expected), task.primary
    chosen = where(frames["domains"], task=task.name, domain=domain)
    if not len(chosen):
        return None
    rows = []
    for row in chosen.itertuples():
        if row.status != "ok":
            rows.append((*titles.line(row), DASH, row.status, DASH))
            continue
        score = with_interval(metric, row.score, row.score_low, row.score_high)
        loss = with_interval(metric, row.loss, row.loss_low, row.loss_high, "+")
        rows.append((*titles.line(row), number(metric, row.in_domain), score, loss))
    unit = ", %" if metric.percent else ""
    heads = (f"In domain{unit}", f"{domain}{unit} [{CONFIDENCE} interval]", f"Loss [{CONFIDENCE} interval]")
    examples = chosen["examples"].dropna()
    size = f"; {examples.max():,.0f} test rows" if len(examples) else ""
    caption = f"{task.title} on the domain “{domain}”: {metric.title} on its own test set and there{size}."
    return layout.plain_table(f"domains-{task.name}-{domain}", caption, [MODEL, METHOD, *right(*heads)], rows)


def _methods(frames: Frames, expected: Expected) -> Table | None:
    frame, titles = frames["transfer"], Titles(expected)
    if not len(frame):
        return None
    metrics = {task.name: task.primary for task in expected.tasks}
    groups: dict[str, list[tuple[str, ...]]] = {}
    for row in frame.itertuples():
        metric = metrics[row.task]
        loss = with_interval(metric, row.loss, row.loss_low, row.loss_high, "+")
        line = (titles.methods[row.method], number(metric, row.in_domain), number(metric, row.score), loss)
        groups.setdefault(f"{titles.tasks[row.task]}: {row.domain}", []).append(line)
    columns = [METHOD, *right("In domain", "There", f"Loss [{CONFIDENCE} interval]")]
    caption = "What each method scores and loses on other domains: means over the models that have all methods."
    return layout.grouped_table("transfer", caption, columns, groups.items())


def _sentences(frames: Frames, expected: Expected) -> list[str]:
    """Says which method loses least on each domain, and whether its interval is apart from that of the most."""
    titles, sentences = Titles(expected), []
    frame = frames["transfer"]
    for (task, domain), rows in frame.groupby(["task", "domain"], sort=False):
        if len(rows) < 2:
            continue
        ordered: list[Any] = sorted(rows.itertuples(), key=lambda row: row.loss)
        least, most = ordered[0], ordered[-1]
        apart = not absent(least.loss_high) and least.loss_high < most.loss_low
        sentences.append(
            f"{titles.tasks[task]}, {domain}: {titles.methods[least.method]} loses least and "
            f"{titles.methods[most.method]} most; their intervals {'lie apart' if apart else 'overlap'}."
        )
    return sentences
