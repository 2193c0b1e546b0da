"""Each table of the report as CSV and Markdown, beside LaTeX and HTML."""

import csv
import io

from tunegrid.report.layout import Table, TableRow


def rows_of(table: Table) -> tuple[list[str], list[list[str]]]:
    """Heads and complete rows of a table: headings of groups become a column, and no name is left out."""
    grouped = any(row.heading for row in table.rows)
    heads = [*(["Group"] if grouped else []), *(column.title for column in table.columns)]
    rows, group, first = [], "", ""
    for row in table.rows:
        if row.heading:
            group, first = row.cells[0].text, ""
            continue
        texts = [cell.text for cell in row.cells]
        first = texts[0] = texts[0] or first
        rows.append([*([group] if grouped else []), *texts])
    return heads, rows


def as_csv(table: Table) -> str:
    """The printed text of a table as CSV, with an ASCII minus so that numbers are read as numbers."""
    heads, rows = rows_of(table)
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerows([heads, *([text.replace("−", "-") for text in row] for row in rows)])
    return output.getvalue()


def as_markdown(table: Table) -> str:
    """Caption, rows and note of a table as Markdown (GitHub's), the best values in bold."""
    columns = table.columns
    lines = [f"**{_markdown(table.caption)}**", "", _line([_markdown(column.title) for column in columns])]
    lines.append(_line(["---:" if column.align == "right" else "---" for column in columns]))
    lines += [_line(_cells(row, len(columns))) for row in table.rows]
    if table.note:
        lines += ["", _markdown(table.note)]
    return "\n".join(lines) + "\n"


def _cells(row: TableRow, width: int) -> list[str]:
    texts = [f"**{_markdown(cell.text)}**" if cell.bold else _markdown(cell.text) for cell in row.cells]
    return texts + [""] * (width - len(texts))


def _line(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _markdown(text: str) -> str:
    """Escapes the characters that have a meaning in Markdown."""
    return "".join(f"\\{character}" if character in "\\`*_|<>[]#~$" else character for character in text)
