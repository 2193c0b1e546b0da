"""Overlap of test rows and training rows, counted beside the rows."""

import pyarrow
import pyarrow.parquet

from tests.support.rows_in_files import SPLITS, fetch, files_task, review, write
from tests.support.rows_of_tasks import make_task


def test_overlap_of_test_and_training_rows_is_counted_beside_the_rows() -> None:
    words = " ".join(f"word{number}" for number in range(14))
    write([{"text": f"{words}.", "label": 1}, review(0), review(1)], "train.jsonl")
    write([{"text": f"So: {words}!", "label": 0}, review(1)], "test.jsonl")
    write([review(2)], "validation.jsonl")
    fetch(files_task("sentiment", SPLITS))
    counts = pyarrow.parquet.read_table("out/overlap.parquet").to_pylist()
    assert counts == [{"ngrams": 3, "seen": 2, "same": False}, {"ngrams": 0, "seen": 0, "same": True}]


def test_several_references_of_a_row_are_all_counted() -> None:
    words = " ".join(f"word{number}" for number in range(13))
    write([{"source": "a", "target": ["b", words]}, {"source": "b", "target": "c"}], "train.jsonl")
    write([{"source": f"so {words}", "target": "c"}, {"source": ["b"], "target": [words, "d"]}], "test.jsonl")
    write([{"source": "c", "target": "e"}], "validation.jsonl")
    fetch(files_task("generation", SPLITS))
    counts = pyarrow.parquet.read_table("out/overlap.parquet").to_pylist()
    assert counts == [{"ngrams": 2, "seen": 1, "same": False}, {"ngrams": 1, "seen": 1, "same": True}]


def test_every_text_of_a_row_can_be_pretrained_on() -> None:
    row = {"id": "1", "source": "a", "target": ["b", "c"]}
    assert list(make_task("generation").texts(row)) == ["a", "b", "c"]
