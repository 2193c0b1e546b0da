"""The report's section on instruction tuning: the mixtures, held-out tasks, and how much the wording matters."""

from typing import Any

from tunegrid.common import digits
from tunegrid.common.citations import RAFFEL_2020, Formula
from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import listed
from tunegrid.report import layout
from tunegrid.report.layout import Column, Section, Table
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, number, with_interval
from tunegrid.results.expected import Expected, ExpectedTask
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
    rows = [row for row in frames["instruction"].itertuples() if not row.in_mixture]
    if not rows:
        return ""
    titles, sides = Titles(expected), {"above": [], "below": [], "level": []}
    for row in rows:
        name = f"{titles.tasks[row.task]} ({titles.models[row.model]} + {titles.methods[row.method]})"
        sides[held_out_side(row)].append(name)
    parts = []
    if sides["above"]:
        parts.append(f"above the untuned model, however that is asked, in {listed(sides['above'])}")
    if sides["level"]:
        parts.append(f"not shown to be above it in {listed(sides['level'])}")
    if sides["below"]:
        parts.append(f"below it, asked in one of the two ways, in {listed(sides['below'])}")
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
        known = not absent(row.examples)
        rows.append(
            (
                titles.models[row.model],
                titles.methods[row.method],
                titles.tasks[row.task],
                "in the mixture" if row.in_mixture else "held out",
                digits.count(row.examples) if known else DASH,
                digits.percent(row.share) if known else DASH,
            )
        )
    columns = (MODEL, METHOD, Column("Task"), Column("Role"), Column("Examples", "right"), Column("Share", "right"))
    caption = "Mixtures: training examples of each task in one pass, and their share of the mixture."
    return layout.plain_table("mixtures", caption, columns, rows)


def _summary(frames: Frames, expected: Expected) -> Table:
    titles, groups = Titles(expected), []
    for task in expected.tasks:
        metric, rows = task.primary, []
        for row in _of(frames["instruction"], task):
            rows.append(
                (
                    titles.models[row.model],
                    titles.methods[row.method],
                    f"{row.asked}, {row.wordings}" if row.in_mixture else f"held out, {row.wordings}",
                    with_interval(metric, row.mean, row.ci_low, row.ci_high),
                    DASH if absent(row.sd_wordings) else number(metric, row.sd_wordings),
                    with_interval(metric, row.difference, row.difference_low, row.difference_high, "+"),
                    with_interval(
                        metric, row.prompt_difference, row.prompt_difference_low, row.prompt_difference_high, "+"
                    ),
                )
            )
        groups.append((f"{task.title}: {metric.title}", rows))
    columns = (MODEL, METHOD, Column("Wordings"), Column("Score", "right"), Column("Spread", "right"))
    columns += (Column("To untuned", "right"), Column("To its prompt", "right"))
    caption = (
        "Instruction tuning against the untuned model: mean score over the wordings, spread between wordings, "
        "difference to the untuned model in the same wordings, and to the untuned model with its family's prompt."
    )
    return layout.grouped_table("instruction", caption, columns, groups)


def _wordings(frames: Frames, expected: Expected) -> Table:
    titles, groups = Titles(expected), []
    for task in expected.tasks:
        metric, frame = task.primary, frames["wordings"]
        frame = frame[(frame["task"] == task.name) & (frame["metric"] == metric.name)]
        for method, of_method in frame.groupby("method", sort=False):
            rows = []
            for _, of_wording in of_method.groupby("wording", sort=False):
                template = of_wording["template"].iloc[0]
                for model in expected.models:
                    own = of_wording[of_wording["model"] == model.name]
                    tuned, untuned = own[own["kind"] == "run"]["value"], own[own["kind"] == "untuned"]["value"]
                    if not len(tuned):
                        continue
                    spread = f" ± {number(metric, tuned.std())}" if len(tuned) > 1 else ""
                    role = "trained" if own["trained"].iloc[0] else "unseen"
                    score = number(metric, tuned.mean()) + spread
                    plain = number(metric, untuned.iloc[0]) if len(untuned) else DASH
                    rows.append((template, role, titles.models[model.name], score, plain))
            groups.append((f"{task.title}, {titles.methods[method]}: {metric.title}", rows))
    columns = (Column("Wording", width=0.45), Column("Role"), MODEL, Column("Tuned", "right"))
    columns += (Column("Untuned", "right"),)
    caption = "Scores in each wording, means over seeds with their standard deviation, and those of the untuned model."
    return layout.grouped_table("wordings", caption, columns, groups)


def _of(frame: Any, task: ExpectedTask) -> list[Any]:
    return list(frame[frame["task"] == task.name].itertuples())
