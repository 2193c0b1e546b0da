"""Records of results: what is written can be read, and is refused where it does not follow its schema."""

import json
from pathlib import Path

import pytest

from tests.support.records_on_disk import train_record
from tunegrid.common.errors import TuneGridError
from tunegrid.results.records import MetricsRecord, TrainRecord, json_schemas, read_record, write_record

RUN = Path("runs/qa/mini-t5/lora/seed-1")


def test_records_are_checked_when_written(tmp_path: Path) -> None:
    record = TrainRecord.model_validate_json(json.dumps(train_record("qa", "mini-t5", "lora", 1)))
    write_record(tmp_path / "a" / "train.json", record)
    assert read_record(tmp_path / "a" / "train.json", TrainRecord) == record
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["train.json"]
    broken = record.model_copy(update={"status": "failed"})
    with pytest.raises(TuneGridError, match="not written"):
        write_record(tmp_path / "b.json", broken)
    with pytest.raises(TuneGridError, match="not written"):
        write_record(tmp_path / "b.json", record.model_copy(update={"configuration": {"rate": float("nan")}}))
    assert not (tmp_path / "b.json").exists()


def test_the_json_schema_agrees_with_the_records(made_up: Path) -> None:
    from jsonschema import Draft202012Validator, ValidationError

    schemas = json_schemas()
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    for name in ("train.json", "metrics.json"):
        Draft202012Validator(schemas[name]).validate(json.loads((made_up / RUN / name).read_text()))
    with pytest.raises(ValidationError):
        Draft202012Validator(schemas["metrics.json"]).validate({"schema_version": 1})
    assert read_record(made_up / RUN / "metrics.json", MetricsRecord).primary == "exact_match"
