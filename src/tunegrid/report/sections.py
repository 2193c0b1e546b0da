"""The sections of a study's report: their text, tables and figures."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tunegrid.common import digits
from tunegrid.common.words import listed
from tunegrid.report import (
    audit,
    ceilings,
    contamination,
    cost,
    detectable,
    domains,
    effects,
    entities,
    forgetting,
    forms,
    formulas,
    instruction,
    origins,
    paper,
    preferences,
    probes,
    search,
    tables,
    techniques,
)
from tunegrid.report.cost_words import cost_text, efficiency_text, pareto_text, trainings
from tunegrid.report.layout import Figure, Section, Table
from tunegrid.report.links import PAGE
from tunegrid.report.tables import Frames
from tunegrid.results.expected import Expected, ExpectedTask
from tunegrid.results.statistics.collapses import DROP
from tunegrid.results.statistics.intervals import CONFIDENCE, LEVEL


def sections(frames: Frames, expected: Expected, drawn: Mapping[str, Figure]) -> Iterator[Section | None]:
    """All sections, in the order of the report; None for each that the study has nothing for.

    `drawn`: the figures that were drawn, by name.
    """

    def figures(*names: str) -> tuple[Figure, ...]:
        return tuple(drawn[name] for name in names if name in drawn)

    tasks = expected.tasks
    yield Section("Scores", (_on_scores(frames, expected),), tuple(_scores(frames, expected, task) for task in tasks))
    yield Section("Recommendation", (_on_rule(expected),), (tables.recommendation(frames, expected),))
    yield Section(
        "How sure the scores are",
        (_on_intervals(expected),),
        tuple(tables.intervals(frames, expected, task) for task in tasks),
    )
    yield effects.section(frames, expected, figures("figure-profiles"))
    for part in (detectable, domains, probes, forgetting, entities, paper):
        yield part.section(frames, expected)
    of_cost = {table.name: table for table in cost.tables(frames, expected)}
    spent = tuple(table for name, table in of_cost.items() if name.startswith("costs-"))
    yield Section("Cost", cost_text(frames, expected), spent, figures("figure-breakdown"))
    weighed = (*pareto_text(frames, expected), *efficiency_text(frames, expected))
    if weighed:
        rest = tuple(table for table in of_cost.values() if table not in spent)
        yield Section("Quality against cost", weighed, rest, figures("figure-pareto", "figure-efficiency"))
    yield techniques.section(frames, expected)
    yield forms.section(frames, expected)
    if curves := figures("figure-curves"):
        yield Section("How the runs learned", (_on_curves(expected),), figures=curves)
    yield instruction.section(frames, expected)
    yield preferences.section(frames, expected, figures("figure-preferences"))
    yield search.section(frames, expected)
    yield formulas.section(frames, expected)
    yield Section(
        "How it was run",
        (_on_runs(frames, expected),),
        (origins.versions(frames), origins.sources(frames, expected), tables.settings(frames, expected)),
    )
    yield contamination.section(frames, expected)
    yield audit.study_section(frames, expected)
    cuts = origins.cuts(frames, expected)
    yield Section("What was cut", (_on_cuts(bool(cuts)),), cuts)
    yield ceilings.section(frames, expected)
    if failures := origins.not_ok(frames, expected, missing=False):
        text = "Failed and diverged runs are no part of any mean. A cell none of whose runs is left has no score."
        yield Section("Failures", (text,), (failures,))
    if missing := origins.not_ok(frames, expected, missing=True):
        yield Section("What is missing", ("The study's configuration asks for these as well.",), (missing,))


def _scores(frames: Frames, expected: Expected, task: ExpectedTask) -> Table:
    """The table of a task's scores, with what models had seen of its rows in the note below."""
    table = tables.scores(frames, expected, task)
    return replace(table, note=" ".join(filter(None, (table.note, contamination.note(frames, expected, task)))))


def _on_scores(frames: Frames, expected: Expected) -> str:
    scored = frames["results"][frames["results"]["status"] == "ok"].dropna(subset=["examples"])
    sizes = {row.task: row.examples for row in scored.itertuples()}
    tested = "; ".join(f"{task.title}: {sizes[task.name]:,.0f}" for task in expected.tasks if task.name in sizes)
    return (
        "Scores on the test sets, in the form of the paper's Tables 6.1 to 6.3. Rows without a tuned model are "
        "for orientation: baselines that need no pretrained model, and the models as they were before tuning"
        + ("; and the ceiling: what the vocabulary can write." if len(frames["ceilings"]) else ".")
        + (f" Test examples: {tested}." if tested else "")
        + " Their digits are the form of those tables: how many of them say something, the intervals below tell."
        + f" Every test row with every answer to it is in {PAGE}; in HTML a score leads there."
    )


def _on_rule(expected: Expected) -> str:
    stability = (
        " Stability is the predicted share of fresh studies, with other seeds and other test rows, in which the rule "
        "says the same; other training data or settings are not in it, and from few seeds it is itself a rough number: "
        "in simulated studies of nine cells its mean was within five points of what fresh studies did."
    )
    margin = expected.recommend.margin
    chosen = "The cheapest of them is recommended. " if margin is None else ""
    return (
        "The rule: all pairs of cells of a task are compared with a paired test (bootstrap over test examples"
        f"{', with the variance between seeds' if len(expected.seeds) > 1 else ''}; "
        f"Holm's correction over all pairs, level {LEVEL}). The cells that nothing separates from the best are tied. "
        f"{chosen}{expected.recommend.in_words()}. "
        f"{'A tie' if margin is None else 'Being within the margin'} is no draw: the table says how much less "
        "than the best the recommended cell may score. Cells of which a seed collapsed are not compared, for "
        f"their means mislead, unless no other is left or they stay {100 * DROP:.0f} points ahead all the same."
        + (stability if len(expected.seeds) > 1 else "")
    )


def _on_intervals(expected: Expected) -> str:
    grouped = any(task.grouped for task in expected.tasks)
    text = (
        f"Intervals are {CONFIDENCE} intervals from a paired bootstrap: all results of a task are scored on "
        "the same resamples of its test set"
        + (", questions about one text being drawn together" if grouped else "")
        + "; BLEU is computed again on each resample. They allow for the choice of test examples"
    )
    if len(expected.seeds) > 1:
        return (
            text
            + " and of the seeds: each cell's variance between seeds, moderated by that of the task's other cells; "
            "from three seeds on an interval is no narrower than the cell's own seeds alone would make it."
        )
    return text + " alone. There is one seed per cell: how far another seed would have landed is not known."


def _on_curves(expected: Expected) -> str:
    titles = [method.title for method in preferences.samplers(expected)]
    elsewhere = f" Not here, for its loss is none of the task's: {listed(titles)}." if titles else ""
    return (
        "The training loss as the optimiser saw it, and the loss on validation rows, which are part of neither "
        "training nor the test set. history.csv holds every value, with the learning rate and the norm of the gradient."
        + elsewhere
    )


def _on_cuts(anything: bool) -> str:
    return (
        "Texts that are longer than the lengths of the study are cut, or read in windows. What a model never saw, it "
        "can neither learn nor answer."
    ) + ("" if anything else " Of the results that are there, nothing was cut.")


def _on_runs(frames: Frames, expected: Expected) -> str:
    costs: Any = frames["costs"]
    seconds = trainings(costs)["optimisation_seconds"].sum()
    seeds = ", ".join(str(seed) for seed in expected.seeds)
    return (
        f"{'Seed' if len(expected.seeds) == 1 else 'Seeds'}: {seeds}. All runs together took "
        f"{digits.seconds(seconds)} seconds of optimisation."
    )
