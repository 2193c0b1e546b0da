"""What an audit finds: one record per finding, on the terminal, in the report and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
COLUMNS = ("check", "severity", "table", "rows", "computed", "numbers", "meaning")


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes:
        check: name of the check, as in docs/audit.md.
        severity: error: the numbers contradict each other or what is claimed of them; warning: they can be right, but
            a reader has to know; note: what follows from them.
        table: title of the table.
        rows: the rows concerned, as they are called there; empty: all.
        computed: what was computed and came out, as a sentence.
        numbers: the same for programs: plain numbers, texts and lists of them.
        meaning: what it means, as one sentence.
    """

    check: str
    severity: Severity
    table: str
    rows: tuple[str, ...]
    computed: str
    meaning: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, str]:
        """As a row of a CSV file: texts, the numbers as JSON."""
        return {
            "check": self.check,
            "severity": self.severity,
            "table": self.table,
            "rows": "; ".join(self.rows),
            "computed": self.computed,
            "numbers": json.dumps(self.numbers, ensure_ascii=False),
            "meaning": self.meaning,
        }


Checked = tuple[int, list[Finding]]  # (how many numbers or rows a check looked at, what it found)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first; within a severity in the order they were found."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def as_csv(findings: Iterable[Finding]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(finding.row() for finding in findings)
    return file.getvalue()
