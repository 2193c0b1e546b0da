"""The audit of tables: every check that their columns allow, as findings."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tunegrid.common.words import listed, plural
from tunegrid.results.audit import labels, literature, sizes
from tunegrid.results.audit.classification import Pair
from tunegrid.results.audit.findings import Finding, ordered
from tunegrid.results.audit.folder import METRICS, WHOLE, Folder, Row, Table, names
from tunegrid.results.audit.printed import Printed, below

LARGEST_SIZE = 100_000  # up to which test sizes are tried
LARGEST_PAIR = 15_000  # up to which test sizes are tried with every number of positives
NEAR_ZERO = Fraction(1, 100)  # one point of BLEU or exact match


@dataclass(frozen=True)
class Group:
    """Rows of one table that can be of one test set, and the test sizes and positives that fit them all."""

    table: str
    rows: tuple[str, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Audit:
    findings: tuple[Finding, ...]
    groups: tuple[Group, ...] = ()

    @property
    def failed(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


def audit_folder(folder: Folder, largest: int = LARGEST_SIZE, largest_pair: int = LARGEST_PAIR) -> Audit:
    """Audits every table; the worst findings first."""
    audits = [audit_table(table, largest, largest_pair) for table in folder.tables]
    findings = ordered(finding for audit in audits for finding in audit.findings)
    return Audit(tuple(findings), tuple(group for audit in audits for group in audit.groups))


def audit_table(table: Table, largest: int = LARGEST_SIZE, largest_pair: int = LARGEST_PAIR) -> Audit:
    """Every check that the table's columns allow; its findings, the worst first.

    `largest`, `largest_pair`: the test sizes up to which is searched, without and with numbers of positives.
    """
    findings = [*out_of_range(table), *f1_below_exact_match(table)]
    for metric in WHOLE:
        findings += sizes.check(table, metric, largest)
    found, groups = labels.check(table, largest_pair)
    findings += found + identical_rows(table) + near_zero(table) + literature.check(table)
    return Audit(tuple(ordered(findings)), tuple(Group(table.title, names(rows), pairs) for rows, pairs in groups))


def out_of_range(table: Table) -> list[Finding]:
    """Scores outside 0 to 1."""
    findings = []
    for row in table.rows:
        for metric, value in row.values.items():
            if 0 <= value.value <= 1:
                continue
            unit_missed = value.value > 1 and not value.percent
            hint = f" (a percentage belongs in a column {metric}_percent)" if unit_missed else ""
            computed = f"{METRICS[metric]} is {value}, outside 0 to {'100%' if value.percent else '1'}{hint}."
            meaning = "No score of this kind can have this value."
            numbers = {"metric": metric, "value": value.text}
            findings.append(Finding("range", "error", table.title, (row.name,), computed, meaning, numbers))
    return findings


def f1_below_exact_match(table: Table) -> list[Finding]:
    """Rows whose F1 is below their exact match, whatever rounding did to both."""
    rows = [row for row in table.with_scores("exact_match", "f1") if below(row.values["f1"], row.values["exact_match"])]
    if not rows:
        return []
    said = listed(f"{row.name} (F1 {row.values['f1']}, exact match {row.values['exact_match']})" for row in rows)
    meaning = "An answer that matches exactly has an F1 of 1, so the mean F1 cannot be below exact match."
    numbers = {row.name: [row.values["f1"].text, row.values["exact_match"].text] for row in rows}
    computed = f"F1 is below exact match in {said}."
    return [Finding("f1-below-exact-match", "error", table.title, names(rows), computed, meaning, numbers)]


def identical_rows(table: Table) -> list[Finding]:
    """Rows that print the same in all their scores, of which there are at least two."""
    groups: dict[tuple[tuple[str, Printed], ...], list[Row]] = {}
    for row in table.rows:
        if len(row.values) > 1:
            groups.setdefault(tuple(sorted(row.values.items(), key=lambda item: item[0])), []).append(row)
    findings = []
    for values, rows in groups.items():
        if len(rows) == 1:
            continue
        scores = listed(f"{METRICS[metric]} {value}" for metric, value in values)
        computed = f"{listed(names(rows))} print the same {plural(len(values), 'score')} to the last digit: {scores}."
        meaning = "Unless the models answer alike, all but one of these rows are copies, and it is not known which."
        numbers = {metric: value.text for metric, value in values}
        findings.append(Finding("identical-rows", "warning", table.title, names(rows), computed, meaning, numbers))
    return findings


def near_zero(table: Table) -> list[Finding]:
    """Scores of models that give no answers."""
    findings = []
    for metric in ("bleu", "exact_match"):
        rows = [row for row in table.with_scores(metric) if 0 <= row.values[metric].value < NEAR_ZERO]
        if not rows:
            continue
        computed = f"{METRICS[metric]} is below one point in {listed(_with(row, metric) for row in rows)}."
        meaning = "This is a run that failed, not a measurement of the method."
        numbers = {"metric": metric} | {row.name: row.values[metric].text for row in rows}
        findings.append(Finding("failed-run", "warning", table.title, names(rows), computed, meaning, numbers))
    return findings


def _with(row: Row, metric: str) -> str:
    return f"{row.name} ({row.values[metric]})"
