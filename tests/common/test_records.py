"""Cards of a results folder: what tables and plans compute with has the type that they need, or the card is refused."""

import json

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.common.records import DataCard, TokenStats, check_place, read_card

SPLIT = {"rows": 9, "sources_cut": 4, "windows_abstaining": 0, "source_length": {"0.5": 3.0, "0.9": 4}}
ODD = [" ", "4", -1, 1.5, None, True, [4], {"a": 4}]


def stats(**changes) -> dict:
    return {"splits": {"train": SPLIT | changes}}


WRONG = [
    *((TokenStats, stats(**{name: value})) for name in ("rows", "sources_cut", "windows_abstaining") for value in ODD),
    *((TokenStats, stats(source_length={"0.5": value})) for value in ODD if value != 1.5),
    (TokenStats, {"splits": {"train": {"rows": 9}}}),
    (TokenStats, {"splits": {"train": 9}}),
    *((DataCard, {"fingerprint": "x", "test_rows_seen_in_training": value}) for value in ODD if value is not None),
    *((DataCard, {"fingerprint": "x", "unusable_rows": {"train": {"text": {"rows": value}}}}) for value in ODD),
    (DataCard, {"fingerprint": "x", "unusable_rows": {"train": {"text": {}}}}),
]


@pytest.mark.parametrize(("cls", "content"), WRONG, ids=lambda value: str(value)[:60])
def test_a_count_that_is_none_is_a_message(tmp_path, cls, content):
    file = tmp_path / "card.json"
    file.write_text(json.dumps(content))
    with pytest.raises(TuneGridError, match=f"^{file}: not a valid {cls.__name__} .*Delete it and run its job again"):
        read_card(file, cls)


def test_further_keys_and_counts_of_earlier_versions_are_read(tmp_path):
    (tmp_path / "stats.json").write_text(json.dumps(stats(more="x")))
    assert read_card(tmp_path / "stats.json", TokenStats) == stats(more="x")


def test_a_record_is_that_of_its_place(tmp_path):
    says = {"task": "qa", "model": None, "seed": 1}
    check_place(tmp_path, says, {"task": "qa", "model": None})
    with pytest.raises(TuneGridError, match="is the record of task qa and no model, which belongs elsewhere"):
        check_place(tmp_path, says, {"task": "topics", "model": "t5", "seed": 1})
