"""Rows of text files with separators: CSV and TSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, dropwhile, islice
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats.base import RawRow
from tunegrid.data.formats.lines import Place, numbered_lines

LONGEST_FIELD = 2**31 - 1  # characters; the module's own limit is 131,072, which a document exceeds
AHEAD = 51  # lines by which the separator of a file without a header is found
NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab"}  # of the separators, the likeliest first
EXCEL_SEPARATOR = re.compile(r"\"?sep=(.)\"?\s*", re.IGNORECASE)  # the first line of some files that Excel writes


class _Lines:
    """Lines for the `csv` module, with the number of the last one, and those that the row so far consists of."""

    def __init__(self, place: Place) -> None:
        self._lines = numbered_lines(place)
        self.number = 0
        self.row: list[str] = []

    def ahead(self, count: int) -> list[str]:
        """The next lines, which stay to be read."""
        numbered = list(islice(self._lines, count))
        self._lines = chain(numbered, self._lines)
        return [line for _, line in numbered]

    def take_separator(self) -> str | None:
        """The separator that the first line names, which is then none of the rows."""
        if match := EXCEL_SEPARATOR.fullmatch("".join(self.ahead(1))):
            next(self._lines)
        return match and match[1]

    def skip_empty(self) -> str:
        """The first line that is not empty, which stays to be read."""
        self._lines = dropwhile(lambda numbered: not numbered[1].strip("\r\n"), self._lines)
        return "".join(self.ahead(1))

    def __iter__(self) -> Iterator[str]:
        for number, line in self._lines:
            self.number = number
            self.row.append(line)
            yield line


def read_csv(place: Place, separator: str | None = None, names: Sequence[str] = ()) -> Iterator[RawRow]:
    """The rows of a file with a header; every value is a text, kept as it stands there.

    Args:
        separator: None: a comma or, where the header has none outside of quotes, a semicolon or a tab that it has. The
            header alone decides, so that no text of a row does.
        names: of the columns of a file without a header; a first line of nothing but such names is a header all the
            same. The separator is then the one that makes as many fields of the first line.

    Raises:
        TuneGridError: it is not valid CSV, a row has more or fewer fields than the header, or a column stands twice.
    """
    csv.field_size_limit(LONGEST_FIELD)
    lines = _Lines(place)
    separator = lines.take_separator() or separator or _separator(lines, place, len(names))
    reader = csv.reader(iter(lines), delimiter=separator, strict=True)
    header: list[str] = []
    try:
        for fields in filter(None, reader):
            where = f"{place}, line {lines.number}"
            if not header and (not names or set(fields) <= set(names)):
                header = fields
                check_columns(header, place)
                lines.row.clear()
                continue
            header = header or list(names)
            if len(fields) != len(header):
                raise TuneGridError(
                    f"{where}: has not as many fields as the header ({len(fields)}, not {len(header)}; between them "
                    f"stands {NAMES.get(separator, repr(separator))})."
                )
            if separator == "\t" and _are_rows(lines.row, len(header)):
                raise TuneGridError(
                    f"{where}: a quote that opens {len(lines.row) - 1} line(s) before closes here, but each of these "
                    "lines is a row by itself. A quote that begins a text is written three times: once for the field, "
                    "twice for itself."
                )
            again = len(header) > 1 and fields == header
            problem = "the header stands there again, as in files that were put together" if again else None
            yield RawRow(dict(zip(header, fields, strict=True)), where, problem, typed=False)
            lines.row.clear()
    except csv.Error as error:
        problem = "ends in CR alone, others in LF or CRLF" if "new-line character" in str(error) else error
        raise TuneGridError(f"{place}, line {lines.number}: not valid CSV: {problem}") from None


def _are_rows(lines: list[str], columns: int) -> bool:
    """Whether lines that quotes make one row each have the tabs of a whole row."""
    return len(lines) > 1 < columns and all(line.count("\t") == columns - 1 for line in lines)


def check_columns(columns: list[str], place: object) -> None:
    """Raises TuneGridError if a column stands twice, or NUL in its name; a table may have several without a name."""
    for column in columns:
        if "\0" in column:
            raise TuneGridError(
                f"{place}: the name of the column {column!r} holds the character NUL, as files do that are damaged or "
                "are no UTF-8."
            )
        if column and columns.count(column) > 1:
            raise TuneGridError(f"{place}: the column {column!r} stands there twice. Rename or remove one of them.")


def _separator(lines: _Lines, place: Place, fields: int) -> str:
    """The separator by the header or, where there is none, the one that makes most lines rows of so many fields."""
    header = lines.skip_empty()
    if not fields:
        return next((separator for separator in NAMES if _count(header, separator) > 1), ",")
    ahead = lines.ahead(AHEAD if isinstance(place, Path) else 1)  # a stream may have no more yet
    return max(NAMES, key=lambda separator: sum(_count(line, separator) == fields for line in ahead))


def _count(line: str, separator: str) -> int:
    """Fields of a line."""
    try:
        return len(next(csv.reader([line], delimiter=separator), []))
    except csv.Error:
        return 0
