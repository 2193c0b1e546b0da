"""The report's section on instruction tuning: the mixtures, held-out tasks, and how much the wording matters."""

from typing import Any

from tunegrid.common import digits
from tunegrid.common.citations import RAFFEL_2020, Formula
from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import listed
from tunegrid.report import layout
from tunegrid.report.layout import Column, Section, Table, right
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, number, where, with_interval
from tunegrid.results.expected import Expected
from tunegrid.results.statistics.intervals import CONFIDENCE

MIXING = Formula(
    "Mixtures of tasks",
    r"r_m = \dfrac{\min(e_m, K)}{\sum_{n} \min(e_n, K)}",
    "r m is the minimum of e m and K over the sum of the minimum of e n and K over all tasks n",
    "The share r of a task m in a mixture follows from its number of training rows e and the limit K of the study "
    "(none: K is infinite); where tasks are mixed equally, all shares are the same.",
    (RAFFEL_2020,),
)


def section(frames: Frames, expected: Expected) -> Section | None:
    """Section with the mixtures and the scores by wording; None for a study without instruction tuning."""
    if not expected.mixtures:
        return None
    text = (
        "In instruction tuning one model learns a mixture of tasks, whose rows are put as instructions in several "
        "wordings. It is trained once for all tasks and evaluated on those of the mixture and on those that were held "
        "out of it, of which it saw no row (zero-shot). Its scores in the other sections are those of the first "
        "wording. Here it is asked in every wording: those of its training, and others that no training had."
    )
    compared = (
        "The untuned model is asked twice: in the same wordings, and with the prompt of its family, which may be one "
        "that it knows from its pretraining. A difference is the tuned model's mean over wordings and seeds less that "
        f"of the untuned model, with its {CONFIDENCE} interval from the paired bootstrap of the other sections. The "
        "spread is the standard deviation between wordings."
    )
    tables = (_mixtures(frames, expected), _summary(frames, expected), _wordings(frames, expected))
    paragraphs = [text, compared]
    if verdict := held_out(frames, expected):
        paragraphs.append(verdict)
    return Section("Instruction tuning", tuple(paragraphs), tuple(table for table in tables if table.rows))


def held_out(frames: Frames, expected: Expected) -> str:
    """What tuning on the other tasks did for those that were held out, in a sentence; "" without such cells."""
    rows = where(frames["instruction"], in_mixture=False)
    if not len(rows):
        return ""
    titles, sides = Titles(expected), {"above": [], "below": [], "level": []}
    for row in rows.itertuples():
        sides[held_out_side(row)].append(f"{titles.tasks[row.task]} ({titles.cell(row.model, row.method)})")
    words = {
        "above": "above the untuned model, however that is asked, in",
        "level": "not shown to be above it in",
        "below": "below it, asked in one of the two ways, in",
    }
    parts = [f"{text} {listed(sides[side])}" for side, text in words.items() if sides[side]]
    return f"Tasks that were held out: the tuned model is {'; '.join(parts)}."


def held_out_side(row: Any) -> str:
    """Side of a row of instruction.csv: `above` the untuned model asked both ways, `below` in one, or `level`."""
    ends = [(row.difference_low, row.difference_high)]
    if not absent(row.prompt_difference):
        ends.append((row.prompt_difference_low, row.prompt_difference_high))
    above, below = all(low > 0 for low, _ in ends), any(high < 0 for _, high in ends)
    return "above" if above else "below" if below else "level"


def _mixtures(frames: Frames, expected: Expected) -> Table:
    titles, rows = Titles(expected), []
    for row in frames["mixtures"].itertuples():
        place = (titles.tasks[row.task], "in the mixture" if row.in_mixture else "held out")
        rows.append((*titles.line(row), *place, digits.count(row.examples), digits.percent(row.share)))
    columns = (MODEL, METHOD, Column("Task"), Column("Role"), *right("Examples", "Share"))
    caption = "Mixtures: training examples of each task in one pass, and their share of the mixture."
    return layout.plain_table("mixtures", caption, columns, rows)


def _summary(frames: Frames, expected: Expected) -> Table:
    titles, groups = Titles(expected), []
    for task in expected.tasks:
        metric, rows = task.primary, []
        for row in where(frames["instruction"], task=task.name).itertuples():
            rows.append(
                (
                    *titles.line(row),
                    f"{row.asked}, {row.wordings}" if row.in_mixture else f"held out, {row.wordings}",
                    with_interval(metric, row.mean, row.ci_low, row.ci_high),
                    number(metric, row.sd_wordings),
                    with_interval(metric, row.difference, row.difference_low, row.difference_high, "+"),
                    with_interval(
                        metric, row.prompt_difference, row.prompt_difference_low, row.prompt_difference_high, "+"
                    ),
                )
            )
        groups.append((f"{task.title}: {metric.title}", rows))
    columns = (MODEL, METHOD, Column("Wordings"), *right("Score", "Spread", "To untuned", "To its prompt"))
    caption = (
        "Instruction tuning against the untuned model: mean score over the wordings, spread between wordings, "
        "difference to the untuned model in the same wordings, and to the untuned model with its family's prompt."
    )
    return layout.grouped_table("instruction", caption, columns, groups)


def _wordings(frames: Frames, expected: Expected) -> Table:
    titles, groups = Titles(expected), []
    for task in expected.tasks:
        metric = task.primary
        frame = where(frames["wordings"], task=task.name, metric=metric.name)
        for method, of_method in frame.groupby("method", sort=False):
            rows = []
            for _, of_wording in of_method.groupby("wording", sort=False):
                template = of_wording["template"].iloc[0]
                for model in expected.models:
                    own = where(of_wording, model=model.name)
                    tuned, untuned = (where(own, kind=kind)["value"] for kind in ("run", "untuned"))
                    if not len(tuned):
                        continue
                    spread = f" ± {number(metric, tuned.std())}" if len(tuned) > 1 else ""
                    role = "trained" if own["trained"].iloc[0] else "unseen"
                    score = number(metric, tuned.mean()) + spread
                    plain = number(metric, untuned.iloc[0]) if len(untuned) else DASH
                    rows.append((template, role, model.title, score, plain))
            groups.append((f"{task.title}, {titles.methods[method]}: {metric.title}", rows))
    columns = (Column("Wording", width=0.45), Column("Role"), MODEL, *right("Tuned", "Untuned"))
    caption = "Scores in each wording, means over seeds with their standard deviation, and those of the untuned model."
    return layout.grouped_table("wordings", caption, columns, groups)
