"""Checks of the size of the test set: which sizes allow the printed means of zeros and ones."""

from __future__ import annotations

from collections.abc import Sequence

from tunegrid.common.words import listed, plural
from tunegrid.results.audit import grim
from tunegrid.results.audit.findings import Finding
from tunegrid.results.audit.printed import ONE_UNIT, Printed
from tunegrid.results.audit.table import ScoreRow, ScoreTable, names, word

SHOWN = 10  # most sizes listed in a sentence
KEPT = 1000  # most sizes kept in the numbers of a finding


def check(table: ScoreTable, metric: str, largest: int) -> list[Finding]:
    """Findings on a claimed test size, and on the sizes up to `largest` that all values of a metric allow."""
    rows = [row for row in table.with_scores(metric) if 0 <= row.values[metric].value <= 1]
    if not rows:
        return []
    claimed = [(row, size) for row in rows if (size := row.examples or table.test_size)]
    findings = _claimed(table, metric, claimed)
    if len({size for _, size in claimed}) > 1:
        return findings  # rows of different test sets have no common size to search for
    values = [row.values[metric] for row in rows]
    bound = min(largest, 2 * max(value.scale for value in values))  # from there on every size fits
    fits = grim.sizes(values, bound)
    findings += _fitting(table, metric, values, fits, bound)
    return findings if claimed else findings + _all_but_one(table, metric, rows, [fit.size for fit in fits], bound)


def _claimed(table: ScoreTable, metric: str, claimed: Sequence[tuple[ScoreRow, int]]) -> list[Finding]:
    misfits = [(row, size) for row, size in claimed if not grim.roundings(row.values[metric], size)]
    if not misfits:
        return []
    far = [row for row, size in misfits if not grim.roundings(row.values[metric], size, ONE_UNIT)]
    sizes = sorted({size for _, size in misfits})
    claims, fitting, near = listed(f"{size:,}" for size in sizes), len(claimed) - len(misfits), len(misfits) - len(far)
    data = f" ({table.data})" if table.data and sizes == [table.test_size] else ""
    near_too = f"; {near} more within one unit of the last digit." if near else ", or within one unit of it."
    computed = (
        f"{fitting or 'None'} of the {plural(len(claimed), 'value')} of {word(metric)} "
        f"{'is' if fitting < 2 else 'are'} k / {claims}{data} to the printed digit{near_too}"
    )
    meaning = f"These values were not measured on {claims} examples."
    if not far:
        meaning = f"These values are cut off, not rounded, or were not measured on {claims} examples."
    numbers = {"metric": metric, "sizes": sizes, "fitting": fitting, "within_one_unit": near, "of": len(claimed)}
    rows = names(row for row, _ in misfits)
    return [Finding("claimed-size", "error" if far else "warning", table.title, rows, computed, meaning, numbers)]


def _fitting(
    table: ScoreTable, metric: str, values: Sequence[Printed], fits: Sequence[grim.Size], bound: int
) -> list[Finding]:
    all_values = f"{plural(len(values), 'value')} of {word(metric)}"
    numbers = {"metric": metric, "values": len(values), "fitting": len(fits), "searched_to": bound}
    numbers |= {"sizes": [fit.size for fit in fits[:KEPT]]}
    if not fits:
        computed = f"For no n up to {bound:,} are all {all_values} k / n to the printed digit."
        meaning = "The rows are not all of one test set of at most that size, or are no plain means over its examples."
        return [Finding("test-size", "warning", table.title, (), computed, meaning, numbers)]
    first, multiples = fits[0], _are_multiples(fits, bound)
    if multiples and len(fits) > 1:
        where = f"n = {first.size:,} and its multiples ({fits[1].size:,} is the next), and no other n up to {bound:,}"
        meaning = f"The scores were measured on {first.size:,} examples, or on a multiple of that."
    elif len(fits) <= SHOWN:
        where = f"n = {listed(f'{fit.size:,}' for fit in fits)}, and no other n up to {bound:,}"
        meaning = f"The scores were measured on {listed(f'{fit.size:,}' for fit in fits)} examples."
        meaning = meaning.replace(" and ", " or ")
    else:
        smallest = ", ".join(f"{fit.size:,}" for fit in fits[:SHOWN])
        where = f"{len(fits):,} of the n up to {bound:,}, the smallest of which are {smallest}"
        meaning = (
            f"The digits, if rounded correctly, rule out fewer than {first.size:,} examples; they say little more."
        )
        if first.size == 1:
            meaning = "The digits say nothing of the size of the test set."
    computed = f"All {all_values} are k / n to the printed digit for {where}."
    if len(first.roundings) == 1:
        computed += f" At {first.size:,} some are ties, rounded {min(first.roundings)}."
    clear = multiples or len(fits) <= SHOWN
    if clear:
        numbers["chance"] = chance = grim.chance(values, first.size)
        computed += (
            f" Another size of about {first.size:,} would fit them all by chance with a probability of {chance:.0e}."
        )
    findings = [Finding("test-size", "note", table.title, (), computed, meaning, numbers)]
    return findings + (_held_out(table, first.size) if clear and table.train_size else [])


def _all_but_one(
    table: ScoreTable, metric: str, rows: Sequence[ScoreRow], fits: Sequence[int], bound: int
) -> list[Finding]:
    values = [row.values[metric] for row in rows]
    if not (best := grim.all_but_one(values, fits, bound)):
        return []
    size, value, accident = best
    others = names(row for row in rows if row.values[metric] == value)
    computed = (
        f"{word(metric)} of {listed(others)} is not k / {size:,}, but all other values are, which by chance they would "
        f"be of as small a number with a probability of {accident:.0e}."
    )
    meaning = f"The others were measured on {size:,} examples; this value was not, or a digit of it is wrong."
    numbers = {"metric": metric, "size": size, "value": value.text, "chance": accident}
    return [Finding("test-size", "warning", table.title, others, computed, meaning, numbers)]


def _are_multiples(fits: Sequence[grim.Size], bound: int) -> bool:
    first = fits[0].size
    return first > 1 and [fit.size for fit in fits] == list(range(first, bound + 1, first))


def _held_out(table: ScoreTable, size: int) -> list[Finding]:
    ways = grim.splits(table.train_size or 0, size)
    if not ways:
        return []
    computed = f"{size:,} is {listed(ways, most=4)} training examples of the data set."
    meaning = "The test set has the size of a part held out of the training data."
    numbers = {"size": size, "train_size": table.train_size, "ways": ways}
    return [Finding("split", "note", table.title, (), computed, meaning, numbers)]
