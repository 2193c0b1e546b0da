"""Unusable rows: an error by default; skipped, counted and named on request."""

from pathlib import Path

import pytest

from tests.support.rows_in_files import fetch, files_task, pair, write
from tunegrid.common.errors import TuneGridError
from tunegrid.stages.fetch_data import fetch_data


def test_unusable_rows_are_skipped_counted_by_column_and_named():
    rows = [pair(number) for number in range(12)]
    for number in (1, 4, 5, 8, 9):
        rows[number] = pair(number, de="" if number % 2 else None)
    rows[10] = pair(10, en="  ")
    rows[11] = {"other": 1}
    write(rows, "train.jsonl")
    write([pair(0), pair(1, en="")], "test.jsonl")
    task = files_task("translation", unusable_rows="skip", validation_share=0.2)
    made, card = fetch(task)
    assert card["rows"] == {"train": 4, "validation": 1, "test": 1}
    counts = {
        split: {column: skipped["rows"] for column, skipped in columns.items()}
        for split, columns in card["unusable_rows"].items()
    }
    assert counts == {"train": {"target": 5, "source": 2}, "test": {"source": 1}}
    examples = card["unusable_rows"]["train"]["target"]["examples"]
    assert [example.split(":")[0] for example in examples] == [f"train.jsonl, line {number}" for number in (2, 5, 6)]
    assert examples[0].endswith("column translation.de (for target): expected text, found ''")
    # The id is that of the row in its source, skipped rows counted.
    ids = sorted(row["id"] for split in ("train", "validation") for row in made[split])
    assert ids == [f"train-{number + 1:06}" for number in (0, 2, 3, 6, 7)]


def test_by_default_an_unusable_row_ends_the_stage_and_the_message_names_the_way_out():
    write([pair(0), pair(1, de="")])
    with pytest.raises(
        TuneGridError, match=r"train\.jsonl, line 2: column translation\.de \(for target\): .*`unusable_rows: skip`"
    ):
        fetch_data("t", files_task("translation"), Path("out"))


@pytest.mark.parametrize("bad", ["train", "test"])
def test_a_split_of_which_every_row_is_skipped_is_an_error(bad):
    write([pair(0), pair(1), pair(2)])
    write([pair(0, de=""), pair(1, de="")], f"{bad}.jsonl")
    says = rf"tasks\.t: the {bad} split has no usable row .*all 2 were skipped.*{bad}\.jsonl, line 1: column translation.de"
    with pytest.raises(TuneGridError, match=says):
        fetch_data("t", files_task("translation", unusable_rows="skip"), Path("out"))
    assert not Path("out").exists()


def test_a_file_that_cannot_be_read_is_never_skipped():
    write([pair(0), pair(1)])
    Path("test.jsonl").write_text('{"translation": {"en": "a", "de": "b"}}\n{\n')
    with pytest.raises(TuneGridError, match=r"test\.jsonl, line 2: not valid JSON"):
        fetch_data("t", files_task("translation", unusable_rows="skip"), Path("out"))
