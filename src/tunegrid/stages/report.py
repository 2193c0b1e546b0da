"""The last stages: a study's results to tables, to its report, and to a few lines on the terminal."""

from __future__ import annotations

from pathlib import Path

from tunegrid.results.expected import expected
from tunegrid.stages.tables import write_tables
from tunegrid.study.study import Study


def write_report(study: Study, pdf: bool, tables: bool) -> list[Path]:
    """Writes the report from the results that are there, marking what is missing; a PDF where there is LaTeX.

    With `tables`, its CSV files are written again too, so that the two agree.
    """
    from tunegrid.report.latex import TEX_HINT, tex_engine
    from tunegrid.report.render import render_report

    if pdf and not tex_engine():
        print(f"No LaTeX here, so no PDF: the report ends with its .tex and HTML files. {TEX_HINT}")
        pdf = False
    if tables:
        write_tables(study)
    return render_report(study.paths.root, expected(study), study.paths.report, pdf)
