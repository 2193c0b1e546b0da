"""Tagged words in columns, as in CoNLL's tasks: one a line with its tag last, an empty line between sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats.base import RawRow
from tunegrid.data.formats.lines import Place, numbered_lines

TAG = re.compile(r"O|[A-Za-z][-_]\S+")
COUNT = re.compile(r"[01]([-.][0-9]+)?( [0-9]+([-.][0-9]+)?)*")  # of the words of a sentence, joined by blanks
JUDGED, FEWEST = 100, 5  # sentences by which the column of the words is told, at most and at least

Words = list[list[str]]  # the columns of each word of a sentence


def read_columns(place: Place) -> Iterator[RawRow]:
    """The sentences of a file as rows of `tokens` and `ner_tags`: the column of the words and the last one.

    The words are in the first column that neither counts them nor says the same of all words of a sentence, as the name
    of a document does. Columns are parted by tabs or, in a line without a tab, by blanks. `-DOCSTART-` lines end a
    sentence, as empty ones do. Comments are left out: lines in front of a sentence that begin with # and do not end in
    a tag.

    Raises:
        TuneGridError: a line has one column, or another number of them than the one before it.
    """
    sentences = _sentences(place)
    head = list(islice(sentences, JUDGED))
    column = _column_of_words([words for _, words in head])
    for number, words in chain(head, sentences):
        tokens = [fields[min(column, len(fields) - 2)] for fields in words]
        yield RawRow({"tokens": tokens, "ner_tags": [fields[-1] for fields in words]}, f"{place}, line {number}")


def _column_of_words(sentences: Sequence[Words]) -> int:
    """The index of the column with the words; 0 where the sentences are too few to tell."""
    longer = [words for words in sentences if len(words) > 1]
    if len(longer) < FEWEST:
        return 0
    for column in range(min(len(words[0]) for words in longer) - 1):
        values = [[fields[column] for fields in words] for words in longer]
        if not all(len(set(each)) == 1 for each in values) and not all(
            COUNT.fullmatch(" ".join(each)) for each in values
        ):
            return column
    return 0


def _sentences(place: Place) -> Iterator[tuple[int, Words]]:
    """Yields each sentence with the number of its first line."""
    words: Words = []
    first = 0
    for number, line in numbered_lines(place):
        line = line.rstrip("\r\n")
        fields = line.strip("\t").split("\t") if "\t" in line.strip() else line.split()
        fields = [field.strip() for field in fields]
        if not fields or fields[0] == "-DOCSTART-":
            if words:
                yield first, words
            words = []
            continue
        if not words and line.startswith("#") and not TAG.fullmatch(fields[-1]):
            continue
        if len(fields) < 2:
            raise TuneGridError(
                f"{place}, line {number}: has one column. A line is a word, and its tag in the last column."
            )
        if words and len(fields) != len(words[-1]):
            raise TuneGridError(
                f"{place}, line {number}: has {len(fields)} columns, the line before it {len(words[-1])}."
            )
        first = first if words else number
        words.append(fields)
    if words:
        yield first, words
