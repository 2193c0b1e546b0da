"""Rows in JSON Lines, and in JSON files that are one list of objects."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats.base import RawRow
from tunegrid.data.formats.lines import Place, numbered_lines

DEPTH = 100  # levels of nested lists and objects in a row: Python's own limit depends on what calls the parser
SPACE = re.compile(r"\s*")


class _Parser:
    """JSON values, and what is wrong with those that JSON allows but no row can have."""

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_int=self._integer)
        self._problem: str | None = None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            names = [name for name, _ in pairs]
            repeated = next(name for name in names if names.count(name) > 1)
            self._problem = f"the key {repeated!r} stands in it twice"
        return values

    def _integer(self, digits: str) -> int:
        if len(digits) > sys.get_int_max_str_digits() > 0:
            self._problem = f"a number has {len(digits):,} digits"
            return 0
        return int(digits)

    def parse(self, text: str, start: int = 0) -> tuple[Any, int, str | None]:
        """(the value that begins at `start`, where it ends, why no row can have it).

        Raises:
            JSONDecodeError: the text is not valid JSON.
            RecursionError: it is nested too deep to be read at all.
        """
        self._problem = None
        value, end = self._decoder.raw_decode(text, start)
        if self._problem is None and _is_deep(value):
            self._problem = f"it has more than {DEPTH} levels of lists and objects"
        if self._problem is None and "\\ud" in text[start:end].lower() and not _is_unicode(value):
            self._problem = "not valid UTF-8: an escape (\\ud…) is half of a character"
        return value, end, self._problem


def read_json_lines(place: Place) -> Iterator[RawRow]:
    """The rows of a file with one JSON object per line."""
    yield from _rows_of_lines(place, numbered_lines(place))


def _rows_of_lines(place: Place, lines: Iterable[tuple[int, str]]) -> Iterator[RawRow]:
    parser = _Parser()
    for number, line in lines:
        if not (text := line.strip()):
            continue
        where = f"{place}, line {number}"
        try:
            values, end, problem = parser.parse(text)
            if end < len(text):
                raise json.JSONDecodeError("Extra data", text, end)
        except json.JSONDecodeError as error:
            raise TuneGridError(f"{where}: not valid JSON: {error}") from None
        except RecursionError:
            values, problem = {}, f"it has more than {DEPTH} levels of lists and objects"
        yield _row(values, where, problem)


def read_json(place: Place) -> Iterator[RawRow]:
    """The rows of a file that is one JSON list of objects, or JSON Lines. A list is read as a whole."""
    numbered = numbered_lines(place)  # once: a pipe cannot be read again
    number, first = next(((number, line) for number, line in numbered if line.strip()), (0, ""))
    if not first.lstrip().startswith("["):
        read = [(number, first)]
        if not _is_object(first):
            read += numbered
        _refuse_one_object(place, [line for _, line in read])
        yield from _rows_of_lines(place, chain(read, numbered))
        return
    text = first.lstrip() + "".join(line for _, line in numbered)
    parser, at, number = _Parser(), SPACE.match(text, 1).end(), 0
    try:
        while text[at : at + 1] != "]" or number:
            number += 1
            values, at, problem = parser.parse(text, at)
            yield _row(values, f"{place}, row {number}", problem)
            at = SPACE.match(text, at).end()
            if text[at : at + 1] == "]":
                break
            if text[at : at + 1] != ",":
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
            at = SPACE.match(text, at + 1).end()
        if text[at + 1 :].strip():
            raise json.JSONDecodeError("Extra data", text, at + 1)
    except json.JSONDecodeError as error:
        raise TuneGridError(f"{place}: not valid JSON: {error}") from None
    except RecursionError:
        raise TuneGridError(f"{place}, row {number}: it has more than {DEPTH} levels of lists and objects") from None


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _refuse_one_object(place: Place, lines: list[str]) -> None:
    """Raises TuneGridError if lines are one object around all rows, or over several lines."""
    if not _is_object(text := "".join(lines)):
        return  # the reader of lines says what is wrong
    value = json.loads(text)
    if len(lines) == 1 and not isinstance(value.get("data"), list):
        return
    keys = ", ".join(map(repr, list(value)[:5]))
    raise TuneGridError(
        f"{place}: is one JSON object (with {keys}), but rows are a list of objects, or JSON Lines with one object a "
        "line. Save the list of rows by itself; the files of SQuAD's authors, which nest questions in articles, are on "
        "the Hub as rows (rajpurkar/squad)."
    )


def _row(values: object, where: str, problem: str | None) -> RawRow:
    if not isinstance(values, dict):
        raise TuneGridError(f"{where}: a row must be a JSON object, this is a {type(values).__name__}.")
    return RawRow(values, where, problem)


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _is_unicode(values: object) -> bool:
    """Whether values can be written as UTF-8; JSON's escapes can also make one half of a surrogate pair."""
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
