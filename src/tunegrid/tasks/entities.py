"""Named entities: from tags and from spans, and as the text that a model writes: `Ann Lee: person; Rome: place`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from tunegrid.tasks.values import RowError, column_error, is_missing, shown

NONE = "none"  # what stands for no entity
BETWEEN, BEFORE_TYPE = ";", ":"
# The letters of the schemes with an end, BIOES, and their other names: BILOU, BMES, BMEWO.
SAME = {"L": "E", "U": "S", "W": "S", "M": "I"}
SPAN_KEYS = (
    ("start", "begin", "start_offset"),
    ("end", "stop", "end_offset"),
    ("label", "type", "entity_group", "entity"),
)


class Entity(NamedTuple):
    """A part of a text, of words or of characters: from `begin` to before `end`."""

    begin: int
    end: int
    type: str


def entities_of_tags(tags: Sequence[str], scheme: str) -> list[Entity]:
    """The entities of a sentence, in words.

    Args:
        scheme: `iob2`: each entity begins with B. `iob1`: with I, with B only right after another one of its type.
            `bioes`: B, I, E, and S for one of a single word.

    Raises:
        RowError: the tags are not of this scheme.
    """
    entities: list[Entity] = []
    begin, kind, ended = 0, "", True  # of the entity that the last word is of; ended: it has none that goes on
    for number, tag in enumerate([*tags, "O"]):
        letter, _, name = (tag[:1], "", "") if tag == "O" else (tag[:1], tag[1:2], tag[2:])
        if scheme == "bioes":
            letter = SAME.get(letter, letter)
        valid = "BIES" if scheme == "bioes" else "BI"
        if tag != "O" and (letter not in valid or tag[1:2] not in ("-", "_") or not name):
            raise _wrong(tag, number, scheme, "")
        goes_on = not ended and name == kind and letter in "IE"
        if not ended and not goes_on:
            if scheme == "bioes":
                if number == len(tags):
                    raise _wrong(tags[-1], number - 1, scheme, " at the end, where its entity has not ended")
                raise _wrong(tag, number, scheme, f" after an entity of the type {kind} that has not ended")
            entities.append(Entity(begin, number, kind))
        if letter == "O":
            ended = True
            continue
        if not goes_on:
            if letter not in ("BS" if scheme == "bioes" else "BI" if scheme == "iob1" else "B"):
                raise _wrong(tag, number, scheme, " where no entity of its type has begun")
            begin, kind = number, name
        ended = scheme == "bioes" and letter in "ES"
        if ended:
            entities.append(Entity(begin, number + 1, kind))
    return entities


def _wrong(tag: str, number: int, scheme: str, where: str) -> RowError:
    return column_error(
        "tags",
        f"tag {number + 1} is {shown(tag)}{where}, which is not {scheme.upper()}. "
        "Is `scheme` of the task the right one: iob1, iob2 or bioes?",
    )


def entities_of_spans(spans: Sequence[Any], text: str) -> list[Entity]:
    """The entities of a text, in characters: of mappings with `start`, `end`, `label`, or of lists of the three.

    Raises:
        RowError: a span is neither, or is no part of the text.
    """
    entities = []
    for span in spans:
        if isinstance(span, Mapping):
            parts = [next((span[key] for key in keys if key in span), None) for keys in SPAN_KEYS]
        else:
            parts = list(span) if isinstance(span, list | tuple) else []
        whole = len(parts) == 3 and all(isinstance(part, int) and not isinstance(part, bool) for part in parts[:2])
        if not whole or not isinstance(parts[2], str):
            raise column_error("spans", f"expected start, end and label, found {shown(span)}")
        if not 0 <= parts[0] < parts[1] <= len(text) or is_missing(text[parts[0] : parts[1]]):
            raise column_error("spans", f"{shown(span)} is no part of the text, which has {len(text)} characters")
        entities.append(Entity(*parts))
    return sorted(entities)


def written(mentions: Sequence[tuple[str, str]], separator: str = BETWEEN) -> str:
    """Mentions (text, type) as a model writes them, in order."""
    return f"{separator} ".join(f"{plain(text, separator)}{BEFORE_TYPE} {name}" for text, name in mentions) or NONE


def plain(text: str, separator: str = BETWEEN) -> str:
    """A mention on one line; what stands between mentions is a comma in it, a comma a blank."""
    return " ".join(text.replace(separator, " " if separator == "," else ",").split())


def read_mentions(
    answer: str, types: Collection[str] = (), separator: str = BETWEEN
) -> tuple[list[tuple[str, str]], int]:
    """(mentions as text and type, number of parts that are malformed) of an answer; no answer raises.

    Args:
        types: the types that there are; none: any.
        separator: what stands between mentions.
    """
    if plain(answer, separator) == NONE:
        return [], 0
    mentions, malformed = [], 0
    for part in answer.split(separator):
        text, colon, name = part.rpartition(BEFORE_TYPE)
        text, name = plain(text, separator), plain(name, separator)
        if colon and text and name and (not types or name in types):
            mentions.append((text, name))
        else:
            malformed += 1
    return mentions, malformed
