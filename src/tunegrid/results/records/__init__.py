"""JSON records of results, validated when they are written and when they are read.

A table can therefore never be made from a file that only looks like a result. `json_schemas()` gives the same schemas
to other programs as JSON Schema.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import explain
from tunegrid.common.files import write_text
from tunegrid.common.records import Record, check_place, read_valid
from tunegrid.results.records.asked import ForgettingRecord, ProbeRecord, WordingsRecord
from tunegrid.results.records.evaluation import MetricsRecord
from tunegrid.results.records.preferences import JudgementRecord, RewardRecord
from tunegrid.results.records.search import ChoiceRecord, TrialRecord
from tunegrid.results.records.training import TrainRecord
from tunegrid.tasks.ceiling import CeilingRecord

# By the name of its file; the file of a trial has the name of its factor.
RECORDS: dict[str, type[BaseModel]] = {
    "train": TrainRecord,
    "metrics": MetricsRecord,
    "reward": RewardRecord,
    "judgement": JudgementRecord,
    "trial": TrialRecord,
    "choice": ChoiceRecord,
    "ceiling": CeilingRecord,
    "wordings": WordingsRecord,
    "probe": ProbeRecord,
    "forgetting": ForgettingRecord,
}


def read_record(path: Path, cls: type[Record], **place: Any) -> Record:
    """Reads and validates a record.

    Args:
        place: fields that follow from where the record lies: task, model, method, seed, ….

    Raises:
        TuneGridError: naming the file and the field: it is no such record, or that of another place.
    """
    record = read_valid(path, cls)
    check_place(path, {name: getattr(record, name) for name in place}, place)
    return record


def read_any_record(path: Path) -> dict[str, Any]:
    """The content of a record, whose kind follows from its name. Raises TuneGridError as `read_record` does."""
    return read_valid(path, RECORDS.get(path.stem, TrialRecord)).model_dump(mode="json")


def written_since(started: str, path: Path, cls: type[Record]) -> Record | None:
    """The record at a path if it was finished at `started` (ISO 8601, UTC) or later; else, or without one, None."""
    try:
        record = read_record(path, cls)
    except TuneGridError:
        return None
    return record if record.provenance.finished >= started else None


def write_record(path: Path, record: BaseModel) -> None:
    """Writes a record as JSON, whole or not at all. The folder of `path` is made where it is missing.

    Raises TuneGridError if the record does not follow its schema: `model_copy` validates nothing.
    """
    cls = type(record)
    try:
        text = json.dumps(record.model_dump(warnings=False), indent=2, ensure_ascii=False, allow_nan=False)
        cls.model_validate_json(text)
    except ValidationError as error:
        raise TuneGridError(f"{path}: not written, for it is no valid {cls.__name__} ({explain(error)}).") from error
    except (TypeError, ValueError) as error:
        raise TuneGridError(f"{path}: not written, for it cannot be JSON ({error}).") from error
    write_text(path, text + "\n")


def json_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each record, by the name of its file or of its kind."""
    return {f"{name}.json": record.model_json_schema() for name, record in RECORDS.items()}
