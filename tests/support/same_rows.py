"""Canonical rows, and every way in which a source's files can hold them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from hypothesis import strategies as st

from tunegrid.tasks import Row

# What separators, quotes, line ends, byte order marks and escapes may do to a text; and any other
# character but NUL, which every reader refuses (tests/tasks/test_values.py).
CHARACTERS = st.sampled_from(list(",;\t\"'\n\r\\[]{}:|= \ufeff\u2028\u200büß👍")) | st.characters(
    exclude_categories=["Cs"], exclude_characters="\0"
)
TEXT = st.builds(
    "".join, st.tuples(st.text(CHARACTERS, max_size=8), st.sampled_from("aé1界"), st.text(CHARACTERS, max_size=8))
)
PLAIN = st.text("abcdefghij", min_size=1, max_size=6)
STARS = ("1", "2", "3", "4", "5")


@dataclass(frozen=True)
class Case:
    """Rows of a task.

    Attributes:
        kind: of the task.
        rows: as they have to come out, but for their ids and groups.
        ids: of the rows, as the source has them; None: it has no such column.
        groups: likewise.
        labels: of the task.
        label_values: what the source has in place of the labels of the rows.
    """

    kind: str
    rows: list[Row]
    ids: list[Any] | None
    groups: list[Any] | None
    labels: tuple[str, ...]
    label_values: list[Any]

    def canonical(self) -> list[Row]:
        """The rows as they have to come out of every source."""
        numbered = [f"train-{number:06}" for number in range(1, len(self.rows) + 1)]
        ids = [text or name for text, name in zip(as_texts(self.ids, len(self.rows)), numbered, strict=True)]
        groups = as_texts(self.groups, len(self.rows)) if self.kind == "qa" else None
        rows = [{key: value for key, value in row.items() if key not in ("words", "types")} for row in self.rows]
        return [{"id": ids[i], **({"group": groups[i]} if groups else {}), **row} for i, row in enumerate(rows)]


def as_texts(values: list[Any] | None, count: int) -> list[str]:
    """What identifiers are as texts: "" for those that are missing."""
    return ["" if value is None or value != value else str(value) for value in values or [None] * count]


def identifiers(count: int, unique: bool) -> st.SearchStrategy[list[Any] | None]:
    """Ids or groups of one type each, as a column of Parquet has them; some are missing."""
    numbers = st.integers(-5, 20)
    kinds = [
        numbers,
        st.just(None) | numbers,
        numbers.map(float) | st.just(math.nan),  # what pandas makes of whole numbers with gaps
        PLAIN | st.from_regex(r"0[0-9]{1,3}", fullmatch=True) | st.sampled_from(["NA", "null", "", "nan"]),
    ]
    if not unique:
        kinds.append(st.booleans())

    def differ(values: list[Any]) -> bool:
        present = [text for text in as_texts(values, count) if text]
        return not unique or len(set(present)) == len(present)

    lists = [st.lists(kind, min_size=count, max_size=count).filter(differ) for kind in kinds]
    return st.none() | st.one_of(lists)


TYPES = ("person", "place")
SEVERAL = st.lists(TEXT.map(str.strip), min_size=1, max_size=3)


def _of_texts(source: str, target: str) -> st.SearchStrategy[Row]:
    """Rows of a text and several references."""
    return st.fixed_dictionaries({source: TEXT.map(str.strip), target: SEVERAL})


@st.composite
def _tagged(draw: Callable) -> Row:
    """A row of entities: its words, of each the type or none, and what becomes of them."""
    words = draw(st.lists(TEXT, min_size=1, max_size=4))
    types = draw(st.lists(st.none() | st.sampled_from(TYPES), min_size=len(words), max_size=len(words)))
    mentions = [
        f"{' '.join(word.replace(';', ',').split())}: {name}" for word, name in zip(words, types, strict=True) if name
    ]
    return {"words": words, "types": types, "text": " ".join(words).strip(), "entities": "; ".join(mentions) or "none"}


NEWER: dict[str, Callable[[], st.SearchStrategy[Row]]] = {
    "classification": lambda: st.fixed_dictionaries(
        {"text": TEXT.map(str.strip), "label": st.sampled_from(["money", "sports"])}
    ),
    "pair-classification": lambda: st.fixed_dictionaries(
        {"text": TEXT.map(str.strip), "text_pair": TEXT.map(str.strip), "label": st.sampled_from(["money", "sports"])}
    ),
    "summarisation": lambda: _of_texts("document", "summary"),
    "generation": lambda: _of_texts("source", "target"),
    "ner": _tagged,
}


@st.composite
def cases(draw: Callable) -> Case:
    kind = draw(st.sampled_from(["qa", "translation", "sentiment", *NEWER]))
    count = draw(st.integers(1, 5))
    if kind in NEWER:
        rows = [draw(NEWER[kind]()) for _ in range(count)]
        return Case(kind, rows, draw(identifiers(count, unique=True)), None, (), [])
    texts = st.lists(TEXT, min_size=count, max_size=count)
    labels, values = draw(st.sampled_from([("bad", "good"), STARS, ("false", "true"), ("0.5", "1", "1.5")])), []
    if kind == "translation":
        rows = [
            {"source": source.strip(), "target": target.strip()}
            for source, target in zip(draw(texts), draw(texts), strict=True)
        ]
    elif kind == "sentiment":
        chosen = draw(st.lists(st.integers(0, len(labels) - 1), min_size=count, max_size=count))
        rows = [{"text": text.strip(), "label": labels[index]} for text, index in zip(draw(texts), chosen, strict=True)]
        values = draw(st.sampled_from(_label_values(labels, chosen)))
    else:
        several = st.lists(TEXT, min_size=1, max_size=3)
        rows = [
            {
                "question": draw(TEXT).strip(),
                "context": draw(TEXT).strip(),
                "answers": [text.strip() for text in draw(several)],
                "candidates": [text.strip() for text in draw(st.just([]) | several)],
            }
            for _ in range(count)
        ]
    groups = draw(identifiers(count, unique=False)) if kind == "qa" else None
    return Case(kind, rows, draw(identifiers(count, unique=True)), groups, labels, values)


def _label_values(labels: tuple[str, ...], chosen: list[int]) -> list[list[Any]]:
    """What a source may have for some labels: their names, or numbers and truth values of several types."""
    names = [labels[index] for index in chosen]
    if labels == ("false", "true"):
        return [names, [name == "true" for name in names], chosen]
    numbers = [float(name) for name in names] if labels[0] in ("1", "0.5") else [float(index) for index in chosen]
    whole = [[int(number) for number in numbers]] if all(map(float.is_integer, numbers)) else []
    return [names, numbers, [Decimal(str(number)) for number in numbers], *whole]


def _listed(case: Case) -> set[str]:
    """The columns of texts that have to be lists of one, as CSV or the task would take some text for a list."""
    return {
        key
        for row in case.rows
        for key, value in row.items()
        if isinstance(value, str) and value[:1] in ("[", "(", "{")
    }


# -- the rows as a source has them ------------------------------------------------------------------------------------


def nested(case: Case) -> list[dict[str, Any]]:
    """The rows in the Hub's format of the task, by the default names of its columns."""
    made, listed = [], _listed(case)
    for number, row in enumerate(case.rows):
        if case.kind == "translation":
            values = {"translation": {"en": row["source"], "de": row["target"]}}
        elif case.kind == "sentiment":
            values = {"text": row["text"], "label": case.label_values[number]}
        elif case.kind == "ner":
            values = {"tokens": row["words"], "ner_tags": [f"B-{name}" if name else "O" for name in row["types"]]}
        elif case.kind in NEWER:
            names = {"text": "sentence1", "text_pair": "sentence2"} if case.kind == "pair-classification" else {}
            values = {names.get(key, key): [value] if key in listed else value for key, value in sorted(row.items())}
        else:
            values = {key: row[key] for key in ("question", "context", "candidates")}
            values["answers"] = {"text": row["answers"], "answer_start": [0] * len(row["answers"])}
        for name, column in (("id", case.ids), ("title", case.groups)):
            if column is not None:
                values[name] = column[number]
        made.append(values)
    return made


def flat(case: Case) -> list[dict[str, Any]]:
    """The same with dots in the names of columns, as tables have it that were flattened."""
    rows = nested(case)
    for row in rows:
        for name in ("translation", "answers"):
            row |= {f"{name}.{key}": value for key, value in row.pop(name, {}).items()}
    return rows


def structs(case: Case) -> list[dict[str, Any]]:
    """The same with a list of mappings in place of a mapping of lists."""
    rows = nested(case)
    if case.kind == "ner":
        return [row | _spans(words) for row, words in zip(rows, case.rows, strict=True)]
    for row in rows:
        if "answers" in row:
            row["answers"] = [{"text": text, "answer_start": 0} for text in row["answers"]["text"]]
    return rows


def _spans(row: Row) -> dict[str, Any]:
    """A row of entities with its text and spans, in place of tokens and tags."""
    spans, start = [], 0
    for word, name in zip(row["words"], row["types"], strict=True):
        if name:
            spans.append({"start": start, "end": start + len(word), "label": name})
        start += len(word) + 1
    return {"tokens": None, "ner_tags": None, "text": " ".join(row["words"]), "entities": spans}


# -- the ways to write them -------------------------------------------------------------------------------------------


def json_lines(rows: list[dict[str, Any]], end: str = "\n") -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False, default=float) + end for row in rows).encode()


def delimited(rows: list[dict[str, Any]], separator: str, end: str, mark: str = "") -> bytes:
    def cell(value: Any) -> str:
        if isinstance(value, list | dict):
            return json.dumps(value, ensure_ascii=False)
        return "" if value is None or value != value else str(value)

    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(rows[0])
    writer.writerows([cell(value) for value in row.values()] for row in rows)
    return (mark + text.getvalue()).encode()


def parquet(rows: list[dict[str, Any]], types: dict[str, pyarrow.DataType] | None = None) -> bytes:
    table = pyarrow.Table.from_pylist(rows)
    for name, kind in (types or {}).items():
        if name in table.column_names and not pyarrow.types.is_list(table[name].type):
            if pyarrow.types.is_map(kind):
                column = pyarrow.array([list(row[name].items()) for row in rows], kind)
            elif pyarrow.types.is_dictionary(kind):
                column = table[name].dictionary_encode()
            else:
                column = table[name].cast(kind)
            table = table.set_column(table.column_names.index(name), name, column)
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def zstd(data: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


LARGE, VIEW = pyarrow.large_string(), pyarrow.string_view()
DICTIONARY = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
TEXTS = ("text", "question", "context", "translation.en", "translation.de")
TEXT_MAP = pyarrow.map_(pyarrow.string(), pyarrow.string())
LIST_MAP = pyarrow.map_(pyarrow.string(), pyarrow.list_(pyarrow.string()))


def _only_texts(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what a MAP of texts cannot hold beside them."""
    for row in rows:
        if "answers" in row:
            row["answers"] = {"text": row["answers"]["text"]}
    return rows


def written(case: Case) -> Iterator[tuple[str, bytes]]:
    """(name of a file, its bytes) of each way to write the rows; names differ."""
    yield "lines.jsonl", json_lines(nested(case))
    yield "Lines-crlf.JSONL", json_lines(flat(case), "\r\n")
    yield "structs.jsonl.gz", gzip.compress(json_lines(structs(case)))
    yield "lines.jsonl.zst", zstd(json_lines(nested(case)))
    yield "list.json", json.dumps(nested(case), indent=1, default=float).encode()
    rows = flat(case)
    yield "commas.csv", delimited(rows, ",", "\n")
    yield "commas.CSV.GZ", gzip.compress(delimited(rows, ",", "\r\n", "\ufeff"))
    yield "semicolons.csv", delimited(rows, ";", "\r\n")
    # A text with tabs and line breaks can look like rows of its own; it is refused, not misread.
    if not any("\t" in str(value) and "\n" in str(value) for row in rows for value in row.values()):
        yield "tabs.tsv", delimited(rows, "\t", "\n")
    yield "struct.parquet", parquet(nested(case), dict.fromkeys(TEXTS, LARGE))
    yield "flat.parquet", parquet(rows, dict.fromkeys(TEXTS, DICTIONARY))
    yield "structs.parquet", parquet(structs(case), dict.fromkeys(TEXTS, VIEW))
    yield "map.parquet", parquet(_only_texts(nested(case)), {"translation": TEXT_MAP, "answers": LIST_MAP})


def write_all(case: Case, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Writes the rows in every way; yields (name, settings of a source whose training rows they are)."""
    for name, content in written(case):
        (folder / name).write_bytes(content)
        yield name, {"kind": "files", "paths": {"train": str(folder / name), "test": str(folder / name)}}
        if name in ("commas.csv", "structs.jsonl.gz", "map.parquet"):
            hub = folder / f"hub-{name}"
            hub.mkdir()
            (hub / f"train{''.join(Path(name).suffixes).lower()}").write_bytes(content)
            yield f"hub of {name}", {"kind": "hub", "path": str(hub), "splits": {"train": "train", "test": "train"}}
