"""Techniques side by side: what each trains, costs and scores, and the paper's claims about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import listed
from tunegrid.methods import METHODS
from tunegrid.report import claims, layout
from tunegrid.report.layout import Column, Section, Table, right
from tunegrid.report.tables import METHOD, MODEL, Frames, cell_of, where, with_interval
from tunegrid.results.expected import Expected, ExpectedTask, Named
from tunegrid.results.statistics.intervals import CONFIDENCE

GRID = {"full", "lora", "adapters"}  # the methods of the paper's own tables


def section(frames: Frames, expected: Expected) -> Section | None:
    """The section of a study that has other methods than those of the paper's tables; None for others."""
    if all(method.technique in GRID for method in expected.methods):
        return None
    verdicts = list(claims.verdicts(frames, expected))
    counts = [sum(verdict.outcome == outcome for verdict in verdicts) for outcome in claims.OUTCOMES]
    text = (
        "The techniques of the paper's chapter 5 that this study has, one beside the other, each with its own learning "
        "rate. Costs are means over seeds, as in the tables of cost; latency is that of the merged model where the "
        "method can be merged."
    )
    rule = (
        f"Section 5.3 of the paper says what each technique is good and bad at; the table holds what is said "
        f"against this study: {counts[0]} supported, {counts[1]} not supported, {counts[2]} not tested. {claims.RULE}"
    )
    caption = "The paper's claims on each technique, and this study's verdicts."
    compared = (table for task in expected.tasks if (table := side_by_side(frames, expected, task)))
    tables = (*compared, claims_table("claims", caption, verdicts))
    text = " ".join(filter(None, (text, _at_the_baseline(frames, expected))))
    return Section("Techniques side by side", (text, rule), tables)


def _at_the_baseline(frames: Frames, expected: Expected) -> str:
    """Names the cells that are not shown to be above the trivial baseline of their task; "" without any."""
    names = [
        f"{model.title} with {method.title} on {task.title}"
        for task in expected.tasks
        for model, method in expected.grid(task)
        if (_scores(frames, task, model, method)["difference_low"] <= 0).any()
    ]
    if not names:
        return ""
    return (
        f"Not shown to be above the trivial baseline, by the interval of the paired difference: {listed(names)}. How "
        "their losses went is among the learning curves."
    )


def side_by_side(frames: Frames, expected: Expected, task: ExpectedTask) -> Table | None:
    """Table of the techniques on one task; None where no run of it is scored."""
    metric, several = task.primary, len(expected.models) > 1
    rows = list(_rows(frames, expected, task))
    if not rows:
        return None
    unit = ", %" if metric.percent else ""
    columns = (
        MODEL,
        METHOD,
        Column("Trained", width=0.13 if several else 0.22),
        *right("Share", "Memory", "Time, s", "Latency, ms", "Saved", f"{metric.title}{unit} [{CONFIDENCE} interval]"),
    )
    place = task.title if several else f"{task.title} with {expected.models[0].title}"
    caption = (
        f"{place}, technique by technique: what is trained, its share of all parameters, peak memory and seconds "
        "of the training, latency of one example, size of what is saved, score."
    )
    if not several:  # then the caption names the model
        columns, rows = columns[1:], [row[1:] for row in rows]
    return layout.plain_table(f"techniques-{task.name}", caption, columns, rows)


def _scores(frames: Frames, task: ExpectedTask, model: Named, method: Named) -> Any:
    """The row of cells.csv with a cell's primary metric; no row where there is none."""
    return where(cell_of(frames["cells"], task, model.name, method.name), primary=True, kind="run")


def _rows(frames: Frames, expected: Expected, task: ExpectedTask) -> Iterator[tuple[str, ...]]:
    for model, method in expected.grid(task):
        runs = where(cell_of(frames["costs"], task, model.name, method.name), status="ok")
        score = next(_scores(frames, task, model, method).itertuples(), None)
        if not len(runs) or score is None:
            continue
        yield (
            model.title,
            method.title,
            _trained(method),
            digits.percent(runs["trainable_share"].mean(), 2),
            digits.binary_size(runs["peak_memory_bytes"].mean()),
            digits.significant(runs["optimisation_seconds"].mean()),
            digits.significant(1e3 * runs["deployed_latency_seconds"].mean()),
            digits.binary_size(runs["saved_bytes"].mean()),
            score.status
            if absent(score.mean)
            else with_interval(task.primary, score.mean, score.ci_low, score.ci_high),
        )


def _trained(method: Named) -> str:
    words = METHODS[method.kind].tunes if method.described else "the library's modules"
    return f"{words}, on all tasks at once" if method.mixture else words or DASH


def claims_table(name: str, caption: str, verdicts: list[claims.Verdict]) -> Table:
    """A table of claims of the paper with the verdict on each."""
    rows = [
        (
            METHODS[v.claim.kind].title if v.claim.kind in METHODS else "Instruction Tuning",
            v.claim.text,
            v.outcome,
            v.evidence,
        )
        for v in verdicts
    ]
    columns = (
        Column("Technique", width=0.14),
        Column("What the paper says (section 5.3)", width=0.34),
        Column("Verdict", width=0.14),
        Column("Evidence", width=0.30),
    )
    return layout.plain_table(name, caption, columns, rows)
