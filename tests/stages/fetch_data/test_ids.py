"""Ids of rows: a repeated one is named, wherever it is."""

from pathlib import Path

import pytest

from tests.support.rows_in_files import fetch, files_task, review, write
from tunegrid.common.errors import TuneGridError
from tunegrid.data import parquet
from tunegrid.stages import fetch_data as stage
from tunegrid.stages.fetch_data import fetch_data


def test_a_repeated_id_is_found_over_row_groups_and_among_rows_that_no_split_takes(monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP", 3)
    rows = [{"id": f"r{number}"} | review(number) for number in range(40)]
    rows[33]["id"] = "r2"
    write(rows, "train.jsonl")
    write(rows[:2], "test.jsonl")
    with pytest.raises(TuneGridError, match=r"train\.jsonl, line 34: the id 'r2' stands there a second time"):
        fetch_data("t", files_task("sentiment", rows={"train": 1}), Path("out"))


def test_ids_whose_hashes_agree_are_told_apart(monkeypatch):
    monkeypatch.setattr(stage, "hash", lambda text: len(text), raising=False)
    rows = [{"id": f"r{number}"} | review(number) for number in range(10)]
    write(rows)
    assert len(fetch(files_task("sentiment"))[0]["test"]) == 10
    rows[9]["id"] = "r4"
    write(rows)
    with pytest.raises(TuneGridError, match=r"train\.jsonl, line 10: the id 'r4' stands"):
        fetch_data("t", files_task("sentiment"), Path("out"))


def test_a_given_id_must_not_be_one_that_another_row_gets():
    write([{"id": "test-000002"} | review(0), review(1)], "test.jsonl")
    write([review(0), review(1)], "train.jsonl")
    with pytest.raises(TuneGridError, match=r"test\.jsonl, line 2: the id 'test-000002' stands there a second time"):
        fetch_data("t", files_task("sentiment"), Path("out"))
