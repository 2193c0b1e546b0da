"""Values of a source's row as the columns of a task need them: a text, texts, an identifier, a label.

Sources give what their format has: JSON and Parquet numbers, truth values, lists and mappings, CSV texts alone. The
same row gives the same canonical row from each of them, or an error that shows the value.
"""

from __future__ import annotations

import json
import re
import reprlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tunegrid.data.formats import ClassIndex
from tunegrid.data.sources.base import Row

LONGEST_NAME, MOST_NAMES = 60, 40  # of the columns that a message names
NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")  # ASCII digits: `isdigit` and `\d` know more of them
NAME_NUMBER = re.compile(rf"\+?{NUMBER.pattern}([eE][+-]?[0-9]{{1,3}})?")  # names of labels are as people write them
# A list, a tuple or a mapping as Python prints it, which is what pandas writes into a CSV file.
QUOTED = r"('[^']*'|\"[^\"]*\")"
PRINTED_LIST = re.compile(rf"\[\s*['\"].*['\"]\s*\]|\({QUOTED},(\s*{QUOTED},?)*\)", re.DOTALL)
PRINTED = re.compile(rf"{PRINTED_LIST.pattern}|\{{\s*'.*\}}", re.DOTALL)

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 80


class RowError(ValueError):
    """A row that the task cannot use; the caller adds where the row stands. `column` is the one at fault."""

    def __init__(self, problem: str, column: str = "row") -> None:
        super().__init__(problem)
        self.column = column


def column_error(column: str, problem: str) -> RowError:
    """The error of a row that is wrong in one of its columns."""
    return RowError(f"column {column}: {problem}", column)


def shown(value: object) -> str:
    """A value for a message: cut where it is long or deep."""
    return _short.repr(value)


def is_missing(value: object) -> bool:
    """Whether a value stands for none: None, NaN, or a text without a visible character."""
    if isinstance(value, str):
        return not any(map(is_visible, value))
    return value is None or (isinstance(value, float | Decimal) and value != value)


def is_visible(character: str) -> bool:
    """Whether a character prints something: no white space, control character, byte order mark or zero-width space."""
    return not character.isspace() and unicodedata.category(character) not in ("Cc", "Cf")


def text_of(row: Row, column: str) -> str:
    """A column that has to be non-empty text."""
    value = row[column]
    if not isinstance(value, str) or is_missing(value):
        raise column_error(column, f"expected text, found {shown(value)}")
    return _without_nul(value, column).strip()


def _without_nul(text: str, column: str) -> str:
    if "\0" in text:
        problem = f"{shown(text)} holds the character NUL, as files do that are damaged or are no UTF-8"
        raise column_error(column, problem)
    return text


def joined_text(row: Row, column: str) -> str:
    """A column of non-empty text that may come in several parts (sentences, paragraphs), with a blank between them."""
    value = row[column]
    refuse_printed(value, column, PRINTED_LIST)  # a mapping may be the text itself: data to be put into words
    _refuse_several(value, column)
    if not isinstance(value, list | tuple):
        return text_of(row, column)
    joined = " ".join(texts_of(row, column))
    if is_missing(joined):
        raise column_error(column, f"expected text, found {shown(value)}")
    return text_of({column: joined}, column)


def _refuse_several(value: object, column: str) -> None:
    """Raises RowError if parts of a text hold several texts each, such as the speaker and the words of a dialogue."""
    for part in value if isinstance(value, list | tuple) else ():
        texts = [key for key, held in part.items() if isinstance(held, str)] if isinstance(part, Mapping) else []
        if len(texts) > 1:
            raise column_error(
                column,
                f"its parts hold several texts ({', '.join(map(shown, texts))}). Name one of them after a dot, "
                f"`columns: {{{column}: ….{texts[-1]}}}`, or join them in the file",
            )


def refuse_printed(value: object, column: str, pattern: re.Pattern[str] = PRINTED) -> None:
    """Raises RowError if a text is a list or a mapping that somebody printed."""
    if isinstance(value, str) and pattern.fullmatch(value.strip()):
        raise column_error(
            column,
            f"{shown(value)} is a list or a mapping that was printed as text. Give it as such in JSON Lines or "
            "Parquet, or as JSON in CSV; if it is the text itself, as a list of one",
        )


def texts_of(row: Row, column: str) -> list[str]:
    """The texts of a column that holds one or several; missing ones are left out.

    Understood are a text, a whole number, a list of these, a mapping with `text` (SQuAD's answers), and a list of such
    mappings.

    Raises:
        RowError: it holds something else.
    """
    value = row[column]
    refuse_printed(value, column)
    texts: list[str] = []
    for item in value if isinstance(value, list | tuple) else [value]:
        inner = _field(item, column) if isinstance(item, Mapping) else item
        parts = inner if isinstance(inner, list | tuple) and inner is not item else [inner]
        texts += [_as_text(part, column) for part in parts if not is_missing(part)]
    return texts


def list_in_text(row: Row, column: str, mappings: bool = False) -> object:
    """What a text of CSV says, which has no lists: a JSON list or a mapping with `text`; else the text.

    Args:
        mappings: whether any mapping is read as such, since none can be the text itself.

    Raises:
        RowError: it is a list of numbers, as which a text may look, too.
    """
    value = row[column]
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    if isinstance(parsed, list):
        if parsed and not any(isinstance(item, str | list | dict) for item in parsed):
            texts = json.dumps([str(item) for item in parsed])
            raise column_error(
                column,
                f"{shown(value)} is a text or a list of numbers. Write it as a list of texts: "
                f"{texts if len(texts) < 80 else ''} or {json.dumps([value]):.80}",
            )
        return parsed
    return parsed if isinstance(parsed, dict) and (mappings or "text" in parsed) else value


def _field(value: Mapping, column: str) -> object:
    if "text" not in value:
        raise column_error(
            column,
            f"expected a text or a list of texts, found a mapping with {', '.join(map(shown, value)) or 'nothing'}. "
            f"Name the field that holds the text in the source's `columns: {{{column}: …}}`, with a dot before it",
        )
    return value["text"]


def _as_text(value: object, column: str) -> str:
    if isinstance(value, ClassIndex) and value.name is not None:
        return value.name
    if isinstance(value, str):
        return _without_nul(value, column).strip()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    # 1998.0 may be what a library has made of 1998: no text is the right one for sure.
    raise column_error(column, f"expected a text or a list of texts, found {shown(value)}")


def identifier_of(row: Row, column: str) -> str:
    """An id or a group as text; "" if the row has none. 0 is an identifier, False that of a group.

    Raises:
        RowError: it is a list, a mapping or bytes, an id that is a truth value, or holds NUL.
    """
    value = row[column]
    if is_missing(value):
        return ""
    if isinstance(value, list | tuple | bytes | Mapping) or (isinstance(value, bool) and column == "id"):
        raise column_error(column, f"expected a text or a number, found {shown(value)}")
    return _without_nul(str((isinstance(value, ClassIndex) and value.name) or value), column)


def label_of(row: Row, column: str, labels: Sequence[str]) -> str:
    """The label that a column names.

    A text is a label's name. A number (1, 1.0, "1") is the index of a label, unless the name of some label is a number,
    as those of star ratings are: then it is a name, too. A number whose data set declares names of classes is the name
    there if any of them is a label's, else an index. A truth value is the label `true` or `false`, in any case.

    Raises:
        RowError: it names no label.
    """
    value = row[column]
    if isinstance(value, ClassIndex):
        if not set(value.names).isdisjoint(labels):
            value = value.name
        elif 0 <= value < len(labels):
            return labels[value]
    if isinstance(value, str) and value in labels:
        return value
    if isinstance(value, str):  # an é may be one character or two, which nobody sees
        composed = unicodedata.normalize("NFC", value)
        same = [label for label in labels if unicodedata.normalize("NFC", label) == composed]
        if len(same) == 1:
            return same[0]
    if isinstance(value, str | bool) and (name := str(value).casefold()) in ("true", "false"):
        same = [label for label in labels if label.casefold() == name]
        if len(same) == 1:
            return same[0]
    number, named = as_number(value), labels_by_number(tuple(labels))
    if number is not None and named and number in named:
        return named[number]
    if number is not None and not named and 0 <= number < len(labels) and number == int(number):
        return labels[int(number)]
    index = "" if named else ", or their index from 0"
    raise column_error(column, f"{shown(value)} is not a label. Valid: {', '.join(labels)}{index}")


def as_number(value: object) -> Decimal | None:
    """The exact value of a finite number or of its decimal digits; None for all else, truth values among it."""
    if isinstance(value, str):
        return Decimal(value) if NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() else None


def number_of_name(label: str) -> Decimal | None:
    """The number that a label is called, in any digits (`+1`, `２`, `⑤`, `1e3`); None if it is no number."""
    name = unicodedata.normalize("NFKC", label).replace("\N{MINUS SIGN}", "-")
    return Decimal(name) if NAME_NUMBER.fullmatch(name) else None


@lru_cache
def labels_by_number(labels: tuple[str, ...]) -> dict[Decimal, str]:
    """The labels whose names are numbers, by the number."""
    return {number: label for label in labels if (number := number_of_name(label)) is not None}


def mapped(values: Mapping[str, Any], columns: Mapping[str, str | None], optional: dict[str, Any]) -> Row:
    """The canonical columns of a source's row.

    A dot in a column's name reaches into a nested value, of a list of mappings into each of them; a column whose name
    has the dot in it comes first. None: the source has no such column.

    Raises:
        RowError: a column is not there.
    """
    row = {}
    for canonical, column in columns.items():
        try:
            row[canonical] = _look_up(values, column) if column else optional[canonical]
        except KeyError:
            if canonical not in optional:
                raise RowError(
                    f"no column {column!r} (for {canonical}). The row has: {named(values)}. "
                    f"Name the right one in the source's `columns: {{{canonical}: …}}`.",
                    canonical,
                ) from None
            row[canonical] = optional[canonical]
    return row


def _look_up(value: object, path: str) -> Any:
    """The value at a path with dots. Raises KeyError if there is none."""
    if isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
        parts = [_look_up(item, path) for item in value]
        return [inner for part in parts for inner in (part if isinstance(part, list | tuple) else [part])]
    if not isinstance(value, Mapping):
        raise KeyError(path)
    if path in value:
        return value[path]
    names = path.split(".")
    for length in range(len(names) - 1, 0, -1):
        if (name := ".".join(names[:length])) in value:
            return _look_up(value[name], ".".join(names[length:]))
    raise KeyError(path)


def named(columns: Iterable[Any]) -> str:
    """The names of a row's columns on one line, however many there are and whatever characters they have."""
    names = [name if name.isprintable() else repr(name)[1:-1] for name in map(str, columns)]
    shown = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…" for name in names[:MOST_NAMES]]
    if len(names) > MOST_NAMES:
        shown.append(f"{len(names) - MOST_NAMES:,} more")
    return ", ".join(shown) or "nothing"
