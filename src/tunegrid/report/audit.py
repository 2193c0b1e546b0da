"""The audit in reports: of a study's own results, and of the paper's numbers."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from tunegrid.common.package_data import published_folder
from tunegrid.common.words import plural
from tunegrid.report import layout
from tunegrid.report.layout import Column, Section, Table
from tunegrid.report.tables import Frames
from tunegrid.results.audit import show
from tunegrid.results.audit.checks import Audit, audit_folder
from tunegrid.results.audit.findings import Finding
from tunegrid.results.audit.folder import Folder, read_folder
from tunegrid.results.audit.labels import Group
from tunegrid.results.audit.show import CHECK_NAMES
from tunegrid.results.expected import Expected
from tunegrid.results.paper.numbers import TASKS, published_rows

PAIRS_SHOWN = 24  # rows of the table of pairs

_CHECKS = (
    "The results are checked by arithmetic: scores lie within 0 and 1; exact match and accuracy are whole numbers of "
    "test examples; precision, recall, F1 and accuracy follow from one table of counts, with as many positive examples "
    "everywhere; F1 is not below exact match; every result is of the whole test set. Two results with the same "
    "predictions, or a model that is worse than before tuning, can be right and are warnings."
)


def study_section(frames: Frames, expected: Expected) -> Section:
    """The audit of a study's results and, where the study is about the paper, of the paper's numbers."""
    audit = frames["audit"]
    findings = audit[audit["severity"] != "passed"]
    results = int((frames["results"]["primary"] & (frames["results"]["status"] == "ok")).sum())
    checked = f"{plural(int(audit['checked'].sum()), 'check')} on {plural(results, 'result')}"
    outcome = show.counted(findings.itertuples()) if len(findings) else "nothing found"
    texts, tables = [f"{_CHECKS} {checked}: {outcome}."], [_table(findings, expected)] if len(findings) else []
    if about_paper(expected):
        text, table = _paper_audit()
        texts.append(text)
        tables.append(table)
    return Section("Audit", tuple(texts), tuple(tables))


def _table(findings: Any, expected: Expected) -> Table:
    columns = (
        Column("Task", width=0.14),
        Column("Severity", width=0.08),
        Column("Finding", width=0.42),
        Column("What it means", width=0.28),
    )
    titles = {task.name: task.title for task in expected.tasks}
    rows = ((titles[row.task], row.severity, row.computed, row.meaning) for row in findings.itertuples())
    return layout.plain_table("audit", "Findings of the audit of these results.", columns, rows)


def about_paper(expected: Expected) -> bool:
    """Whether the paper's tables contain a cell of the study: kind of task, titles of model and method."""
    for kind in TASKS.keys() & {task.kind for task in expected.tasks}:
        cells = {(row["model"].casefold(), row["method"].casefold()) for row in published_rows(kind)}
        for task in (task for task in expected.tasks if task.kind == kind):
            if any((model.title.casefold(), method.title.casefold()) in cells for model, method in expected.grid(task)):
                return True
    return False


def _paper_audit() -> tuple[str, Table]:
    """Audit of the paper's numbers for a study about the paper: a sentence, and a table of the contradictions."""
    findings = [finding for finding in _published(pairs=False)[1].findings if finding.severity != "note"]
    text = (
        f"A similar audit of the numbers that the paper printed finds {show.counted(findings)}. The errors are in the "
        "table below; tunegrid audit prints all of it, and what follows from the numbers."
    )
    errors = [finding for finding in findings if finding.severity == "error"]
    columns = (Column("Table", width=0.2), Column("What was computed", width=0.45), Column("What it means", width=0.28))
    rows = ((finding.table, finding.computed, finding.meaning) for finding in errors)
    return text, layout.plain_table("published-audit", "Contradictions in the paper's own numbers.", columns, rows)


def published_sentence() -> str:
    """The sentence about the audit on page one of the report of the paper's numbers."""
    _, audit = _published(pairs=True)
    return (
        f"An audit of these numbers by arithmetic finds {show.counted(audit.findings)}: see the section on the audit."
    )


def published_section() -> Section:
    """The whole audit of the paper's numbers."""
    folder, audit = _published(pairs=True)
    tables = []
    for number, table in enumerate(folder.tables, 1):
        findings = [finding for finding in audit.findings if finding.table == table.title]
        caption = f"Audit of {table.title[0].lower()}{table.title[1:]}."
        tables.append(findings_table(f"published-audit-{number}", caption, findings))
    tables += [pairs_table("published-audit-pairs", group) for group in audit.groups[:1]]
    text = (
        f"What arithmetic alone says of these numbers: {show.counted(audit.findings)}. An error contradicts what is "
        "claimed, or another number; a warning can be right, but a reader has to know; a note follows. "
        "The paper names its data sets, not the sizes of its tests: they are compared with the public test sets. "
        "Other values come from the sources named with them. docs/audit.md explains each check; tunegrid "
        "audit prints the same."
    )
    return Section("Audit", (text,), tuple(tables))


@cache
def _published(pairs: bool) -> tuple[Folder, Audit]:
    """The paper's tables and their audit; without `pairs` in a fraction of the time."""
    folder = read_folder(published_folder())
    return folder, audit_folder(folder) if pairs else audit_folder(folder, largest_pair=0)


def findings_table(name: str, caption: str, findings: Iterable[Finding]) -> Table:
    """Findings as a table of a report."""
    columns = (
        Column("Severity", width=0.08),
        Column("Check", width=0.13),
        Column("What was computed", width=0.43),
        Column("What it means", width=0.26),
    )
    rows = [(finding.severity, CHECK_NAMES[finding.check], finding.computed, finding.meaning) for finding in findings]
    return layout.plain_table(name, caption, columns, rows)


def pairs_table(name: str, group: Group) -> Table:
    """Table of the first pairs of a group, and of the first pair that gives every row correctly rounded."""
    shown = list(group.pairs[:PAIRS_SHOWN])
    shown += [pair for pair in group.pairs[PAIRS_SHOWN:] if pair.tolerance <= 0.5][:1]
    columns = [Column(title, "right") for title in ("Test size", "Positives", "Share", "Tolerance", "Rows exact")]
    rows = [
        (
            f"{pair.size:,}",
            f"{pair.positives:,}",
            f"{pair.positives / pair.size:.5f}",
            f"{pair.tolerance:.2f}",
            f"{pair.exact}",
        )
        for pair in shown
    ]
    caption = (
        f"{group.table}: test sizes and numbers of positives that give {plural(len(group.rows), 'row')} within one "
        "unit of the last digit, with the tolerance that the worst score needs, in such units (up to 0.5: correctly "
        f"rounded). The first {PAIRS_SHOWN} of {len(group.pairs):,}, and the first that rounds every row correctly."
    )
    return layout.plain_table(name, caption, columns, rows)
