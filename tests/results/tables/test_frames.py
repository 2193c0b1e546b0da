"""The CSV files of the tables give back the frames that they were written from."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.support.records_on_disk import train_record
from tests.support.study_on_disk import expected_study, write_json, write_study
from tunegrid.common.errors import TuneGridError
from tunegrid.results.tables import COLUMNS, build_tables, read_tables, write_tables
from tunegrid.results.tables.frames import FLAGS, TEXT, frame_of, read_frame, write_frame
from tunegrid.study.search_settings import Search

EXPECTED = expected_study(search=Search(factors=[1.0, 0.5]))
RESAMPLES = 200


def equal(first: dict[str, pd.DataFrame], second: dict[str, pd.DataFrame]) -> None:
    assert list(first) == list(second) == list(COLUMNS)
    for name in COLUMNS:
        pd.testing.assert_frame_equal(first[name], second[name], check_exact=True, obj=name)


def test_frames_read_from_csv_equal_those_computed(tmp_path: Path) -> None:
    folder = write_study(tmp_path, EXPECTED, examples=40)
    run = folder / "runs/qa/mini-t5/lora/seed-1"
    (run / "metrics.json").unlink()
    failed = json.loads((folder / "runs/qa/mini-bart/full/seed-1/metrics.json").read_text())
    failed |= {"status": "failed", "reason": 'a "quoted", reason', "metrics": {}, "examples": 0}
    write_json(folder / "runs/qa/mini-bart/full/seed-1/metrics.json", failed)
    # Text that looks like a number or like nothing, and settings of every type.
    settings = {"a": None, "b": True, "c": [1, "q"], "d": "cosine", "e": "12", "f": 1e-05, "g": "", "h": 7, "i": "True"}
    record = train_record("qa", "mini-t5", "adapters", 1, configuration={"method": settings})
    record["provenance"] |= {"git_commit": "0123456", "code_version": "1e5", "processor": "NA"}
    write_json(folder / "runs/qa/mini-t5/adapters/seed-1/train.json", record)
    write_json(folder / "runs/qa/mini-t5/lora/seed-9/metrics.json", {})
    built = build_tables(folder, EXPECTED, RESAMPLES)
    write_tables(folder, EXPECTED, tmp_path / "tables", RESAMPLES)
    equal(built, read_tables(tmp_path / "tables"))
    used = built["settings"].query("task == 'qa' and model == 'mini-t5' and method == 'adapters' and seed == 1")
    assert used["value"].tolist() == list(settings.values())
    assert built["unexpected"]["folder"].tolist() == ["runs/qa/mini-t5/lora/seed-9"]
    assert (built["search"]["status"] == "missing").all()


def test_tables_of_no_results_are_the_same_too(tmp_path: Path) -> None:
    (tmp_path / EXPECTED.study).mkdir()
    write_tables(tmp_path / EXPECTED.study, EXPECTED, tmp_path / "tables", RESAMPLES)
    equal(build_tables(tmp_path / EXPECTED.study, EXPECTED, RESAMPLES), read_tables(tmp_path / "tables"))


@pytest.mark.parametrize("value", [None, True, 3, 0.1 + 0.2, "text", "3", "None", "", [1, [2.5, "x"]], "it's", "1e-3"])
def test_a_setting_keeps_its_type(value: object, tmp_path: Path) -> None:
    columns = COLUMNS["settings"]
    write_frame(frame_of("settings", columns, [{"value": value}]), "settings", tmp_path / "settings.csv")
    (found,) = read_frame("settings", columns, tmp_path / "settings.csv")["value"]
    assert (found, type(found)) == (value, type(value))


def test_every_declared_column_exists() -> None:
    known = {name for columns in COLUMNS.values() for name in columns.split()}
    assert known >= TEXT | FLAGS
    assert not TEXT & FLAGS


@pytest.mark.parametrize("text", ["", "study\nx\n", None])
def test_a_file_that_is_not_the_table_is_named(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "cells.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(TuneGridError, match=r"cells\.csv: not the table cells .*tunegrid tables"):
        read_frame("cells", COLUMNS["cells"], file)
