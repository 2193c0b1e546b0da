"""Mutations of the rows of a task's files, in every format, which `tunegrid fetch-data` reads."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from random import Random
from typing import Any

from tests.mutations.execute import Case
from tests.mutations.values import ODD, mutated

STUDY = """\
study: rows
title: Rows
description: Rows.
seeds: [1]
grid: {tasks: [qa], models: [t5], methods: [full]}
tasks:
  qa:
    kind: KIND
    source: {kind: files, paths: {train: train.SUFFIX, validation: train.SUFFIX, test: train.SUFFIX}}
    OPTIONS
    max_source_length: 64
    max_target_length: 8
    generation: {max_new_tokens: 8}
models:
  t5: {family: t5, source: {kind: hub, id: google-t5/t5-base}}
methods:
  full: {kind: full}
training: {learning_rate: 1.0e-3, max_steps: 10}
"""
PREFERENCES = """\
preferences:
  p: {source: {kind: files, paths: {train: train.SUFFIX, validation: train.SUFFIX, test: train.SUFFIX}}}
"""
PAIRS = "pairs"  # the kind of rows that are no task's, but preference pairs
ROWS: dict[str, list[dict[str, Any]]] = {
    "qa": [
        {"id": f"q{i}", "title": f"article {i % 2}", "question": f"Who came {i}?", "context": f"Anna {i} came.",
         "answers": {"text": ["Anna", "she"], "answer_start": [0, 1]}}
        for i in range(6)
    ],
    "translation": [{"id": str(i), "translation": {"en": f"A dog {i}.", "de": f"Ein Hund {i}."}} for i in range(6)],
    "sentiment": [{"id": f"{i:03}", "text": f"A film {i}.", "label": i % 2} for i in range(6)],
    "classification": [{"id": str(i), "text": [f"A match {i}.", "It rained."], "label": "sports"} for i in range(6)],
    "pair-classification": [
        {"id": str(i), "sentence1": f"A cat {i}.", "sentence2": "A dog.", "label": i % 2} for i in range(6)
    ],
    "ner": [
        {"id": str(i), "tokens": ["Ann", f"{i}", "sees", "Rome"], "ner_tags": ["B-person", "I-person", "O", "B-place"]}
        if i % 2 else
        {"id": str(i), "text": f"Ben {i} sees Rome", "entities": [{"start": 0, "end": 5, "label": "person"}]}
        for i in range(6)
    ],
    "summarisation": [{"id": str(i), "document": f"Ben won {i}. He ran.", "summary": ["Ben won."]} for i in range(6)],
    "generation": [{"id": str(i), "source": f"dogs: {i}", "target": [f"{i} dogs.", "Dogs."]} for i in range(6)],
    PAIRS: [{"id": str(i), "prompt": f"Why {i}?", "chosen": f"Because {i}.", "rejected": "No."} for i in range(6)],
}  # fmt: skip
# A date and numbers that no JSON has are not written by any of the formats.
ODD_IN_ROWS = {name: value for name, value in ODD.items() if name not in ("a date", "a huge integer")} | {
    "a nested list": [[["a"]]],
    "a list of numbers": [1, 2],
    "a list of mappings": [{"text": "a"}],
    "a list with null": ["a", None],
    "NUL": "a\0b",
    "a byte order mark": "\ufeffa",
    "a line separator": "a\u2028b",
    "a token's name": "</s> <pad> <extra_id_0>",
    "2": 2,
    "a decimal label": 1.0,
}


def prepare(folder: Path) -> None:
    """Nothing: each case writes its own study."""


def mutate(random: Random, folder: Path) -> Case:
    """Rows of a kind of task in a format, with one or two mutated values, or a mutated file."""
    kind, suffix = random.choice(list(ROWS)), random.choice(["jsonl", "jsonl", "json", "csv", "tsv", "parquet"])
    rows, name = ROWS[kind], "none"
    how = random.choice(["value", "value", "value", "two values", "file"])
    if how != "file":
        rows, name = mutated(rows, random, ODD_IN_ROWS)
        if how == "two values":
            rows, second = mutated(rows, random, ODD_IN_ROWS)
            name = f"{name} + {second}"
            if rows in [[*ROWS[kind][:gone], *ROWS[kind][gone + 1 :]] for gone in range(len(ROWS[kind]))]:
                name = "[]: removed"  # the row that the first mutation had altered
    try:
        data = _written(rows if suffix in ("jsonl", "json") else [row for row in rows if isinstance(row, dict)], suffix)
    except (ValueError, TypeError, AttributeError, ArithmeticError):  # the writer cannot hold it
        suffix = "jsonl"
        data = "".join(json.dumps(row) + "\n" for row in rows).encode("utf-8", "surrogatepass")
    if name == "none":
        data, name = _damaged(data, random)
    (folder / f"train.{suffix}").write_bytes(data)
    (folder / "study.yaml").write_text(study_text(kind, suffix), encoding="utf-8")
    if kind == PAIRS:
        return Case(f"{kind} {suffix}: {name}", (("fetch-pairs", "study.yaml", "--task", "qa", "--pairs", "p"),))
    return Case(f"{kind} {suffix}: {name}", (("fetch-data", "study.yaml", "--task", "qa"),))


def study_text(kind: str, suffix: str) -> str:
    """A study whose one task, or whose preference pairs, are read from `train.SUFFIX`."""
    from tests.support.rows_of_tasks import REQUIRED

    options = "\n    ".join(f"{key}: {json.dumps(value)}" for key, value in REQUIRED.get(kind, {}).items())
    text = STUDY.replace("    OPTIONS\n", f"    {options}\n" if options else "")
    text = text.replace("KIND", "qa") + PREFERENCES if kind == PAIRS else text.replace("KIND", kind)
    return text.replace("SUFFIX", suffix)


def surprise(folder: Path, case: Case) -> str | None:
    """What accepted rows have become beyond the one row that each mutation alters; None: nothing."""
    from tests.support.rows_of_tasks import make_task
    from tunegrid.data.formats import RawRow
    from tunegrid.data.parquet import read_parquet
    from tunegrid.tasks.pairs import pair_of
    from tunegrid.tasks.rows import canonical_row

    kind = case.name.split()[0]
    paths = {"kind": "files", "paths": {"train": "train.jsonl", "test": "train.jsonl"}}
    results = folder / "results" / "rows" / ("preferences/qa/p" if kind == PAIRS else "data/qa")
    if kind == PAIRS:
        whole = [pair_of(RawRow(row, ""), {}) for row in ROWS[kind]]
    else:
        whole = [canonical_row(make_task(kind, paths), RawRow(row, "")) for row in ROWS[kind]]
    mutations = case.name.split(": ", 1)[1].split(" + ")
    # A name of a column that stands in the header alone is that of all rows.
    column = {mutation.split(": ")[0].split(".")[-1] for mutation in mutations} - {"file"}
    for split in ("train", "validation", "test"):
        rows = read_parquet(results / f"{split}.parquet")
        others = [row for row in rows if row not in whole]
        fewest = 1 if "file: cut" in mutations else len(whole) - len(mutations)
        if len(others) > len(mutations) or not fewest <= len(rows) <= len(whole) + len(mutations):
            return (
                f"{split}: {len(others)} of {len(rows)} rows are others: {others[:3]} (mutated: {column or 'the file'})"
            )
    return None


def _written(rows: list[dict[str, Any]], suffix: str) -> bytes:
    if suffix == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if suffix == "json":
        return json.dumps(rows).encode()
    if suffix == "parquet":
        import pyarrow
        import pyarrow.parquet

        file = io.BytesIO()
        names = dict.fromkeys(name for row in rows for name in row)  # the first row alone would decide the columns
        table = pyarrow.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
        pyarrow.parquet.write_table(table, file)
        return file.getvalue()
    text = io.StringIO()
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    writer = csv.DictWriter(text, names, delimiter="\t" if suffix == "tsv" else ",", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue().encode()


def _flat(row: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Columns of nested values by their dotted names; lists as JSON."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, list | dict) else value
    return flat


def _damaged(data: bytes, random: Random) -> tuple[bytes, str]:
    lines, number = data.split(b"\n"), random.randrange(max(data.count(b"\n"), 1))
    name = random.choice(
        [
            "empty",
            "cut",
            "a byte",
            "a line lost",
            "a line doubled",
            "a byte order mark",
            "CRLF",
            "CR",
            "UTF-16",
            "two files",
        ]
    )
    match name:
        case "empty":
            data = b""
        case "cut":
            data = data[: random.randrange(len(data))]
        case "a byte":
            place = random.randrange(len(data))
            byte = random.choice([0x00, 0x22, 0x2C, 0x0A, 0x80, 0xFF])
            data, name = data[:place] + bytes([byte]) + data[place + 1 :], f"byte {byte:#04x}"
        case "a line lost":
            data = b"\n".join(lines[:number] + lines[number + 1 :])
        case "a line doubled":
            data = b"\n".join([*lines[:number], lines[number], *lines[number:]])
        case "a byte order mark":
            data = b"\xef\xbb\xbf" + data
        case "CRLF":
            data = data.replace(b"\n", b"\r\n")
        case "CR":
            data = data.replace(b"\n", b"\r")
        case "UTF-16":
            data = data.decode("utf-8", "replace").encode("utf-16")
        case "two files":
            data += data
    return data, f"file: {name}"
