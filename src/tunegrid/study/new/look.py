"""A look at files of rows: the names of their columns, and what each column holds."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats import DELIMITED, READERS, VALID, ClassIndex, RawRow, format_of, read_rows
from tunegrid.data.formats.lines import numbered_lines
from tunegrid.tasks.entities import SPAN_KEYS
from tunegrid.tasks.values import as_number, is_missing

MOST_ROWS = 100_000  # of a file that are looked at
FEWEST = 10  # rows that make a study
MOST_VALUES = 1_000  # different values of a column that are kept: as many as a task may have labels
DEEPEST = 3  # mappings inside each other that are looked into
SNIFFED = 200  # rows by which a first line is told from a header
LONGEST_NAME = 60  # characters of a column's name, beyond which it is taken for a text
SENTENCE = re.compile(r"(\S+\s+){2}.*[.!?]$|(\S+\s+){6}")  # what a text has, and the name of a column has not
TAGS = re.compile(r"(O|[BIESLUMW][-_]\S+)(\s+(O|[BIESLUMW][-_]\S+))*")


@dataclass
class Column:
    """What a column holds.

    Attributes:
        name: its name; with dots where it is inside another.
        kinds: how many values are of each kind: text, number, flag, texts, numbers, spans, tags, mapping, other.
        values: the different texts, numbers and flags with their counts; None: there are more than 1,000.
        unique: whether no value stands twice in one file.
        words: all words of the texts.
        classes: names of its classes, where the data declare them.
    """

    name: str
    kinds: Counter[str] = field(default_factory=Counter)
    values: Counter[Any] | None = field(default_factory=Counter)
    unique: bool = True
    words: int = 0
    classes: tuple[str, ...] = ()
    example: Any = None
    _seen: set[Any] = field(default_factory=set)

    @property
    def filled(self) -> int:
        """How many values there are."""
        return self.kinds.total()

    @property
    def kind(self) -> str:
        """The kind of nearly all of its values; "mixed" where there is none."""
        kind, count = self.kinds.most_common(1)[0] if self.kinds else ("", 0)
        return kind if count >= 0.95 * self.filled else "mixed"

    @property
    def mean_words(self) -> float:
        return self.words / self.filled if self.filled else 0.0

    def add(self, value: Any) -> None:
        if is_missing(value) or (isinstance(value, list | tuple) and not value):
            return
        kind = kind_of_value(value)
        self.kinds[kind] += 1
        self.example = value if self.example is None else self.example
        if kind in ("text", "texts", "tags"):
            parts = value if isinstance(value, list | tuple) else [value]
            self.words += sum(len(part.split()) for part in parts)
        if isinstance(value, ClassIndex):
            self.classes = value.names
        if kind not in ("text", "number", "flag"):
            self.unique = False
            return
        key = value.name if isinstance(value, ClassIndex) and value.name else value
        self.unique = self.unique and key not in self._seen
        if self.unique:
            self._seen.add(key)
        if self.values is not None:
            self.values[key] += 1
            if len(self.values) > MOST_VALUES:
                self.values = None

    def end_of_file(self) -> None:
        self._seen.clear()


@dataclass(frozen=True)
class Looked:
    """The rows of a study's files, and their columns.

    Attributes:
        rows: by split, at most 100,000 of each.
        whole: whether these are all of them.
        columns: by name, those with any value.
        header: names that were given to the columns; none: the files have their own.
    """

    rows: dict[str, list[RawRow]]
    whole: bool
    columns: dict[str, Column]
    header: tuple[str, ...]


def look(paths: Mapping[str, Path], has_header: bool | None = None) -> Looked:
    """Reads the files of the splits.

    Args:
        has_header: whether the first line of CSV and TSV names the columns; None: by what it holds.

    Raises:
        TuneGridError: a file is missing or cannot be read.
    """
    for path in paths.values():
        if not path.is_file():
            raise TuneGridError(f"{path}: no such file.")
        if format_of(path) not in READERS:
            raise TuneGridError(f"{path}: unknown file type. Valid: {VALID}")
    header = _header(paths["train"], has_header)
    columns: dict[str, Column] = {}
    rows, whole = {}, True
    for split, path in paths.items():
        reader = read_rows(path, names=header)
        rows[split] = list(islice(reader, MOST_ROWS))
        whole = whole and next(reader, None) is None
        for row in (row for row in rows[split] if row.problem is None):
            for name, value in _flat(row.values, row.typed):
                columns.setdefault(name, Column(name)).add(value)
        for column in columns.values():
            column.end_of_file()
        if not rows[split]:
            raise TuneGridError(f"{path}: has no rows.")
    if (count := sum(map(len, rows.values()))) < FEWEST:
        raise TuneGridError(f"{paths['train']}: {count} row(s) make no study; {FEWEST} are needed.")
    return Looked(rows, whole, {name: column for name, column in columns.items() if column.filled}, header)


def tag_of_word(columns: Mapping[str, Column]) -> str | None:
    """The name of a column with the tag of one word in each row, so that a row is no sentence; None: there is none."""
    for name, column in columns.items():
        values = [value for value in column.values or () if isinstance(value, str)]
        if "O" in values and len(values) > 1 and all(map(TAGS.fullmatch, values)):
            return name
    return None


def kind_of_value(value: Any) -> str:
    """The kind of one value, which is not missing."""
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, str):
        return "number" if as_number(value) is not None else "tags" if _are_tags(value) else "text"
    if as_number(value) is not None:
        return "number"
    if isinstance(value, Mapping):
        return "mapping"
    if not isinstance(value, list | tuple):
        return "other"
    if all(isinstance(item, str) for item in value):
        return "texts"
    if all(as_number(item) is not None and not isinstance(item, str) for item in value):
        return "numbers"
    return "spans" if all(_is_span(item) for item in value) else "other"


def _are_tags(text: str) -> bool:
    return len(text.split()) > 1 and TAGS.fullmatch(text.strip()) is not None


def _is_span(item: Any) -> bool:
    if isinstance(item, Mapping):
        return all(any(key in item for key in keys) for keys in SPAN_KEYS)
    return (
        isinstance(item, list | tuple)
        and [type(part) for part in item[:2]] == [int, int]
        and [type(part) for part in item[2:]] == [str]
    )


def _flat(values: Mapping[str, Any], typed: bool, before: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """(name with dots, value) of a row, those inside of mappings, and of lists of mappings, too."""
    for key, value in values.items():
        name = f"{before}{key}"
        value = value if typed else parsed(value)
        yield name, value
        if depth >= DEEPEST:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, typed, f"{name}.", depth + 1)
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            inner: dict[str, list[Any]] = {}
            for item in value:
                for part, own in item.items():
                    inner.setdefault(part, []).append(own)
            yield from _flat(inner, typed, f"{name}.", depth + 1)


def parsed(text: Any) -> Any:
    """What a task reads in a text of CSV, which has no lists: a JSON list or a mapping; `[1]` may be a text."""
    if not isinstance(text, str) or not text.lstrip().startswith(("[", "{")):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, list):
        return value if len(value) > 1 or any(isinstance(item, str | list | dict) for item in value) else text
    return value if isinstance(value, dict) else text


# -- files without a header -------------------------------------------------------------------------------------------


def _header(path: Path, has_header: bool | None) -> tuple[str, ...]:
    """Names for the columns of a CSV or TSV file whose first line does not name them; none where it does."""
    if format_of(path) not in DELIMITED or has_header:
        return ()
    lines = _records(path)
    if not lines or (has_header is None and _names_columns(lines)):
        return ()
    return tuple(f"column{number}" for number in range(1, len(lines[0]) + 1))


def _records(path: Path) -> list[list[str]]:
    """The first rows of a file as fields, by the separator that makes the most rows as long as the first one."""
    text = [line for _, line in islice(numbered_lines(path), SNIFFED) if line.strip()]
    best: list[list[str]] = []
    for separator in "\t" if format_of(path) == ".tsv" else ",;\t":
        try:
            records = [record for record in csv.reader(text, delimiter=separator) if record]
        except csv.Error:
            continue
        if _alike(records) > _alike(best):
            best = records
    return best


def _alike(records: Sequence[Sequence[str]]) -> float:
    """How alike rows are in their number of fields, and whether they have several."""
    if not records:
        return -1.0
    width = len(records[0])
    return (width > 1) + sum(len(record) == width for record in records) / len(records)


def _names_columns(records: list[list[str]]) -> bool:
    """Whether a first line is a header: its fields are short, no numbers, and no values of their own columns."""
    first, rest = records[0], records[1:]
    if any(as_number(name) is not None or len(name) > LONGEST_NAME or SENTENCE.search(name) for name in first):
        return False
    if len(set(first)) < len(first):
        return False
    return not any(
        name.strip() and name in {record[number] for record in rest if len(record) == len(first)}
        for number, name in enumerate(first)
    )
