"""Why a split has no rows, and which key of the study file mends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunegrid.common.words import listed, plural
from tunegrid.data.sources import ReadSource, Split

# Key of a source, by its kind, that says where the rows of each split are.
_PLACES = {"files": "paths", "hub": "splits"}


def no_usable_row(source: ReadSource, split: Split, unusable: Mapping[str, Mapping[str, Any]]) -> str:
    """Why the rows that a source has for a split make none, and what to do.

    Args:
        unusable: the rows that were left out: column -> their number, and what is wrong with the first of them.
    """
    if unusable:
        number = sum(skipped["rows"] for skipped in unusable.values())
        first = next(iter(unusable.values()))["examples"][0]
        return f"all {number:,} rows were left out (`unusable_rows: skip`), the first because of this: {first}"
    key = f"{_PLACES[source.kind]}.{split}"
    hint = "" if split == "train" else f", or leave `{key}` out of the source: some training rows are held out then"
    return f"what `{key}` names has no row. Put rows there{hint}"


def none_left(source: ReadSource, shares: Mapping[Split, float], rows: str, units: int, unit: str) -> str:
    """Why splits that are held out of the training rows leave one without any, and what to do.

    Args:
        shares: split that is held out -> the share of the units that it takes.
        rows: the training rows in words, with their number.
        units: how many units they have.
        unit: what is held out as a whole: a prompt, a group, a row.
    """
    needed = len(shares) + 1
    held_out = listed(f"{split} ({100 * share:g}%)" for split, share in shares.items())
    verb = "is" if len(shares) == 1 else "are"
    text = f"{held_out} {verb} held out of the {rows} to train on, whole {unit}s at a time and one at least, and "
    text += f"there {'is' if units == 1 else 'are'} only {plural(units, unit)}. "
    keys = listed(f"`{_PLACES[source.kind]}.{split}`" for split in shares)
    own = f"or give {'it' if len(shares) == 1 else 'them'} rows of {'its' if len(shares) == 1 else 'their'} own: "
    own += f"{keys} in the source"
    if units < needed:
        return f"{text}Add rows of other {unit}s, {needed} {unit}s at least, {own}"
    lower = listed(f"`{split}_share`" for split in shares)
    return f"{text}Set {lower} lower, add rows of other {unit}s, {own}"
