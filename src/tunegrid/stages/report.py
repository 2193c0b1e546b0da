"""The stage `report`: makes the report of a study from its tables."""

from __future__ import annotations

from pathlib import Path

from tunegrid.stages.expected import expected
from tunegrid.stages.tables import update_tables
from tunegrid.study.study import Study


def write_report(study: Study, pdf: bool) -> list[Path]:
    """Writes the report of the results that exist, and marks what is missing; with a PDF where LaTeX is installed.

    It is made of tables/*.csv alone, which are written first where they are not those of the results. Beside it stands
    the page of examples, which reads the test rows and the predictions as well.
    """
    from tunegrid.report.examples.pages import write_examples
    from tunegrid.report.latex import TEX_HINT, tex_engine
    from tunegrid.report.render import render_report
    from tunegrid.results.read import read_results
    from tunegrid.results.tables import read_tables

    if pdf and not tex_engine():
        print(f"No LaTeX here, so no PDF: the report ends with its .tex and HTML files. {TEX_HINT}")
        pdf = False
    update_tables(study)
    frames, rows = read_tables(study.paths.tables), expected(study)
    examples = write_examples(read_results(study.paths.root, rows), frames, study.paths.examples)
    return [*examples[:1], *render_report(frames, rows, study.paths.report, pdf)]
