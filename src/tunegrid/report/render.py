"""The report as files: LaTeX and HTML from the templates in `report/`, and the PDF."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tunegrid.common.files import replaced_folder, write_json, write_text
from tunegrid.report import export, formulas, index, latex, published
from tunegrid.report.document import Report, study_report
from tunegrid.report.figures import Drawing, draw_figures
from tunegrid.report.latex import TEX_HINT, compile_pdf, tex_engine
from tunegrid.report.layout import Table
from tunegrid.report.tables import Frames
from tunegrid.report.templates import environment, file_text
from tunegrid.results.expected import Expected

__all__ = ["TEX_HINT", "compile_pdf", "render_published", "render_report", "render_table", "tex_engine"]

LONGEST_UNBROKEN = 30  # letters of a text that may widen its column
# Widths at \small (9 pt) as shares of the line (16.2 cm, 461 pt): a letter of 4.8 pt, somewhat more than the mean of
# English text, and the space between two columns, twice the 5 pt of \tabcolsep.
LETTER, GAP = 0.0105, 0.022
# (largest width of a table of this size, as a share of the line at \small; size; \tabcolsep in pt). At \footnotesize
# (8 pt) letters have 0.89 and gaps 0.7 of their width at \small, so that tables up to about 1.16 fit on the line.
SIZES = ((1.0, "small", 5), (1.16, "footnotesize", 3.5), (float("inf"), "scriptsize", 2.5))
NARROWEST = 0.08  # share of the line of a column of running text


def render_report(frames: Frames, expected: Expected, folder: Path, pdf: bool) -> list[Path]:
    """Writes the report of a study's tidy tables, marking what is missing; returns the files, the PDF last.

    `folder` gets report.tex, report.html and, with `pdf`, report.pdf; `tables/` with each table as LaTeX that can be
    used by itself, CSV, Markdown and HTML; `figures/` as PDF and SVG; index.json, which lists both, and `captions/`
    are for Snakemake's own report. Raises TuneGridError where TeX is missing or fails; all else is written before.
    """
    with replaced_folder(folder / "figures") as drawings:
        drawn = draw_figures(frames, expected, drawings)
    report = study_report(frames, expected, {name: drawing.figure for name, drawing in drawn.items()})
    return _write(report, drawn, folder, pdf)


def render_published(folder: Path, pdf: bool) -> list[Path]:
    """Writes the report of the paper's own numbers, through the same templates; returns the files, the PDF last."""
    return _write(published.published_report(), {}, folder, pdf)


def render_table(table: Table) -> str:
    """The LaTeX of a table."""
    return _latex().get_template("table.tex.j2").render(table=table)


def _write(report: Report, drawn: dict[str, Drawing], folder: Path, pdf: bool) -> list[Path]:
    with replaced_folder(folder / "tables") as tables:
        for name, text in _table_files(report).items():
            write_text(tables / name, text)
    with replaced_folder(folder / "captions") as captions:
        for entry in index.entries(report):
            write_text(captions / f"{entry['name']}.html", str(Markup("<p>{}</p>\n").format(entry["caption"])))
    names = ("preamble.tex", "report.tex", "report.html", index.INDEX)
    write_text(folder / "preamble.tex", file_text("preamble.tex"))
    document = _latex().get_template("report.tex.j2").render(report=report, cited=formulas.cited)
    write_text(folder / "report.tex", document)
    with ThreadPoolExecutor(1) as pool:  # LaTeX is another process, and needs no SVG: the page is made while it works
        compiled = pool.submit(compile_pdf, folder, report.epoch) if pdf else None
        write_text(folder / "report.html", _page(report, drawn, folder))
        write_json(folder / index.INDEX, index.entries(report))
    written = [folder / name for name in names]
    written += sorted(path for part in ("tables", "figures") for path in (folder / part).glob("*"))
    return written + ([compiled.result()] if compiled else [])


def _page(report: Report, drawn: dict[str, Drawing], folder: Path) -> str:
    """The report as one HTML page, its figures and equations drawn in it; writes the figures as SVG files, too."""
    drawings = {}
    for name, drawing in drawn.items():
        text = drawing.as_svg()
        write_text(folder / f"figures/{name}.svg", text)
        drawings[name] = _inline(text, drawing.figure.caption)
    equations = {
        formula.title: _inline(formulas.drawn(formula), formula.spoken)
        for section in report.sections
        for formula in section.formulas
    }
    template = _html().get_template("report.html.j2")
    return template.render(report=report, drawings=drawings, equations=equations, cited=formulas.cited)


def _table_files(report: Report) -> dict[str, str]:
    """Contents of the files of all tables in all forms, and of the preamble of a single table, by file name."""
    files = {"preamble.tex": file_text("tables.tex")}
    for table in report.tables:
        name = latex.label(table.name)
        files[f"{name}.tex"] = render_table(table)
        files[f"{name}.csv"] = export.as_csv(table)
        files[f"{name}.md"] = export.as_markdown(table)
        files[f"{name}.html"] = _html().get_template("table.html.j2").render(table=table, number=None)
    return files


def _inline(drawing: str, alt: str) -> Markup:
    """An SVG drawing as part of an HTML page, with words for those who do not see it."""
    drawing = drawing[drawing.index("<svg") :]
    return Markup('<svg role="img" aria-label="{}"{}').format(alt, Markup(drawing.removeprefix("<svg")))


@cache
def _latex() -> Any:
    """Jinja2 with delimiters that mean nothing to LaTeX: ((( value ))), ((* statement *)), ((= comment =))."""
    made = environment(
        variable_start_string="(((",
        variable_end_string=")))",
        block_start_string="((*",
        block_end_string="*))",
        comment_start_string="((=",
        comment_end_string="=))",
        # Every value passes this; what a macro made is Markup and passes unchanged.
        finalize=latex.escape,
    )
    # Equations in the package's own code are LaTeX already.
    made.filters |= {"label": latex.label, "column_types": _column_types, "font": _font, "tex": Markup}
    return made


@cache
def _html() -> Any:
    made = environment()
    made.filters["label"] = latex.label
    return made


def _column_types(table: Table) -> Markup:
    """Argument of LaTeX's tabular for the columns of a table."""
    kinds = [
        f"P{{{width:.3g}}}" if width else "r" if column.align == "right" else "l"
        for column, width in zip(table.columns, _widths(table)[0], strict=True)
    ]
    return Markup("".join(kinds))


def _font(table: Table) -> Markup:
    """Size of a table's letters. A table that breaks across pages cannot be scaled to the line as others are."""
    width = _widths(table)[1] if table.long else 0
    size, space = next((size, space) for widest, size, space in SIZES if width <= widest)
    return Markup(f"\\{size}" + (f"\\setlength{{\\tabcolsep}}{{{space}pt}}" if space != SIZES[0][2] else ""))


def _widths(table: Table) -> tuple[list[float | None], float]:
    """(widths of the columns as shares of the line, None for a column as wide as its content; width of the table).

    A column of long texts is broken into lines even where no width is given. In a table that breaks across pages such
    columns are as narrow as the others leave room for.
    """
    longest = [
        max((len(row.cells[number].text) for row in table.rows if not row.heading), default=0)
        for number in range(len(table.columns))
    ]
    widths = [
        0.25 if column.width is None and column.align == "left" and letters > LONGEST_UNBROKEN else column.width
        for column, letters in zip(table.columns, longest, strict=True)
    ]
    heads = [len(column.title) for column in table.columns]
    natural = sum(
        LETTER * max(letters, head)
        for width, letters, head in zip(widths, longest, heads, strict=True)
        if width is None
    )
    room = 1 - GAP * len(widths) - natural
    given = sum(width for width in widths if width)
    if table.long and given > room:
        widths = [width and max(width * room / given, NARROWEST) for width in widths]
    return widths, 1 - room + sum(width for width in widths if width)
