"""Checks of scores against known ones on the same data: published scores, and those of untuned models."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from tunegrid.common.words import listed, plural
from tunegrid.results.audit.findings import Checked, Finding
from tunegrid.results.audit.printed import Printed, below
from tunegrid.results.audit.table import METRICS, Known, ScoreRow, ScoreTable, names, word

FAR = 0.3  # difference of partial credits that models on the same questions hardly have


def check(table: ScoreTable) -> list[Finding]:
    """Findings of all comparisons with known scores."""
    return [
        *partial_credit(table),
        *unlike_credit(table),
        *beyond_known(table),
        *below_untuned(table)[1],
        *below_tuned(table),
    ]


def partial_credit(table: ScoreTable) -> list[Finding]:
    """Mean F1 of the answers that are not exact, (F1 - EM) / (1 - EM), compared with that of published systems.

    An exact answer has an F1 of 1, so F1 = EM + (1 - EM) x, and x depends on the data and the scorer more than on the
    model.
    """
    rows = [row for row in table.with_scores("exact_match", "f1") if 0 <= row.values["exact_match"].value < 1]
    if not rows:
        return []
    credits = {row.name: _credit(row.values) for row in rows}
    numbers: dict[str, Any] = {"credits": {name: round(credit, 4) for name, credit in credits.items()}}
    computed = (
        "(F1 − EM) / (1 − EM), the mean F1 of the answers that do not match exactly, is "
        f"{min(credits.values()):.2f} to {max(credits.values()):.2f}"
    )
    systems = [known for known in table.known if known.tuned and {"exact_match", "f1"} <= set(known.values)]
    others = sorted((_credit(known.values), known.model) for known in systems)
    under = [row for row in rows if others and credits[row.name] < others[0][0]]
    if not others:
        meaning = "Published systems on the same data should have about as much."
    else:
        numbers["published"] = {model: round(credit, 4) for credit, model in others}
        computed += (
            f"; that of {plural(len(others), 'published system')} is {others[0][0]:.2f} to {others[-1][0]:.2f} "
            f"({listed(f'{model} {credit:.2f}' for credit, model in others)})"
        )
        meaning = "The answers that are not exact are about as close as those of published systems."
    if under:
        meaning = (
            "The answers that are not exact share fewer words with the gold answers than those of any of these "
            "systems: other test questions, fewer gold answers to each, or another scorer."
        )
    severity = "warning" if under else "note"
    return [Finding("partial-credit", severity, table.title, names(under), f"{computed}.", meaning, numbers)]


def unlike_credit(table: ScoreTable) -> list[Finding]:
    """Rows whose mean F1 of the answers that are not exact is far from that of the other rows."""
    rows = [row for row in table.with_scores("exact_match", "f1") if row.values["exact_match"].interval()[1] < 1]
    ends = {row.name: _credit_interval(row.values) for row in rows}
    if len(rows) < 3:
        return []
    middle = statistics.median(float(low + high) / 2 for low, high in ends.values())
    far = [row for row in rows if max(ends[row.name][0] - middle, middle - ends[row.name][1]) > FAR]
    if not far:
        return []
    shown = listed(f"{_credit(row.values):.2f} in {row.name}" for row in far)
    computed = f"(F1 − EM) / (1 − EM), the mean F1 of the answers that do not match exactly, is {shown}."
    meaning = f"Half of the rows have {middle:.2f} or more, half less: a number of these may be wrong."
    numbers = {row.name: round(_credit(row.values), 4) for row in far}
    return [Finding("partial-credit", "warning", table.title, names(far), computed, meaning, numbers)]


def _credit_interval(values: Mapping[str, Printed]) -> tuple[Fraction, Fraction]:
    """The lowest and highest partial credit of all scores that are printed like these."""
    exact, f1 = values["exact_match"].interval(), values["f1"].interval()
    low, high = (f1[0] - exact[1]) / (1 - exact[1]), (f1[1] - exact[0]) / (1 - exact[0])
    return max(low, Fraction(0)), min(high, Fraction(1))


def _credit(values: Mapping[str, Printed]) -> float:
    exact, f1 = values["exact_match"].value, values["f1"].value
    return float((f1 - exact) / (1 - exact))


def beyond_known(table: ScoreTable) -> list[Finding]:
    """Scores above the best published score that is known here."""
    findings = []
    for metric in METRICS:
        published = [known for known in table.known if known.tuned and metric in known.values]
        if not published:
            continue
        best = max(published, key=lambda known: known.values[metric].value)
        rows = [row for row in table.with_scores(metric) if below(best.values[metric], row.values[metric])]
        if rows:
            computed = (
                f"The {word(metric)} of {_values(rows, metric)} is above {_cited(best, metric, rows[0])}, the best "
                "published one known here."
            )
            meaning = "The question is whether the test data are easier, or were seen by the model before."
            numbers = {"metric": metric, "best": best.values[metric].text, "of": best.model}
            findings.append(Finding("beyond-known", "warning", table.title, names(rows), computed, meaning, numbers))
    return findings


def below_untuned(table: ScoreTable) -> Checked:
    """Tuned models with a score below that of the same model before tuning."""
    checked, findings = 0, []
    for known, metric in _each(table, tuned=False):
        tuned = _same_model(table.cells or table.rows, known, metric)
        checked += len(tuned)
        rows = [row for row in tuned if below(row.values[metric], known.values[metric])]
        if rows:
            cited = _cited(known, metric, rows[0])
            computed = f"The {word(metric)} of {_values(rows, metric)} is below {cited}, untuned."
            other = ", or the test data, the decoding or the scorer differ from those" if known.source else ""
            meaning = f"Tuning made the model worse{other}."
            numbers = {"metric": metric, "untuned": known.values[metric].text, "conditions": known.conditions}
            findings.append(Finding("below-untuned", "warning", table.title, names(rows), computed, meaning, numbers))
    return checked, findings


def below_tuned(table: ScoreTable) -> list[Finding]:
    """Models whose best row is below a published score of the same model after tuning."""
    findings = []
    for known, metric in _each(table, tuned=True):
        rows = _same_model(table.rows, known, metric)
        best = max(rows, key=lambda row: row.values[metric].value, default=None)
        if best and below(best.values[metric], known.values[metric]):
            cited = _cited(known, metric, best)
            computed = f"The best {word(metric)} of {known.model} is {best.values[metric]}, below {cited}."
            meaning = "The model can do better than any row says."
            numbers = {"metric": metric, "published": known.values[metric].text}
            findings.append(Finding("below-published", "note", table.title, (best.name,), computed, meaning, numbers))
    return findings


def _each(table: ScoreTable, tuned: bool) -> list[tuple[Known, str]]:
    return [(known, metric) for known in table.known if known.tuned == tuned for metric in known.values]


def _same_model(rows: Iterable[ScoreRow], known: Known, metric: str) -> list[ScoreRow]:
    return [row for row in rows if metric in row.values and row.model.casefold() == known.model.casefold()]


def _values(rows: list[ScoreRow], metric: str) -> str:
    return listed(f"{row.name} ({row.values[metric]})" for row in rows)


def _cited(known: Known, metric: str, row: ScoreRow) -> str:
    """A known score with its source, in the unit of the row that it is compared with."""
    value = known.values[metric]
    text = str(value) if value.percent == row.values[metric].percent else _converted(value)
    origin = "; ".join(filter(None, (known.conditions, known.source)))
    return f"{text} of {known.model} ({origin})"


def _converted(value: Printed) -> str:
    return f"{float(value.value):.4f}" if value.percent else f"{float(100 * value.value):.2f}%"
