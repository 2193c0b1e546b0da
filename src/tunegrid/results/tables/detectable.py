"""Rows of the table of how small a difference a study can find, and how much data would separate first from second."""

import numpy as np

from tunegrid.results.expected import Row
from tunegrid.results.statistics import power
from tunegrid.results.statistics.collapses import comparable
from tunegrid.results.statistics.intervals import ALPHA
from tunegrid.results.statistics.paired_tests import compare_pairs
from tunegrid.results.tables.scores import TaskScores

COLUMNS = (
    "study task metric about power cells pairs examples units seeds_least seeds_most smallest smallest_low "
    "smallest_high smallest_alone first_model first_method second_model second_method difference separated rows_needed "
    "rows_limit seeds_needed seeds_limit"
)


def detectable_rows(scores: TaskScores) -> list[Row]:
    """The row of a task; none where fewer than two cells have a result.

    Of the cells that are compared: not of those of which a seed collapsed, unless no other is left.
    """
    keys = scores.cells
    if len(keys) < 2:
        return []
    means = scores.cell_scores.point
    kept = np.flatnonzero(comparable(means, [scores.collapses[key].count for key in keys]))
    if len(kept) < 2:
        return []
    compared = scores.cell_scores.rows(kept)
    tests = compare_pairs(compared)
    family = len(keys) * (len(keys) - 1) // 2  # Holm's correction is over all cells, as in pairs.csv
    smallest, alone = (power.smallest_differences(tests, size) for size in (family, 1))
    counts = [len(scores.ok[key]) for key in keys]
    row: Row = {
        "task": scores.task.name,
        "metric": scores.task.primary.name,
        "about": scores.about,
        "power": power.POWER,
        "cells": len(kept),
        "pairs": family,
        "examples": compared.examples,
        "units": len(np.unique(scores.units)) if scores.units is not None else compared.examples,
        "seeds_least": min(counts),
        "seeds_most": max(counts),
        "smallest": float(np.median(smallest)),
        "smallest_low": float(smallest.min()),
        "smallest_high": float(smallest.max()),
        "smallest_alone": float(np.median(alone)),
    }
    first, second = (int(number) for number in np.argsort(-compared.point, kind="stable")[:2])
    row["separated"] = bool(scores.tests.separated()[kept[first], kept[second]])
    row["difference"] = float(compared.point[first] - compared.point[second])
    for place, number in (("first", first), ("second", second)):
        key = keys[kept[number]]
        row |= {f"{place}_model": key.model, f"{place}_method": key.method}
    for what, needed in (
        ("rows", power.rows_needed(compared, first, second, ALPHA / family)),
        ("seeds", power.seeds_needed(compared, first, second, ALPHA / family)),
    ):
        row |= {f"{what}_needed": needed.count, f"{what}_limit": needed.limit}
    return [row]
