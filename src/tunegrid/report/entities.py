"""The section on entities: the F1 of each type, and answers that are malformed."""

from typing import Any

from tunegrid.common.digits import DASH, absent
from tunegrid.report import layout
from tunegrid.report.layout import Section, Table, right
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, where
from tunegrid.results.expected import Expected, ExpectedTask

SHOWN = 6  # types with a column, those of the most entities


def section(frames: Frames, expected: Expected) -> Section | None:
    """The section on entities; None where no task has any."""
    tables = tuple(table for task in expected.tasks if (table := _table(frames, expected, task)) is not None)
    if not tables:
        return None
    text = (
        "An answer is a list of entities with their types. A part of it that is no text with a type of the task is "
        "malformed: it is no entity, so that it takes nothing from precision, but what it was to be is missing from "
        "recall. Tasks with labels have no malformed answers, for their models choose among the labels."
    )
    return Section("Entities by type", (text,), tables)


def _table(frames: Frames, expected: Expected, task: ExpectedTask) -> Table | None:
    scores, malformed = (where(frames[name], task=task.name) for name in ("entities", "malformed"))
    if not len(scores):
        return None
    titles = Titles(expected)
    counts: dict[str, float] = {row.type: row.expected for row in scores.itertuples()}
    shown = sorted(counts, key=lambda name: (-counts[name], name))[:SHOWN]
    rows = []
    for _, group in scores.groupby(["kind", "model", "method"], sort=False, dropna=False):
        cells = {row.type: row for row in group.itertuples()}
        first = next(iter(cells.values()))
        rows.append((*titles.line(first), *(_score(cells[name]) for name in shown), _share(malformed, first)))
    columns = [MODEL, METHOD, *right(*shown, "Malformed")]
    listed = "; ".join(f"{name}: {counts[name]:,.0f}" for name in shown)
    caption = (
        f"{task.title}: F1 of whole entities of each type, with intervals, and the share of answers with a malformed "
        f"part. Entities in the test rows: {listed}."
    )
    note = "" if len(counts) <= SHOWN else f"The {SHOWN} commonest of {len(counts)} types; all are in entities.csv."
    return layout.plain_table(f"entities-{task.name}", caption, columns, rows, note)


def _score(row: Any) -> str:
    return f"{row.f1:.3f}" + ("" if absent(row.ci_low) else f" [{row.ci_low:.2f}, {row.ci_high:.2f}]")


def _share(malformed: Any, row: Any) -> str:
    """Share of the malformed answers of a cell's seeds together."""
    own = where(malformed, kind=row.kind, model=row.model, method=row.method)
    answers, rows = own["answers"].sum(), own["rows"].sum()
    return f"{100 * answers / rows:.1f}%" if rows else DASH
