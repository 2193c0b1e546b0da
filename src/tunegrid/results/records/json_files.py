"""Records are read from JSON files, and written to them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import explain
from tunegrid.common.files import write_text
from tunegrid.common.records import Record, check_place, read_valid
from tunegrid.results.records.evaluation import MetricsRecord, WordingsRecord
from tunegrid.results.records.forgetting import ForgettingRecord
from tunegrid.results.records.preferences import JudgementRecord, RewardRecord
from tunegrid.results.records.probes import ProbeRecord
from tunegrid.results.records.search import ChoiceRecord, TrialRecord
from tunegrid.results.records.training import TrainRecord
from tunegrid.tasks.ceiling import CeilingRecord


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
    kinds = {"train": TrainRecord, "metrics": MetricsRecord, "choice": ChoiceRecord, "wordings": WordingsRecord}
    kinds |= {
        "reward": RewardRecord,
        "judgement": JudgementRecord,
        "probe": ProbeRecord,
        "forgetting": ForgettingRecord,
    }
    return read_valid(path, kinds.get(path.stem, TrialRecord)).model_dump(mode="json")


def written_since(started: str, path: Path, cls: type[Record]) -> Record | None:
    """The record at a path if it was finished at `started` (ISO 8601, UTC) or later; else, or without one, None."""
    try:
        record = read_record(path, cls)
    except TuneGridError:
        return None
    return record if record.provenance.finished >= started else None


def write_record(path: Path, record: BaseModel | Mapping[str, Any], cls: type[BaseModel] | None = None) -> None:
    """Writes a record as JSON, whole or not at all; a mapping is validated as `cls` first.

    Raises TuneGridError if the record does not follow its schema (also one made by `model_copy`, which validates
    nothing). The folder of `path` is made where it is missing.
    """
    cls = type(record) if isinstance(record, BaseModel) else cls
    if cls is None:
        raise TypeError("write_record needs the class of a record given as a mapping")
    try:
        content = record.model_dump(mode="python", warnings=False) if isinstance(record, BaseModel) else dict(record)
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        cls.model_validate_json(text)
    except ValidationError as error:
        raise TuneGridError(f"{path}: not written, for it is no valid {cls.__name__} ({explain(error)}).") from error
    except (TypeError, ValueError) as error:
        raise TuneGridError(f"{path}: not written, for it cannot be JSON ({error}).") from error
    write_text(path, text + "\n")


def json_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each record, by the name of its file or of its kind."""
    records = {
        "train.json": TrainRecord,
        "metrics.json": MetricsRecord,
        "reward.json": RewardRecord,
        "judgement.json": JudgementRecord,
        "trial.json": TrialRecord,
        "choice.json": ChoiceRecord,
        "ceiling.json": CeilingRecord,
        "wordings.json": WordingsRecord,
        "probe.json": ProbeRecord,
        "forgetting.json": ForgettingRecord,
    }
    return {name: record.model_json_schema() for name, record in records.items()}
