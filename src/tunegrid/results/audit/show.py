"""An audit as text for the terminal, the names of its checks, and the CSV file of test sizes."""

from __future__ import annotations

import csv
import io
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from tunegrid.common.words import listed, plural
from tunegrid.results.audit.checks import Audit
from tunegrid.results.audit.findings import SEVERITIES, Finding
from tunegrid.results.audit.folder import LIST, Folder
from tunegrid.results.audit.labels import Group

WIDTH = 110
CHECK_NAMES = {  # titles of the checks in reports
    "range": "Range",
    "f1-below-exact-match": "F1 and exact match",
    "claimed-size": "Claimed test size",
    "test-size": "Test size",
    "split": "Held-out part",
    "f1": "F1, precision, recall",
    "accuracy": "Accuracy",
    "share-of-positives": "Share of positives",
    "claimed-positives": "Claimed test set",
    "test-size-and-positives": "Test size and positives",
    "identical-rows": "Identical rows",
    "repeated-values": "Repeated values",
    "failed-run": "Failed runs",
    "partial-credit": "Partial credit",
    "beyond-known": "Beyond known systems",
    "below-untuned": "Below untuned",
    "below-published": "Below published",
    # of our own results only
    "whole-counts": "Whole counts",
    "test-set": "Test set",
    "records": "Records",
}


def counted(findings: Iterable[Finding]) -> str:
    """Numbers of findings by severity: `2 errors, 1 warning and 3 notes`, or `none`."""
    counts = Counter(finding.severity for finding in findings)
    return listed(plural(counts[severity], severity) for severity in SEVERITIES if counts[severity])


def report(folder: Folder, audit: Audit, place: str) -> str:
    """The audit of a folder as text, table by table."""
    lines = [f"Audit of {place}: {counted(audit.findings)}"]
    if folder.left_out:
        lines.append(f"  not audited, because {LIST} does not list them: {', '.join(folder.left_out)}")
    for table in folder.tables:
        claimed = f", {table.test_size:,} examples" if table.test_size else ""
        compared = f"; compared with {table.data}{claimed}" if table.data else claimed
        lines += ["", f"{table.title}: {plural(len(table.rows), 'row')}{compared}"]
        if table.aside:
            lines.append(f"  columns of numbers that are no scores known here: {', '.join(table.aside)}")
        findings = [finding for finding in audit.findings if finding.table == table.title]
        for finding in findings:
            rows = f" [{listed(finding.rows, most=4)}]" if finding.rows and len(finding.rows) < len(table.rows) else ""
            lines.append(f"  {finding.severity}: {CHECK_NAMES[finding.check]}{rows}")
            lines += textwrap.wrap(finding.computed, WIDTH, initial_indent="    ", subsequent_indent="    ")
            lines += textwrap.wrap(finding.meaning, WIDTH, initial_indent="    => ", subsequent_indent="       ")
        if not findings:
            lines.append("  nothing found")
    return "\n".join(lines)


def findings_csv(findings: Iterable[Finding]) -> str:
    """All findings as the text of a CSV file."""
    columns = ("check", "severity", "table", "rows", "computed", "numbers", "meaning")
    return _csv(columns, ([finding.row()[column] for column in columns] for finding in findings))


def pairs_csv(groups: Iterable[Group]) -> str:
    """Every test size and number of positives that fits a group of rows, with the tolerance that it needs, as CSV."""
    columns = ("table", "rows", "test_size", "positives", "tolerance_in_units", "rows_exact")
    rows = (
        (group.table, "; ".join(group.rows), pair.size, pair.positives, f"{pair.tolerance:.4f}", pair.exact)
        for group in groups
        for pair in group.pairs
    )
    return _csv(columns, rows)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([columns, *rows])
    return file.getvalue()
