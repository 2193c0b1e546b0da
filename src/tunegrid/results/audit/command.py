"""`tunegrid audit`: the audit of a folder of tables, printed and written."""

from __future__ import annotations

from pathlib import Path

from tunegrid.common.files import write_text
from tunegrid.common.package_data import published_folder
from tunegrid.results.audit import show
from tunegrid.results.audit.checks import audit_folder
from tunegrid.results.audit.folder import read_folder


def audit(folder: Path | None, findings: Path | None, pairs: Path | None, time_limit: float) -> int:
    """Prints the audit of a folder, by default of the paper's tables; returns 1 if it finds an error, else 0.

    `findings`, `pairs`: CSV files to write: the findings; every test size and positives that fit a table's rows.
    `time_limit`: seconds that the searches for counts may take; a search that takes longer ends with a note.

    Raises:
        TuneGridError: the folder or a file in it cannot be read, with what to do.
    """
    tables = read_folder(folder or published_folder())
    result = audit_folder(tables, time_limit=time_limit, progress=True)
    print(show.report(tables, result, str(folder) if folder else "the paper's tables"))
    for file, text in ((findings, show.findings_csv(result.findings)), (pairs, show.pairs_csv(result.groups))):
        if file:
            write_text(file, text)
    return 1 if result.failed else 0
