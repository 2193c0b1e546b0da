"""The layout of tables, figures and sections, independent of LaTeX and HTML: a table is text in cells.

The tables of scores are laid out as in the paper: rows grouped by model, its methods below one another, the best value
of a column bold. The paper's own numbers and ours go through the same functions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tunegrid.common.citations import Formula
from tunegrid.common.digits import DASH
from tunegrid.tasks import Metric

LONG = 20  # rows from which a table may break across pages


@dataclass(frozen=True)
class TableCell:
    text: str
    bold: bool = False
    link: str = ""  # where it leads in HTML, relative to the report's folder


@dataclass(frozen=True)
class Column:
    """A column; `width`: share of the line (0 to 1) of a column of running text; None: as wide as its content."""

    title: str
    align: str = "left"  # or "right"
    width: float | None = None


def right(*titles: str) -> list[Column]:
    """Columns of numbers, which end at the right."""
    return [Column(title, "right") for title in titles]


@dataclass(frozen=True)
class TableRow:
    cells: tuple[TableCell, ...]
    rule: bool = False  # whether a line stands above: a new group
    heading: bool = False  # whether its one cell spans the table: the title of a group


@dataclass(frozen=True)
class Table:
    """A table of the report; `name` is its file's, without the suffix."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    note: str = ""

    @property
    def long(self) -> bool:
        return len(self.rows) > LONG


class Figure(NamedTuple):
    """A figure of the report; `name` is its files', without the suffix, `module` draws it.

    The caption is also for those who do not see the figure.
    """

    name: str
    caption: str
    module: str  # of this package


@dataclass(frozen=True)
class Section:
    """A section of the report: text, then equations, figures, tables."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    formulas: tuple[Formula, ...] = ()


@dataclass(frozen=True)
class ScoreLine:
    """One line of a table of scores. `values` by metric, 0 to 1; empty where there is no result: `status` says why."""

    group: str  # title of the model
    label: str  # title of the method
    values: Mapping[str, float]
    status: str = "ok"
    competes: bool = True  # whether it is a cell: baselines and untuned models are never bold
    link: str = ""  # of its scores, see `TableCell`


def score_table(
    name: str, caption: str, metrics: Sequence[Metric], lines: Sequence[ScoreLine], note: str = ""
) -> Table:
    """Lays out scores as the paper's Tables 6.1 to 6.3: model, method, a column per metric, the best value bold."""
    best = {metric.name: _best(metric, lines) for metric in metrics}
    rows, group = [], None
    for line in lines:
        new = line.group != group
        cells = [TableCell(line.group if new else ""), TableCell(line.label)]
        for number, metric in enumerate(metrics):
            if metric.name in line.values:
                text = metric.text(line.values[metric.name])
                cells.append(TableCell(text, line.competes and text == best[metric.name], line.link))
            else:
                cells.append(TableCell(line.status if number == 0 and not line.values else DASH))
        rows.append(TableRow(tuple(cells), rule=new and bool(rows)))
        group = line.group
    columns = [Column("Model"), Column("Method"), *right(*(metric.title for metric in metrics))]
    return Table(name, caption, tuple(columns), tuple(rows), note)


def _best(metric: Metric, lines: Iterable[ScoreLine]) -> str | None:
    values = [line.values[metric.name] for line in lines if line.competes and metric.name in line.values]
    return metric.text(max(values)) if values else None


def plain_table(
    name: str, caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str | TableCell]], note: str = ""
) -> Table:
    """Lays out rows of text, or of cells; the first column, of text, is blank while it stays the same."""
    rows = list(rows)
    firsts = [row[0] for row in rows]
    grouped = len(set(firsts)) < len(firsts)  # lines between groups of one row would be lines between rows
    table_rows: list[TableRow] = []
    for row, before in zip(rows, [None, *firsts], strict=False):
        new = row[0] != before
        texts = ("" if not new else row[0], *row[1:])
        cells = tuple(TableCell(text) if isinstance(text, str) else text for text in texts)
        table_rows.append(TableRow(cells, rule=new and bool(table_rows) and grouped))
    return Table(name, caption, tuple(columns), tuple(table_rows), note)


def grouped_table(
    name: str,
    caption: str,
    columns: Sequence[Column],
    groups: Iterable[tuple[str, Iterable[Sequence[str | TableCell]]]],
    note: str = "",
) -> Table:
    """Lays out groups of rows, each under a heading; rows of a group as in `plain_table`."""
    table_rows: list[TableRow] = []
    for heading, rows in groups:
        inner = plain_table(name, "", columns, rows).rows
        if inner:
            table_rows.append(TableRow((TableCell(heading, bold=True),), rule=bool(table_rows), heading=True))
            table_rows += [TableRow(row.cells) for row in inner]
    return Table(name, caption, tuple(columns), tuple(table_rows), note)
