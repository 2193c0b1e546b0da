"""Tagged words in columns, as in CoNLL's tasks: one a line with its tag last, an empty line between sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats.base import RawRow
from tunegrid.data.formats.lines import Place, numbered_lines

TAG = re.compile(r"O|[A-Za-z][-_]\S+")


def read_columns(place: Place) -> Iterator[RawRow]:
    """The sentences of a file as rows of `tokens` and `ner_tags`: its first and its last column.

    Columns are parted by tabs or, in a line without a tab, by blanks. `-DOCSTART-` lines end a sentence, as empty ones
    do. Comments are left out: lines in front of a sentence that begin with # and do not end in a tag.

    Raises:
        TuneGridError: a line has one column, or another number of them than the one before it.
    """
    tokens: list[str] = []
    tags: list[str] = []
    first = width = 0
    for number, line in numbered_lines(place):
        line = line.rstrip("\r\n")
        fields = line.strip("\t").split("\t") if "\t" in line.strip() else line.split()
        if not fields or fields[0].strip() == "-DOCSTART-":
            if tokens:
                yield RawRow({"tokens": tokens, "ner_tags": tags}, f"{place}, line {first}")
            tokens, tags = [], []
            continue
        if not tokens and line.startswith("#") and not TAG.fullmatch(fields[-1]):
            continue
        if len(fields) < 2:
            raise TuneGridError(
                f"{place}, line {number}: has one column. A line is a word, and its tag in the last column."
            )
        if tokens and len(fields) != width:
            raise TuneGridError(f"{place}, line {number}: has {len(fields)} columns, the line before it {width}.")
        if not tokens:
            first, width = number, len(fields)
        tokens.append(fields[0].strip())
        tags.append(fields[-1].strip())
    if tokens:
        yield RawRow({"tokens": tokens, "ner_tags": tags}, f"{place}, line {first}")
