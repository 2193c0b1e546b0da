"""The report as files: LaTeX and HTML from the templates in `report/`, and the PDF."""

from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tunegrid import published
from tunegrid.errors import TuneGridError
from tunegrid.expected import Expected
from tunegrid.records import write_text
from tunegrid.reporting import latex
from tunegrid.reporting.figures import draw_figures
from tunegrid.reporting.latex import TEX_HINT, compile_pdf, tex_engine
from tunegrid.reporting.layout import Table
from tunegrid.reporting.text import Report, study_report
from tunegrid.resources import templates_folder
from tunegrid.results import read_results
from tunegrid.tables import tables_of

__all__ = ["TEX_HINT", "compile_pdf", "render_published", "render_report", "render_table", "tex_engine"]

LONGEST_UNBROKEN = 30  # letters of a text that may widen its column


def render_report(
    results: Path, expected: Expected, folder: Path, pdf: bool, resamples: int | None = None
) -> list[Path]:
    """Writes the report of the results that are there, marking what is missing; returns the files, the PDF last.

    `folder` gets each table as a .tex file that can be used by itself, the figure, report.tex, report.html and, with
    `pdf`, report.pdf. Raises TuneGridError for results that cannot be read and for a TeX that is missing or fails; the
    .tex and HTML files are written before.
    """
    study = read_results(results, expected)
    frames = tables_of(study, resamples)
    drawn = draw_figures(frames, expected, folder)
    return _write(study_report(frames, expected, study.unexpected, drawn), folder, pdf)


def render_published(folder: Path, pdf: bool) -> list[Path]:
    """Writes the report of the paper's own numbers, through the same templates; returns the files, the PDF last."""
    return _write(published.published_report(), folder, pdf)


def render_table(table: Table) -> str:
    """A table as LaTeX."""
    return _latex().get_template("table.tex.j2").render(table=table)


def _write(report: Report, folder: Path, pdf: bool) -> list[Path]:
    files = {"preamble.tex": (templates_folder() / "preamble.tex").read_text(encoding="utf-8")}
    for table in report.tables:
        files[f"{latex.label(table.name)}.tex"] = render_table(table)
    files["report.tex"] = _latex().get_template("report.tex.j2").render(report=report)
    drawings = {figure.name: _inline(folder / f"{figure.name}.svg") for figure in report.figures}
    files["report.html"] = _html().get_template("report.html.j2").render(report=report, drawings=drawings)
    for name, text in files.items():
        write_text(folder / name, text)
    written = [folder / name for name in files]
    written += [folder / f"{figure.name}.{suffix}" for figure in report.figures for suffix in ("pdf", "svg")]
    if pdf:
        written.append(compile_pdf(folder, report.epoch))
    return written


def _inline(path: Path) -> Markup:
    """An SVG drawing as part of an HTML page: without its XML declaration and document type."""
    text = path.read_text(encoding="utf-8")
    return Markup(text[text.index("<svg") :])


@cache
def _latex() -> Any:
    """Jinja2 with delimiters that LaTeX leaves alone: ((( value ))), ((* statement *)), ((= comment =))."""
    environment = _environment(
        variable_start_string="(((",
        variable_end_string=")))",
        block_start_string="((*",
        block_end_string="*))",
        comment_start_string="((=",
        comment_end_string="=))",
        # Every value passes this; what a macro made is Markup and passes unchanged.
        finalize=latex.escape,
    )
    environment.filters["column_types"] = _column_types
    return environment


def _html() -> Any:
    return _environment()


def _environment(**options: Any) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = templates_folder()
    if not (folder / "report.tex.j2").exists():
        raise TuneGridError(f"{folder}: the report's templates are not there. Install the package again.")
    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters["label"] = latex.label
    return environment


def _column_types(table: Table) -> Markup:
    """The columns as tabular's argument; a column of long texts is broken into lines even where no width is given."""
    kinds = []
    for number, column in enumerate(table.columns):
        texts = [row.cells[number].text for row in table.rows if not row.heading]
        width = column.width
        if width is None and column.align == "left" and max(map(len, texts), default=0) > LONGEST_UNBROKEN:
            width = 0.25
        kinds.append(f"P{{{width}}}" if width else "r" if column.align == "right" else "l")
    return Markup("".join(kinds))
