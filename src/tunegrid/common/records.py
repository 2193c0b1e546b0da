"""Reading the JSON files of a results folder: one reader, one message for whatever they are not."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Count, NonEmpty, Quantity, explain
from tunegrid.common.files import kind_of, read_object
from tunegrid.common.words import listed

Record = TypeVar("Record", bound=BaseModel)


class _Open(BaseModel):
    """A JSON object of which some keys are known. None of them is coerced to another type."""

    model_config = ConfigDict(extra="allow", strict=True)


class UnusableRows(_Open):
    """The rows of a split that were left out for one reason."""

    rows: Count


class _Card(_Open):
    """What was fetched, and from where."""

    fingerprint: NonEmpty
    source: str = ""
    commit: str | None = None
    revision: str | None = None


class ModelCard(_Card):
    """`models/<model>/card.json`."""


class DataCard(_Card):
    """`data/<task>/card.json`."""

    rows: dict[str, Count] = {}
    rows_available: dict[str, Count | None] | None = None
    unusable_rows: dict[str, dict[str, UnusableRows]] = {}
    test_rows_seen_in_training: Count | None = None
    test_contexts_seen_in_training: Count | None = None
    protocol: str | None = None


class SplitStats(_Open):
    """The account of one split in `stats.json`; what earlier versions did not count has a default."""

    rows: Count
    sources_cut: Count
    targets_cut: Count = 0
    answers_lost: Count = 0
    unknown_tokens: Count = 0
    rows_with_windows: Count = 0
    windows: Count = 0
    windows_without_answer: Count = 0
    windows_abstaining: Count = 0
    special_tokens_as_text: Count = 0
    source_length: dict[str, Quantity] = {}
    target_length: dict[str, Quantity] = {}


class TokenStats(_Open):
    """`tokens/<task>/<model>/stats.json`."""

    splits: dict[str, SplitStats] = {}


def read_valid(path: Path, cls: type[Record]) -> Record:
    """Reads a JSON object and validates it. Raises TuneGridError, naming file and field, for anything else."""
    if kind_of(path) == "file":
        with suppress(OSError, ValidationError, RecursionError):
            return cls.model_validate_json(path.read_bytes())  # parsed once: a large study has thousands of records
    return _validate(path, read_object(path), cls)


def read_card(path: Path, cls: type[_Open]) -> dict[str, Any]:
    """The content of a card with all its keys. Raises TuneGridError, naming file and field, for anything else."""
    content = read_object(path)
    _validate(path, content, cls)
    return content


def check_place(path: Path, says: Mapping[str, Any], place: Mapping[str, Any]) -> None:
    """Checks what a record says of itself against where it lies.

    Args:
        says: fields of the record.
        place: those of them that follow from its folder: task, model, method, seed, ….

    Raises:
        TuneGridError: it is the record of another place.
    """
    wrong = [name for name, value in place.items() if says.get(name, value) != value]
    if wrong:
        others = listed(f"no {name}" if says[name] is None else f"{name} {says[name]}" for name in wrong)
        raise TuneGridError(f"{path}: is the record of {others}, which belongs elsewhere. Run its job again.")


def _validate(path: Path, content: dict[str, Any], cls: type[Record]) -> Record:
    try:
        # Through JSON again: strict validation of JSON, not of Python objects, is what the schema describes.
        return cls.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise TuneGridError(
            f"{path}: not a valid {cls.__name__} ({explain(error)}). Delete it and run its job again."
        ) from error
    except RecursionError as error:
        raise TuneGridError(f"{path}: not valid JSON (nested too deeply). Delete it and run its job again.") from error


def read_rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV table that `tunegrid tables` wrote, with at least these columns.

    Raises TuneGridError, naming the file, for anything else.
    """
    if (kind := kind_of(path)) != "file":
        raise TuneGridError(f"{path}: {f'is a {kind}, not a CSV file' if kind else 'no such file'}.")
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            rows, names = list(reader), reader.fieldnames or []
        problem = next((f"no column {name}" for name in columns if name not in names), None)
        problem = problem or next(("a row that is cut off" for row in rows if None in (*row, *row.values())), None)
    except (OSError, ValueError, csv.Error) as error:
        problem = str(error)
    if problem:
        raise TuneGridError(f"{path}: not a table of `tunegrid tables` ({problem}). Run that command again.")
    return rows
