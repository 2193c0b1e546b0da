"""Reads a folder of tables of scores: CSV and TSV files, as text, with an optional list of what is claimed about them.

The format is in docs/audit.md. Every mistake in a file ends with one message that names file, line and column.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import did_you_mean
from tunegrid.data.formats import read_rows as read_rows_of_file
from tunegrid.results.audit.printed import Printed, parse
from tunegrid.results.audit.table import METRICS, Known, ScoreRow, ScoreTable

COUNTS = ("examples", "positives")
PERCENT = "_percent"
SUFFIXES = (".csv", ".tsv")
LIST, KNOWN = "tables.csv", "known.csv"
LIST_COLUMNS = ("table", "title", "data", "test_size", "positives", "train_size", "known")
KNOWN_COLUMNS = ("known", "model", "state", "conditions", "source", "mark")
STATES = ("untuned", "tuned")


@dataclass(frozen=True)
class Folder:
    tables: tuple[ScoreTable, ...]
    left_out: tuple[str, ...] = ()  # CSV files that tables.csv does not list


def read_folder(folder: Path) -> Folder:
    """Reads the tables of a folder. Raises TuneGridError if there are none, or if a file cannot be read."""
    if not folder.is_dir():
        raise TuneGridError(f"{folder}: no such folder. Name a folder of CSV files, one for each table.")
    files = _tables_in(folder)
    known = _read_known(folder / KNOWN)
    listed = _read_list(folder / LIST, files, known) if (folder / LIST).exists() else {name: {} for name in files}
    if not listed:
        raise TuneGridError(f"{folder}: holds no tables. Put one CSV file per table into it.")
    tables = []
    for name, claims in listed.items():
        rows, aside = read_rows(files[name])
        numbers = {key: int(claims[key]) for key in ("test_size", "positives", "train_size") if claims.get(key)}
        compared = tuple(known.get(claims.get("known", ""), ()))
        title, data = claims.get("title") or name, claims.get("data", "")
        tables.append(ScoreTable(title, tuple(rows), data, known=compared, aside=tuple(aside), **numbers))
    return Folder(tuple(tables), tuple(path.name for name, path in files.items() if name not in listed))


def _tables_in(folder: Path) -> dict[str, Path]:
    """The tables of a folder by name: its CSV and TSV files, in the order of their names."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name in (LIST, KNOWN):
            continue
        if path.stem in files:
            raise TuneGridError(f"{path}: {files[path.stem].name} has the same name. Rename or remove one of the two.")
        files[path.stem] = path
    return files


def read_rows(path: Path) -> tuple[list[ScoreRow], list[str]]:
    """(the rows of a table, its columns of numbers that are not scores)"""
    head, lines = _read_csv(path)
    scores, counts, others = {}, [], []
    for column in head:
        metric = column.removesuffix(PERCENT)
        if metric in METRICS:
            if metric in scores.values():
                raise TuneGridError(f"{path}: two columns hold {metric}: leave one, with {PERCENT} for percentages.")
            scores[column] = metric
        elif column in COUNTS:
            counts.append(column)
        else:
            _no_slip(path, column, [*METRICS, *(f"{name}{PERCENT}" for name in METRICS), *COUNTS])
            others.append(column)
    if not scores:
        valid = ", ".join(METRICS)
        raise TuneGridError(
            f"{path}: no column is a score. Columns of scores: {valid}; each with {PERCENT} for percentages. To leave "
            f"the file out, list the tables in {path.parent / LIST}."
        )
    aside = [column for column in others if column != "seed" and _all_numbers(line[column] for _, line in lines)]
    rows = []
    for place, line in lines:
        labels = [
            f"seed {line[column]}" if column == "seed" else line[column]
            for column in others
            if column not in aside and line[column]
        ]
        name = " + ".join(labels) or place.removeprefix(f"{path}, ")
        whole = {column: _whole(place, column, line[column]) for column in counts if line[column]}
        rows.append(ScoreRow(name, _scores(place, line, scores), line.get("model", ""), **whole))
    return rows, aside


def _read_list(path: Path, files: Mapping[str, Path], known: Mapping[str, object]) -> dict[str, dict[str, str]]:
    head, lines = _read_csv(path)
    _only(path, head, LIST_COLUMNS, "table")
    listed: dict[str, dict[str, str]] = {}
    for place, line in lines:
        name = Path(line["table"]).stem if Path(line["table"]).suffix.lower() in SUFFIXES else line["table"]
        if name not in files:
            raise TuneGridError(f"{place}, column table: there is no {name}.csv. {did_you_mean(name, files)}")
        if name in listed:
            raise TuneGridError(f"{place}, column table: {name} is listed twice.")
        for column in ("test_size", "positives", "train_size"):
            if line.get(column):
                _whole(place, column, line[column])
        if line.get("positives") and int(line["positives"]) > int(line.get("test_size") or 0):
            raise TuneGridError(
                f"{place}, column positives: {line['positives']} is more than test_size says there are."
            )
        if line.get("known") and line["known"] not in known:
            hint = did_you_mean(line["known"], known)
            raise TuneGridError(f"{place}, column known: {path.parent / KNOWN} has no {line['known']}. {hint}")
        listed[name] = line
    return listed


def _read_known(path: Path) -> dict[str, list[Known]]:
    """Published scores by group, without those from memory (mark M): only mark V was read in the source it names."""
    if not path.exists():
        return {}
    head, lines = _read_csv(path)
    scores = {column: column.removesuffix(PERCENT) for column in head if column.removesuffix(PERCENT) in METRICS}
    _only(path, [column for column in head if column not in scores], KNOWN_COLUMNS, *KNOWN_COLUMNS)
    groups: dict[str, list[Known]] = {}
    for place, line in lines:
        if line["state"] not in STATES:
            raise TuneGridError(f"{place}, column state: {line['state']!r} is not one of {', '.join(STATES)}.")
        if line["mark"] not in ("V", "M"):
            raise TuneGridError(f"{place}, column mark: V (read in the source) or M (from memory, not used).")
        group, values = groups.setdefault(line["known"], []), _scores(place, line, scores)
        if line["mark"] == "V":
            group.append(Known(line["model"], line["state"] == "tuned", values, line["conditions"], line["source"]))
    return groups


def _scores(place: str, line: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, Printed]:
    """The scores of a row by metric, without those that are missing; `columns`: the metric of each column of scores."""
    scores = {}
    for column, metric in columns.items():
        try:
            scores[metric] = parse(line[column], column.endswith(PERCENT))
        except ValueError as error:
            raise TuneGridError(f"{place}, column {column}: {error}.") from error
    return {metric: score for metric, score in scores.items() if score is not None}


def _read_csv(path: Path) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    """(the names of the columns, each row with its place: the file and the number of its line)"""
    lines = []
    for row in read_rows_of_file(path):
        cells = {name.strip(): cell.strip() for name, cell in row.values.items()}
        if not all(cells):
            raise TuneGridError(
                f"{path}, line 1: every column needs a name; this is a CSV file with a first line of names."
            )
        if len(cells) < len(row.values):
            raise TuneGridError(f"{path}, line 1: two columns have the same name but for spaces around it.")
        if any(cells.values()):
            lines.append((row.where, cells))
    if not lines:
        raise TuneGridError(f"{path}: has no rows; a table has a first line with the names of its columns.")
    return list(lines[0][1]), lines


def _only(path: Path, head: Sequence[str], valid: Sequence[str], *needed: str) -> None:
    for column in head:
        if column not in valid:
            raise TuneGridError(f"{path}, line 1: unknown column {column}. {did_you_mean(column, valid)}")
    if missing := [column for column in needed if column not in head]:
        raise TuneGridError(f"{path}, line 1: the column {missing[0]} is missing.")


def _no_slip(path: Path, column: str, valid: Sequence[str]) -> None:
    """Raises TuneGridError for a misspelt score, which must not become part of the row's name."""
    if close := difflib.get_close_matches(column.lower(), valid, n=1, cutoff=0.84):
        raise TuneGridError(f"{path}, line 1: unknown column {column}. Did you mean {close[0]}?")


def _all_numbers(texts: Iterable[str]) -> bool:
    try:
        return all(parse(text, True) is not None for text in texts)
    except ValueError:
        return False


def _whole(place: str, column: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text)):
        raise TuneGridError(f"{place}, column {column}: {text!r} is not a whole number above 0.")
    return int(text)
