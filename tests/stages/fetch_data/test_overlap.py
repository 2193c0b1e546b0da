"""Overlap of test rows and training rows, counted beside the rows."""

import pyarrow
import pyarrow.parquet

from tests.support.rows_in_files import SPLITS, fetch, files_task, review, write


def test_overlap_of_test_and_training_rows_is_counted_beside_the_rows() -> None:
    words = " ".join(f"word{number}" for number in range(14))
    write([{"text": f"{words}.", "label": 1}, review(0), review(1)], "train.jsonl")
    write([{"text": f"So: {words}!", "label": 0}, review(1)], "test.jsonl")
    write([review(2)], "validation.jsonl")
    fetch(files_task("sentiment", SPLITS))
    counts = pyarrow.parquet.read_table("out/overlap.parquet").to_pylist()
    assert counts == [{"ngrams": 3, "seen": 2, "same": False}, {"ngrams": 0, "seen": 0, "same": True}]
