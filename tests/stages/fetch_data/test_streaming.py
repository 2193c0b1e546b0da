"""Rows are streamed: bounded memory, the same files whatever the batches, and a source that changes meanwhile."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.support.rows_in_files import (
    articles,
    files_task,
    review,
    write,
)
from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats import parquet_rows
from tunegrid.data.sources import files
from tunegrid.stages.fetch_data import fetch_data


def test_the_files_do_not_depend_on_how_many_rows_are_read_at_once(monkeypatch):
    for split in ("train", "test"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(articles(9, 60)), f"{split}.parquet", row_group_size=11)
    task = files_task("qa", suffix="parquet", rows={"train": 30})
    fetch_data("t", task, Path("one"))
    monkeypatch.setattr(parquet_rows, "BATCH", 7)
    fetch_data("t", task, Path("two"))
    for name in ("train.parquet", "validation.parquet", "test.parquet", "card.json"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


MEASURE = """
import resource, sys
from pathlib import Path
from pydantic import TypeAdapter
from tunegrid.stages.fetch_data import fetch_data
from tunegrid.tasks import TASKS, Task

def fetch(train, out):
    source = {"kind": "files", "paths": {"train": train, "test": "small.jsonl"}, "rows": {"train": 150_000}}
    values = {"kind": "translation", "source": source, "max_source_length": 64, "max_target_length": 8}
    values |= {"generation": {"max_new_tokens": 4}}
    task = TASKS["translation"](TypeAdapter(TASKS["translation"].Settings).validate_python(values))
    fetch_data("t", task, Path(out))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

print(fetch("some.jsonl", "some"), fetch("many.jsonl", "many"))
"""


@pytest.mark.slow
def test_many_rows_need_hardly_more_memory_than_some():
    def pairs(count: int):
        generator = random.Random(0)
        pool = "".join(generator.choices("abcdefgh ", k=100_000))
        for _ in range(count):
            start = generator.randrange(99_000)
            english = "." + pool[start : start + 150]
            yield {"translation": {"en": english, "de": english[::-1].strip()}}

    # As lists of dictionaries 200,000 pairs of 300 letters are over 100 MiB, and once more as a table.
    write(pairs(200_000), "many.jsonl")
    write(pairs(30_000), "some.jsonl")
    write(pairs(100), "small.jsonl")
    done = subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True, text=True, timeout=300)
    some, many = map(int, done.stdout.split())
    assert many - some < 50, f"peaks of {some} and {many} MiB"
    rows = pyarrow.parquet.ParquetFile("many/train.parquet").metadata.num_rows
    assert rows == 150_000


def test_a_source_that_changes_between_its_two_readings_is_refused(monkeypatch):
    write([review(number) for number in range(10)])
    task = files_task("sentiment")
    read, calls = files.FilesSource.read, Counter()

    def changing(self, split, kind):
        calls[split] += 1
        rows = read(self, split, kind)
        return rows if split != "train" or calls[split] == 1 else list(rows)[:-1]

    monkeypatch.setattr(files.FilesSource, "read", changing)
    with pytest.raises(TuneGridError, match=r"tasks\.t: the train split changed while it was read .*Run again"):
        fetch_data("t", task, Path("out"))
    assert not Path("out").exists()
