"""The stage `tables`: every table of a study as tidy CSV."""

from __future__ import annotations

from pathlib import Path

from tunegrid.results.expected import expected
from tunegrid.study.study import Study


def write_tables(study: Study) -> list[Path]:
    """Writes every table of the study as tidy CSV."""
    from tunegrid.results import tables

    return tables.write_tables(study.paths.root, expected(study), study.paths.tables)
