"""The audit of tables: the checks that every table allows, and all that a table of printed scores allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tunegrid.common.words import listed
from tunegrid.results.audit import copies, grim, labels, literature, sizes
from tunegrid.results.audit.findings import Checked, Finding, Severity, ordered
from tunegrid.results.audit.folder import Folder
from tunegrid.results.audit.labels import Group
from tunegrid.results.audit.printed import Printed
from tunegrid.results.audit.search_time import SearchTime
from tunegrid.results.audit.table import LOWEST, WHOLE, ScoreRow, ScoreTable, names, word

LARGEST_SIZE = 100_000  # up to which test sizes are tried
LARGEST_PAIR = 15_000  # up to which test sizes are tried with every number of positives
NEAR_ZERO = Fraction(1, 100)  # one point of BLEU or exact match


@dataclass(frozen=True)
class Audit:
    findings: tuple[Finding, ...]
    groups: tuple[Group, ...] = ()

    @property
    def failed(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


def audit_folder(
    folder: Folder,
    largest: int = LARGEST_SIZE,
    largest_pair: int = LARGEST_PAIR,
    time_limit: float | None = None,
    progress: bool = False,
) -> Audit:
    """Audits every table; the worst findings first.

    Args:
        largest, largest_pair: the test sizes up to which is searched, without and with numbers of positives.
        time_limit: seconds that the searches for counts may take, over all tables; None: no limit.
        progress: whether lines on stderr say what takes long.
    """
    time = SearchTime(time_limit, len(folder.tables), progress)
    audits = [_audit_table(table, largest, largest_pair, time) for table in folder.tables]
    findings = ordered(finding for audit in audits for finding in audit.findings)
    return Audit(tuple(findings), tuple(group for audit in audits for group in audit.groups))


def _audit_table(table: ScoreTable, largest: int, largest_pair: int, time: SearchTime) -> Audit:
    """Every check that the columns of a table of printed scores allow; its findings, the worst first."""
    findings = [*out_of_range(table)[1], *f1_below_exact_match(table)[1]]
    for metric in WHOLE:
        findings += sizes.check(table, metric, largest)
    time.begin(table.title)
    of_labels, groups = labels.check(table, largest_pair, time)
    findings += (
        of_labels
        + copies.identical_rows(table)[1]
        + copies.repeated_values(table)
        + near_zero(table)[1]
        + literature.check(table)
    )
    return Audit(tuple(ordered(findings)), tuple(groups))


# The checks of every table, of printed scores and of our own results --------------------------------------------------


def out_of_range(table: ScoreTable) -> Checked:
    """Scores outside 0 to 1, correlations outside -1 to 1."""
    findings, scores = [], [(row, *score) for row in table.rows for score in row.values.items()]
    for row, metric, value in scores:
        low, high = value.interval()
        lowest = LOWEST.get(metric, 0)
        if low <= 1 and high >= lowest:
            continue
        unit_missed = low > 1 and not value.percent and not row.predictions
        hint = f" (a percentage belongs in a column {metric}_percent)" if unit_missed else ""
        most = "100%" if value.percent else "1"
        computed = f"{word(metric)} of {row.name} is {value}, outside {lowest:g} to {most}{hint}."
        meaning = "No score of this kind can have this value."
        numbers = {"metric": metric, "value": value.text}
        findings.append(Finding("range", "error", table.title, (row.name,), computed, meaning, numbers))
    return len(scores), findings


def f1_below_exact_match(table: ScoreTable) -> Checked:
    """Rows whose F1 is below their exact match, whatever rounding did to both; and, as a warning, rows in which the two
    can only be equal, and were rounded differently."""
    scored = table.with_scores("exact_match", "f1")
    least = {row.name: _least(row.values["exact_match"], row.examples or table.test_size) for row in scored}
    most = {row.name: row.values["f1"].interval()[1] for row in scored}
    lower = [row for row in scored if most[row.name] < least[row.name]]
    ties = [
        row for row in scored if most[row.name] == least[row.name] and row.values["f1"] != row.values["exact_match"]
    ]
    meaning = "An answer that matches exactly has an F1 of 1, so the mean F1 cannot be below exact match."
    equal = f"{meaning} It would have to be the same number, a tie that was rounded up in one and down in the other."
    cases: list[tuple[list[ScoreRow], Severity, str]] = [(lower, "error", meaning), (ties, "warning", equal)]
    return len(scored), [_below_exact_match(table, *case) for case in cases if case[0]]


def _least(exact_match: Printed, size: int | None) -> Fraction:
    """The lowest exact match that is printed like this: with a known test size a whole number of right answers."""
    low = exact_match.interval()[0]
    return Fraction(math.ceil(low * size), size) if size and grim.roundings(exact_match, size) else low


def _below_exact_match(table: ScoreTable, rows: Sequence[ScoreRow], severity: Severity, meaning: str) -> Finding:
    pairs = {row.name: (row.values["f1"], row.values["exact_match"]) for row in rows}
    computed = listed(f"F1 of {name} is {f1}, below its exact match of {exact}" for name, (f1, exact) in pairs.items())
    numbers = {name: [f1.text, exact.text] for name, (f1, exact) in pairs.items()}
    return Finding("f1-below-exact-match", severity, table.title, names(rows), f"{computed}.", meaning, numbers)


def near_zero(table: ScoreTable) -> Checked:
    """Scores of tuned models that give no answers."""
    checked, findings = 0, []
    for metric in table.primary:
        tuned = [row for row in table.with_scores(metric) if row.tuned]
        checked += len(tuned)
        rows = [row for row in tuned if 0 <= row.values[metric].value < NEAR_ZERO]
        if not rows:
            continue
        scores = listed(f"{row.name} ({row.values[metric]})" for row in rows)
        computed = f"{word(metric)} is below one point in {scores}."
        meaning = (
            "With these settings the run learned next to nothing. The score is measured all the same; it does not say "
            "what the method can do."
        )
        numbers = {"metric": metric} | {row.name: row.values[metric].text for row in rows}
        findings.append(Finding("failed-run", "warning", table.title, names(rows), computed, meaning, numbers))
    return checked, findings
