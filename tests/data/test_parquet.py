"""Rows in Parquet files: row groups, and how much is in memory at once."""

import random
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.data import parquet
from tunegrid.data.formats import parquet_rows
from tunegrid.data.parquet import SplitWriter, count_rows, iterate_parquet, read_parquet
from tunegrid.data.sources import files
from tunegrid.data.tokens import read_tokens


def write(rows: list[dict], path: Path) -> None:
    with SplitWriter(path) as writer:
        for row in rows:
            writer.add(row)


def test_row_groups_hold_the_same_rows_in_the_same_order(tmp_path, monkeypatch):
    rows = [{"id": f"r{number}", "text": f"review {number}", "label": "positive"} for number in range(25)]
    write(rows, tmp_path / "whole.parquet")
    monkeypatch.setattr(parquet, "ROW_GROUP", 10)
    write(rows, tmp_path / "parts.parquet")
    assert read_parquet(tmp_path / "parts.parquet") == read_parquet(tmp_path / "whole.parquet") == rows
    assert pyarrow.parquet.ParquetFile(tmp_path / "parts.parquet").num_row_groups == 3
    assert [row for batch in iterate_parquet(tmp_path / "parts.parquet", 4) for row in batch] == rows


def test_no_more_of_a_parquet_file_is_in_memory_than_is_being_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parquet_rows, "BATCH", 500)
    generator = random.Random(0)
    texts = ["".join(generator.choices("abcdefgh", k=500)) for _ in range(20_000)]
    table = pyarrow.table({"text": texts, "label": [0] * len(texts)})
    pyarrow.parquet.write_table(table, "train.parquet", row_group_size=500)
    del table, texts
    source = files.FilesSource(kind="files", paths={"train": "train.parquet"})
    before = pyarrow.total_allocated_bytes()
    for rows in (iterate_parquet(Path("train.parquet"), 500), source.read("train", "sentiment")):
        growth = max(pyarrow.total_allocated_bytes() - before for _ in rows)
        assert growth < 4e6, "10 MB of text"


@pytest.mark.parametrize("content", [b"", b"null", b"PAR1 cut off"])
def test_a_damaged_file_ends_with_a_message_that_names_it(tmp_path, content):
    file = tmp_path / "train.parquet"
    file.write_bytes(content)
    for read in (read_parquet, lambda path: list(iterate_parquet(path, 2)), read_tokens):
        with pytest.raises(TuneGridError, match=r"train\.parquet: damaged or cut off .* run its job again"):
            read(file)


@pytest.mark.parametrize(
    "read", [read_parquet, count_rows, lambda path: list(iterate_parquet(path, 10))], ids=["all", "count", "batches"]
)
def test_a_file_that_no_job_has_written_yet_is_named(tmp_path, read):
    with pytest.raises(TuneGridError, match=r"train\.parquet: no such file\. Run the job that writes it first"):
        read(tmp_path / "train.parquet")
