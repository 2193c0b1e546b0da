"""What a finding of an audit is, for the terminal, the report and CSV files; its check chooses its severity."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A finding of a check.

    Attributes:
        check: name of the check, as in docs/audit.md.
        severity: error: the numbers contradict each other or a claim about them; warning: they can be right, but a
            reader has to know; note: a consequence of the numbers.
        table: title of the table.
        rows: names of the rows concerned; empty: all.
        computed: what was computed, and the result, as a sentence.
        numbers: the same for programs: plain numbers, texts and lists of them.
        meaning: what the result means, as one sentence.
    """

    check: str
    severity: Severity
    table: str
    rows: tuple[str, ...]
    computed: str
    meaning: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """The finding as a row of a CSV file: texts, the numbers as JSON."""
        return vars(self) | {"rows": "; ".join(self.rows), "numbers": json.dumps(self.numbers, ensure_ascii=False)}


Checked = tuple[int, list[Finding]]  # (number of scores or rows that a check looked at, its findings)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The findings with errors first; findings of one severity keep their order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
