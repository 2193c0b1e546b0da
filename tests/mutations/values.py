"""Values that are odd wherever they stand, and mutations of a tree of mappings and lists."""

from __future__ import annotations

import copy
import datetime
import math
from collections.abc import Iterator
from random import Random
from typing import Any

Place = tuple[str | int, ...]

ODD: dict[str, Any] = {
    "null": None,
    "true": True,
    "an empty list": [],
    "an empty mapping": {},
    "an empty text": "",
    "a blank": " ",
    "a long text": "x" * 5000,
    "an unknown word": "qwertz",
    "-1": -1,
    "0": 0,
    "1": 1,
    "0.5": 0.5,
    "a huge integer": 10**30,
    "a huge number": 1.0e300,
    "infinity": math.inf,
    "not a number": math.nan,
    "a date": datetime.date(2026, 11, 29),
    "a brace": "{",
    "a field": "{context}",
    "an invisible character": "\u200b",
    "a line break": "a\nb",
    "a path to the parent": "../..",
    "digits": "007",
    "a mark": "ﬁ Ä ½ ²",
}


def places(tree: Any, place: Place = ()) -> Iterator[Place]:
    """Yields the place of every value inside a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*place, key)
        yield from places(value, (*place, key))


def text_of(place: Place) -> str:
    """The place with `[]` for any item of a list, so that equal mutations have equal names."""
    return ".".join("[]" if isinstance(part, int) else str(part) for part in place) or "all"


def mutated(tree: Any, random: Random, odd: dict[str, Any] = ODD) -> tuple[Any, str]:
    """A copy of a tree with one value mutated, and the name of the mutation: `training.epochs: null`."""
    tree = copy.deepcopy(tree)
    place = random.choice(list(places(tree)))
    holder = tree
    for part in place[:-1]:
        holder = holder[part]
    key, value = place[-1], holder[place[-1]]
    options = ["removed", "odd", "odd", "odd", "in a list", "in a mapping", "the value of another place"]
    if isinstance(holder, dict):
        options += ["key misspelt", "key doubled"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        options += ["x 1000", "x -1", "/ 3", "as text"]
    if isinstance(value, str):
        options += ["first letter lost", "upper case", "brace added", "blank added"]
    if isinstance(value, list) and value:
        options += ["item doubled", "item lost", "reversed"]
    name = random.choice(options)
    match name:
        case "removed":
            del holder[key]
        case "odd":
            name = random.choice(list(odd))
            holder[key] = copy.deepcopy(odd[name])
        case "in a list":
            holder[key] = [value]
        case "in a mapping":
            holder[key] = {"a": value}
        case "the value of another place":
            other = random.choice(list(places(tree)))
            source = tree
            for part in other:
                source = source[part]
            holder[key] = copy.deepcopy(source)
            name = f"the value of {text_of(other)}"
        case "key misspelt":
            holder[f"{key}x"] = holder.pop(key)
        case "key doubled":
            holder[f"{key} "] = copy.deepcopy(value)
        case "x 1000":
            holder[key] = value * 1000
        case "x -1":
            holder[key] = -value
        case "/ 3":
            holder[key] = value / 3
        case "as text":
            holder[key] = str(value)
        case "first letter lost":
            holder[key] = value[1:]
        case "upper case":
            holder[key] = value.upper()
        case "brace added":
            holder[key] = value + "}"
        case "blank added":
            holder[key] = value + " "
        case "item doubled":
            value.append(copy.deepcopy(value[0]))
        case "item lost":
            value.pop()
        case "reversed":
            value.reverse()
    return tree, f"{text_of(place)}: {name}"
