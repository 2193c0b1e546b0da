"""The report's section on the learning-rate search, and the warnings about it on page one."""

from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import listed
from tunegrid.report import layout
from tunegrid.report.layout import Column, Section, Table, TableCell, right
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, cell_of, where
from tunegrid.results.expected import Expected, ExpectedTask


def section(frames: Frames, expected: Expected) -> Section | None:
    """Section with the trials, their scores and their cost; None for a study without a search."""
    search, frame = expected.search, frames["search"]
    if search is None:
        return None
    total, steps = frame["total_seconds"], frame["optimisation_seconds"]
    done = int(frame["total_seconds"].notna().sum())
    factors = listed(f"{factor:g}" for factor in sorted(search.factors))
    text = (
        f"The learning rate of every cell was searched before its training, with the same budget for each: "
        f"{len(search.factors)} trials, at {factors} times the learning rate that the study names. A "
        f"trial trains on {100 * search.train_share:g}% of the training rows for that share of the cell's "
        f"length, ten steps at least, with seed {search.seed}, and predicts at most {search.validation_rows:,} "
        "validation rows. The best score on them is chosen; among those within one row's worth of it, the one with the "
        "lowest validation loss, then the rate that is nearest to the study's. Test data has no part in it."
    )
    cost = (
        f"The search took {digits.seconds(total.sum())} seconds ({done} of {len(frame)} trials), of which "
        f"{digits.seconds(steps.sum())} were optimisation. The cost of training, above, holds none of that."
    )
    return Section("Search for the learning rates", (text, cost), (table(frames, expected),))


def table(frames: Frames, expected: Expected) -> Table:
    """Table of the learning rates of each cell: scores, choice, and cost of all trials."""
    factors, groups = sorted(expected.search.factors), []
    for task in expected.tasks:
        rows = []
        for model, method in expected.grid(task):
            trials = cell_of(frames["search"], task, model.name, method.name)
            by_factor = {trial.factor: trial for trial in trials.itertuples()}
            edge = next(iter(where(trials, chosen=True)["edge"].dropna()), DASH)
            outcomes = (_outcome(by_factor[factor], task) for factor in factors)
            rows.append((model.title, method.title, *outcomes, edge, digits.seconds(trials["total_seconds"].sum())))
        groups.append((f"{task.title}: {task.primary.title}", rows))
    columns = [MODEL, METHOD, *right(*(f"× {factor:g}" for factor in factors))]
    columns += [Column("At the edge"), *right("Search, s")]
    caption = (
        "The search for each cell's learning rate: the rates that were tried, each with its score on validation rows, "
        "the chosen one bold; whether that is the lowest or highest that was tried; seconds of all trials of the cell. "
        "More about each trial is in search.csv."
    )
    return layout.grouped_table("search", caption, columns, groups)


def _outcome(trial: Any, task: ExpectedTask) -> TableCell:
    result = trial.status if absent(trial.score) else task.primary.short(trial.score)
    return TableCell(result if absent(trial.learning_rate) else f"{trial.learning_rate:g}: {result}", bold=trial.chosen)


def warnings(frames: Frames, expected: Expected) -> list[str]:
    """Warnings about the search for page one."""
    frame, texts = frames["search"], []
    if expected.search is None:
        return texts
    cells = len(frame) // len(expected.search.factors)
    edges = [_name(row, expected) + f" ({row.edge})" for row in frame[frame["edge"].notna()].itertuples()]
    if edges:
        texts.append(
            f"Learning rates: in {len(edges)} of {cells} cells the chosen one is the lowest or highest that was tried, "
            f"so the best may lie outside of search.factors. They are: {_first(edges)}"
        )
    used = where(frames["settings"], setting="training.learning_rate")
    others = [
        _name(row, expected)
        for row in where(frame, chosen=True).itertuples()
        if {*where(used, task=row.task, model=row.model, method=row.method)["value"]} - {row.learning_rate}
    ]
    if others:
        texts.append(
            "Learning rates: runs were trained with another one than the search has chosen by now; run them again: "
            f"{_first(others)}"
        )
    return texts


def _name(row: Any, expected: Expected) -> str:
    titles = Titles(expected)
    return f"{titles.tasks[row.task]}, {titles.cell(row.model, row.method)}"


def _first(names: list[str]) -> str:
    return "; ".join(names[:3]) + ("; …" if len(names) > 3 else "")
