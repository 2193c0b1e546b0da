"""The report's section that compares a study with the paper, from the tables of `tunegrid.results.paper.agreement`."""

from collections.abc import Iterator
from typing import Any

from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import listed, plural
from tunegrid.report import layout
from tunegrid.report.layout import Column, Section, Table, right
from tunegrid.report.tables import METHOD, Frames, Titles, number, where, with_interval
from tunegrid.results.expected import Expected, ExpectedTask
from tunegrid.results.paper.agreement import AGREES, DIFFERS, NOT_COMPARED
from tunegrid.results.statistics.intervals import CONFIDENCE

UNRELATED = {"task", "data", "model", "method", "excluded"}  # causes for which a number has no row in the report


def section(frames: Frames, expected: Expected) -> Section:
    """The section: every number of the paper that the study is about, or a sentence that there is none."""
    title, shown = "Comparison with the paper", _shown(frames)
    if not len(shown):
        return Section(title, (_why_nothing(frames, expected),))
    text = (
        "What the paper printed, and what this study reproduces. A number agrees if, as it is rounded in print, it "
        f"lies in the {CONFIDENCE} interval in which one more run of our cell, with another seed, would score on this "
        "test set, else it differs. So of numbers that were made as ours are, one in twenty differs. The paper gives "
        "no interval of its own, no seeds and no settings: a number may differ by any of them."
    )
    tables = [_table(frames, expected, task) for task in expected.tasks if (shown["task"] == task.name).any()]
    return Section(title, (text, *_unrelated(frames)), (agreement(frames, expected, shown), *tables))


def summary(frames: Frames, expected: Expected) -> list[str]:
    """Sentences for page one; none for a study that is not about the paper."""
    shown = _shown(frames)
    if not len(shown):
        return []
    agree, differ, not_compared = (len(where(shown, verdict=kind)) for kind in (AGREES, DIFFERS, NOT_COMPARED))
    return [
        f"Of the paper’s {_numbers(frames)} numbers, {len(shown) - not_compared} can be compared with this study: "
        f"{agree} {'agrees' if agree == 1 else 'agree'} with ours, {differ} {'differs' if differ == 1 else 'differ'}."
    ]


def _shown(frames: Frames) -> Any:
    """Rows of the numbers that the study is about: same model, method and data, with or without a result."""
    frame = frames["beside"]
    causes = frame["cause"].fillna("").str.split().map(set)
    return frame[[not row & UNRELATED for row in causes]]


def _numbers(frames: Frames) -> int:
    return len(frames["beside"].drop_duplicates(["kind", "paper_model", "paper_method", "metric"]))


def _why_nothing(frames: Frames, expected: Expected) -> str:
    """A sentence that nothing can be compared, and why."""
    causes = set(" ".join(frames["beside"]["cause"].fillna("")).split())
    reasons = {
        "data": "its data are not the paper’s SQuAD, WMT16 and IMDB",
        "model": "its models are not the paper’s checkpoints",
        "method": "it lacks some of the paper’s methods",
        "task": "it lacks some of the paper’s tasks",
        "excluded": "it leaves out cells of the paper’s grid",
    }
    given = [text for cause, text in reasons.items() if cause in causes]
    return (
        f"None of the paper’s {_numbers(frames)} numbers (its Tables 6.1 to 6.3) can be compared with this study: "
        f"{listed(given)}."
    )


def _unrelated(frames: Frames) -> Iterator[str]:
    """A sentence about the numbers that have no row: how many for each reason."""
    frame = frames["beside"]
    unrelated = frame[~frame.index.isin(_shown(frames).index)]
    if len(unrelated):
        reasons = unrelated.groupby("reason", sort=False).size()
        texts = "; ".join(f"{reason} ({plural(count, 'number')})" for reason, count in reasons.items())
        yield f"Numbers of the paper that this study is not about: {texts}."


def agreement(frames: Frames, expected: Expected, shown: Any) -> Table:
    """Table of the agreement per task: numbers that agree, order of the cells, recommendation."""
    titles, rows = Titles(expected), []
    for row in frames["agreement"].itertuples():
        of_task = where(shown, task=row.task)
        if not len(of_task):
            continue
        test = "" if absent(row.same_test) or row.same_test else ", on other test examples"
        not_compared = len(where(of_task, verdict=NOT_COMPARED))
        tau = DASH if absent(row.kendall_tau) else f"{row.kendall_tau:.2f} (p = {row.p_value:.3f})".replace("-", "−")
        rows.append(
            (
                titles.tasks[row.task],
                f"{row.agree} agree, {row.differ} differ, {not_compared} not compared",
                f"{tau}, {plural(row.cells, 'cell')}{test}" if row.cells else DASH,
                _recommendation(row),
            )
        )
    columns = [Column("Task", width=0.16), Column("Numbers", width=0.24), Column("Rank order", width=0.22)]
    columns.append(Column("The paper’s recommendation (its Table 6.4)", width=0.3))
    caption = (
        "How much of the paper is reproduced. Rank order: Kendall’s τ between the published and the reproduced order "
        "of the cells in the primary metric, 1 for the same order, 0 for none in common (Kendall 1938)."
    )
    return layout.plain_table("beside-agreement", caption, columns, rows)


def _recommendation(row: Any) -> str:
    theirs = row.published_recommendation
    if absent(row.same_recommendation):
        return f"{theirs}: cannot be compared"
    if row.same_recommendation:
        return f"{theirs}: recommended here too"
    tied = "which ties with the best here" if row.published_is_tied else "which is separated from the best here"
    return f"{theirs}, {tied}; here the rule recommends {row.recommendation}"


def _table(frames: Frames, expected: Expected, task: ExpectedTask) -> Table:
    shown, titles = where(_shown(frames), task=task.name), Titles(expected)
    groups: dict[str, list[tuple[str, ...]]] = {}
    notes: dict[str, None] = {}
    ours, theirs = (len(shown.drop_duplicates([f"{of}model", f"{of}method"])) for of in ("", "paper_"))
    several = ours > theirs
    for row in shown.itertuples():
        metric = task.metric(row.metric)
        notes |= dict.fromkeys(_notes(row))
        groups.setdefault(titles.models[row.model] if several else row.paper_model, []).append(
            (
                titles.methods[row.method] if several else row.paper_method,
                metric.title,
                number(metric, row.published, decimals=4),
                with_interval(metric, row.reproduced, row.next_low, row.next_high),
                number(metric, row.difference, "+"),
                "not compared" if row.verdict == NOT_COMPARED else row.verdict,
            )
        )
    unit = ", %" if task.primary.percent else ""
    heads = (f"Published{unit}", f"Reproduced{unit} [one more run, {CONFIDENCE}]", "Difference")
    columns = [METHOD, Column("Metric"), *right(*heads), Column("Verdict")]
    caption = f"{task.title}: the paper’s numbers and ours."
    note = "; ".join(notes)
    note = f"{note[0].upper()}{note[1:]}." if note else ""
    return layout.grouped_table(f"beside-{task.name}", caption, columns, groups.items(), note)


def _notes(row: Any) -> Iterator[str]:
    """Notes below the table: why numbers are not compared, and what weakens the verdicts of others."""
    if not absent(row.reason) and row.reason:
        yield (
            f"not compared: {row.reason}"
            if "result" not in str(row.cause).split()
            else "not compared where there is no result"
        )
    if not absent(row.remark) and row.remark:
        yield from row.remark.split("; ")
