"""The stage `tables`: every table of a study as tidy CSV."""

from __future__ import annotations

from pathlib import Path

from tunegrid.common.files import write_text
from tunegrid.results.read import FILES
from tunegrid.runtime.provenance import code_version, digest, file_digest
from tunegrid.stages.expected import expected
from tunegrid.study.study import Study

MADE_OF = "made-of.txt"  # among the tables: a digest of all that they follow from, and of themselves


def write_tables(study: Study) -> list[Path]:
    """Writes every table of the study as tidy CSV."""
    from tunegrid.results import tables

    files = tables.write_tables(study.paths.root, expected(study), study.paths.tables)
    write_text(study.paths.tables / MADE_OF, _digest(study) + "\n")
    return files


def update_tables(study: Study) -> None:
    """Writes the tables, unless they are those of the present results, of the study's settings and of this code.

    The content of the files says so, not their times: results may have been copied from another machine.
    """
    file = study.paths.tables / MADE_OF
    if not file.is_file() or file.read_text(encoding="utf-8").strip() != _digest(study):
        write_tables(study)


def _digest(study: Study) -> str:
    root = study.paths.root
    matched = [file for pattern in (*FILES, "tables/*.csv") for file in root.glob(pattern)]
    # What killed jobs were writing begins with a dot, and is no result.
    files = sorted(file for file in matched if not any(part[0] == "." for part in file.relative_to(root).parts))
    names = [str(file.relative_to(root)) for file in files]
    return digest([code_version(), repr(expected(study)), names, file_digest(*files)])
