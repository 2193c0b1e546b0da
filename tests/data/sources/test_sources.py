"""Rows from files, from the Hub's layout and generated, as the data stage writes them, and all that is refused."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.support.rows_of_tasks import make_task
from tunegrid.common.errors import TuneGridError
from tunegrid.data.parquet import read_parquet
from tunegrid.runtime.provenance import file_digest
from tunegrid.stages.fetch_data import fetch_data

SPLITS = ("train", "validation", "test")
# One row of each task as the Hub serves it: SQuAD's nested answers, WMT's dictionary, IMDB's number for a label.
SQUAD = {"id": "56be", "title": "Oxygen", "context": "Oxygen is a gas.", "question": "What is oxygen?",
         "answers": {"text": ["a gas", "gas"], "answer_start": [10, 12]}}  # fmt: skip
WMT = {"translation": {"de": "Der Größte.", "en": "The greatest."}}
IMDB = {"text": "Loved it.<br /><br />Really.", "label": 1}
HUB_ROWS = {"qa": SQUAD, "translation": WMT, "sentiment": IMDB}
CANONICAL = {
    "qa": {"id": "56be", "group": "Oxygen", "question": "What is oxygen?", "context": "Oxygen is a gas.",
           "answers": ["a gas", "gas"], "candidates": []},
    "translation": {"id": "test-000001", "source": "The greatest.", "target": "Der Größte."},
    "sentiment": {"id": "test-000001", "text": "Loved it.  Really.", "label": "positive"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def files(suffix: str, **keys) -> dict:
    return {"kind": "files", "paths": {split: f"{split}.{suffix}" for split in SPLITS}, **keys}


def read_splits(name: str, task) -> dict[str, list[dict]]:
    fetch_data(name, task, Path("fetched"))
    return {split: read_parquet(Path("fetched", f"{split}.parquet")) for split in SPLITS}


def write_jsonl(rows: list, *names: str) -> None:
    for name in names or [f"{split}.jsonl" for split in SPLITS]:
        Path(name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def review(number: int) -> dict:
    return {"text": f"review {number}", "label": number % 2}


# -- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HUB_ROWS)
def test_jsonl_in_the_hub_s_row_format_becomes_canonical_rows(kind):
    write_jsonl([HUB_ROWS[kind]])
    fetch_data("t", make_task(kind, files("jsonl")), Path("out"))
    assert read_parquet(Path("out/test.parquet")) == [CANONICAL[kind]]


@pytest.mark.parametrize("kind", HUB_ROWS)
def test_parquet_in_the_hub_s_row_format_becomes_canonical_rows(kind):
    for split in SPLITS:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([HUB_ROWS[kind]]), f"{split}.parquet")
    fetch_data("t", make_task(kind, files("parquet")), Path("out"))
    assert read_parquet(Path("out/test.parquet")) == [CANONICAL[kind]]


def test_csv_keeps_quoted_line_breaks_commas_and_quotes():
    text = 'label,text\n1,"good, ""very"" good\nindeed"\nnegative,bad\n'
    for split in SPLITS:
        Path(f"{split}.csv").write_text(text, encoding="utf-8")
    splits = read_splits("t", make_task("sentiment", files("csv")))
    assert [(row["text"], row["label"]) for row in splits["test"]] == [
        ('good, "very" good\nindeed', "positive"),
        ("bad", "negative"),
    ]


def test_a_byte_order_mark_and_empty_lines_are_no_part_of_the_rows():
    for split in SPLITS:
        Path(f"{split}.csv").write_text("\ufefftext,label\n\ngood,1\n", encoding="utf-8")
    assert read_splits("t", make_task("sentiment", files("csv")))["test"][0]["text"] == "good"
    for split in SPLITS:
        Path(f"{split}.jsonl").write_text('\ufeff{"text": "good", "label": 1}\n\n', encoding="utf-8")
    assert len(read_splits("t", make_task("sentiment", files("jsonl")))["test"]) == 1


def test_a_mapping_reaches_columns_of_any_name_and_depth():
    row = {"meta": {"nr": 7, "page": "Gas"}, "ask": "q?", "body": "c", "gold": {"all": ["x"]}, "options": ["x", "y"]}
    columns = {"id": "meta.nr", "group": "meta.page", "question": "ask", "context": "body", "answers": "gold.all",
               "candidates": "options"}  # fmt: skip
    write_jsonl([row])
    splits = read_splits("t", make_task("qa", files("jsonl", columns=columns)))
    assert splits["test"] == [
        {"id": "7", "group": "Gas", "question": "q?", "context": "c", "answers": ["x"], "candidates": ["x", "y"]}
    ]


def test_a_single_text_serves_as_the_answer():
    write_jsonl([SQUAD | {"answers": "gas"}])
    splits = read_splits("t", make_task("qa", files("jsonl", columns={"answers": "answers"})))
    assert splits["test"][0]["answers"] == ["gas"]


@pytest.mark.parametrize(
    ("label", "word"), [(0, "bad"), (1, "good"), ("0", "bad"), ("1", "good"), ("good", "good"), ("bad", "bad")]
)
def test_a_label_is_its_word_or_its_index(label, word):
    write_jsonl([{"text": "x", "label": label}])
    task = make_task("sentiment", files("jsonl"), labels=["bad", "good"], positive="good")
    assert read_splits("t", task)["test"][0]["label"] == word


@pytest.mark.parametrize("kind", HUB_ROWS)
def test_a_local_folder_in_the_hub_s_layout_is_read_by_the_datasets_library(kind):
    folder = Path("hub/data")
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        rows = [HUB_ROWS[kind] | ({"id": f"{split}{i}", "title": f"{i}"} if kind == "qa" else {}) for i in range(4)]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet")
    source = {"kind": "hub", "path": "hub", "validation_share": 0.5}
    fetch_data("t", make_task(kind, source), Path("out"))
    rows = {split: read_parquet(Path(f"out/{split}.parquet")) for split in SPLITS}
    own = {"id": "test0", "group": "0"} if kind == "qa" else {}
    assert rows["test"][0] == CANONICAL[kind] | own
    assert [len(rows[split]) for split in SPLITS] == [2, 2, 4]


def test_slices_of_the_datasets_library_serve_as_splits():
    Path("hub").mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([review(i) for i in range(10)]), "hub/train.parquet")
    names = {"train": "train[:60%]", "validation": "train[60%:80%]", "test": "train[80%:]"}
    splits = read_splits("t", make_task("sentiment", {"kind": "hub", "path": "hub", "splits": names}))
    texts = {split: [row["text"] for row in splits[split]] for split in SPLITS}
    assert texts["train"] == [f"review {i}" for i in range(6)]
    assert texts["validation"] == ["review 6", "review 7"]
    assert texts["test"] == ["review 8", "review 9"]


def test_a_data_set_that_cannot_be_had_is_one_message():
    task = make_task("sentiment", {"kind": "hub", "path": "nobody/nothing", "revision": "v1"})
    with pytest.raises(TuneGridError, match=r"data set nobody/nothing \(revision v1\): .*HF_HUB_OFFLINE"):
        fetch_data("t", task, Path("out"))
    assert not Path("out").exists()


def test_the_card_says_what_was_read():
    write_jsonl([review(0), review(1)], "train.jsonl", "validation.jsonl")
    write_jsonl([review(1), {"text": "new", "label": 0}], "test.jsonl")
    fetch_data("t", make_task("sentiment", files("jsonl")), Path("out"))
    card = json.loads(Path("out/card.json").read_text())
    assert card["rows"] == {"train": 2, "validation": 2, "test": 2}
    assert card["test_rows_seen_in_training"] == 1
    assert card["source"] == "files train.jsonl, validation.jsonl, test.jsonl"
    assert card["fingerprint"] == file_digest(*(Path(f"out/{split}.parquet") for split in SPLITS))


def test_the_same_rows_make_the_same_bytes():
    write_jsonl([review(i) for i in range(20)])
    task = make_task("sentiment", files("jsonl", rows={"train": 7}))
    for folder in ("one", "two"):
        fetch_data("t", task, Path(folder))
    for file in (*(f"{split}.parquet" for split in SPLITS), "card.json"):
        assert Path("one", file).read_bytes() == Path("two", file).read_bytes()


@pytest.mark.parametrize("kind", HUB_ROWS)
def test_generated_rows_come_in_the_numbers_asked_for_and_by_seed(kind):
    def texts(seed: int) -> dict:
        source = {"kind": "generated", "seed": seed, "rows": {"train": 30, "validation": 10, "test": 12}}
        return read_splits("t", make_task(kind, source))

    first = texts(1)
    assert {split: len(rows) for split, rows in first.items()} == {"train": 30, "validation": 10, "test": 12}
    assert texts(1) == first
    assert texts(2) != first


# -- bad input --------------------------------------------------------------------------------------------------------

GOOD = [review(0), review(1), review(2)]
SENTIMENT_LINE = '{"text": "a", "label": 1}\n'
# task, content of test.<suffix>, suffix, what the message says
BAD = {
    "an empty split": ("sentiment", b"", "jsonl", ["the test split has no rows", "test.jsonl"]),
    "a header and nothing else": ("sentiment", b"text,label\n", "csv", ["the test split has no rows"]),
    "a missing column": ("sentiment", b'{"text": "a", "label": 1}\n{"text": "a", "stars": 1}\n', "jsonl",
                         ["test.jsonl, line 2", "no column 'label'", "text, stars", "columns: {label: "]),
    "a missing column of a CSV": ("sentiment", b"review,label\nx,1\n", "csv", ["test.csv, line 2", "no column 'text'", "review, label"]),
    "a missing nested column": ("qa", json.dumps(SQUAD | {"answers": {"start": [1]}}).encode(), "jsonl",
                                ["test.jsonl, line 1", "no column 'answers.text'"]),
    "a label outside the labels": ("sentiment", (SENTIMENT_LINE + '{"text": "b", "label": "neutral"}\n').encode(), "jsonl",
                                   ["test.jsonl, line 2", "'neutral' is not a label", "negative, positive"]),
    "an index outside the labels": ("sentiment", b'{"text": "b", "label": 2}\n', "jsonl", ["test.jsonl, line 1", "2 is not a label"]),
    "the index of IMDB's unlabelled rows": ("sentiment", b'{"text": "b", "label": -1}\n', "jsonl", ["line 1", "-1 is not a label"]),
    "a truth value as label": ("sentiment", b'{"text": "b", "label": true}\n', "jsonl", ["True is not a label"]),
    "a fraction as label": ("sentiment", b'{"text": "b", "label": 0.5}\n', "jsonl", ["0.5 is not a label"]),
    "a label in other letters": ("sentiment", b'{"text": "b", "label": "Positive"}\n', "jsonl", ["'Positive' is not a label"]),
    "a row with no answer": ("qa", json.dumps(SQUAD | {"answers": {"text": [], "answer_start": []}}).encode(), "jsonl",
                             ["test.jsonl, line 1", "no answer"]),
    "an answer of blanks": ("qa", json.dumps(SQUAD | {"answers": {"text": ["  "]}}).encode(), "jsonl", ["no answer"]),
    "an empty text": ("sentiment", b'{"text": " ", "label": 1}\n', "jsonl", ["line 1", "column text", "expected text"]),
    "a number for a text": ("sentiment", b'{"text": 5, "label": 1}\n', "jsonl", ["column text", "found 5"]),
    "nothing for a text": ("translation", b'{"translation": {"en": "a", "de": null}}\n', "jsonl", ["column translation.de (for target)", "found None"]),
    "invalid UTF-8 in JSON": ("sentiment", SENTIMENT_LINE.encode() + '{"text": "ü", "label": 1}\n'.encode("latin-1"), "jsonl",
                              ["test.jsonl, line 2", "not valid UTF-8", "byte 11"]),
    "half a character as an escape": ("sentiment", b'{"text": "a \\ud83d b", "label": 1}\n', "jsonl", ["test.jsonl, line 1", "not valid UTF-8"]),
    "invalid UTF-8 in CSV": ("sentiment", b"text,label\ngood,1\n\xff,0\n", "csv", ["test.csv, line 3", "not valid UTF-8"]),
    "broken JSON": ("sentiment", (SENTIMENT_LINE + '{"text": "a", \n').encode(), "jsonl", ["test.jsonl, line 2", "not valid JSON"]),
    "a whole JSON array": ("sentiment", b'[{"text": "a", "label": 1}]\n', "jsonl", ["line 1", "must be a JSON object", "list"]),
    "a CSV row that is too long": ("sentiment", b"text,label\na,1\nb,0,x\n", "csv", ["test.csv, line 3", "not as many fields"]),
    "a CSV row that is too short": ("sentiment", b"text,label\na\n", "csv", ["test.csv, line 2", "not as many fields"]),
    "an open quote in CSV": ("sentiment", b'text,label\n"a,1\n', "csv", ["test.csv, line 2", "not valid CSV"]),
    "a duplicate id": ("sentiment", b'{"id": 1, "text": "a", "label": 1}\n{"id": "1", "text": "b", "label": 1}\n', "jsonl",
                       ["test.jsonl, line 2", "the id '1'", "second time"]),
    "no Parquet at all": ("sentiment", b"text", "parquet", ["test.parquet", "not a valid Parquet file"]),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "content", "suffix", "says"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_message_with_file_and_line_and_nothing_is_written(kind, content, suffix, says):
    write_jsonl([HUB_ROWS[kind]], "train.jsonl", "validation.jsonl")
    Path(f"test.{suffix}").write_bytes(content)
    paths = {"train": "train.jsonl", "validation": "validation.jsonl", "test": f"test.{suffix}"}
    task = make_task(kind, {"kind": "files", "paths": paths})
    with pytest.raises(TuneGridError) as caught:
        fetch_data("t", task, Path("out"))
    assert [part for part in says if part not in str(caught.value)] == []
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in Path().iterdir()) == sorted(
        ["train.jsonl", "validation.jsonl", f"test.{suffix}"]
    )


def test_what_was_there_before_stays_when_new_rows_are_refused():
    write_jsonl(GOOD)
    task = make_task("sentiment", files("jsonl"))
    fetch_data("t", task, Path("out"))
    before = {file.name: file.read_bytes() for file in Path("out").iterdir()}
    Path("test.jsonl").write_text("{\n")
    with pytest.raises(TuneGridError):
        fetch_data("t", task, Path("out"))
    assert {file.name: file.read_bytes() for file in Path("out").iterdir()} == before


def test_parquet_with_bytes_that_are_no_text_is_refused():
    text = pyarrow.array([b"fine", b"\xff\xfe"]).view(pyarrow.string())
    pyarrow.parquet.write_table(pyarrow.table({"text": text, "label": [0, 1]}), "test.parquet")
    write_jsonl(GOOD, "train.jsonl")
    task = make_task("sentiment", {"kind": "files", "paths": {"train": "train.jsonl", "test": "test.parquet"}})
    with pytest.raises(TuneGridError, match=r"test\.parquet, after row 0: cannot be read"):
        fetch_data("t", task, Path("out"))
    assert not Path("out").exists()


def test_a_column_that_the_study_names_has_to_be_there_even_where_it_is_optional():
    write_jsonl(GOOD)
    with pytest.raises(TuneGridError, match=r"train\.jsonl, line 1: no column 'nr' \(for id\)"):
        read_splits("t", make_task("sentiment", files("jsonl", columns={"id": "nr"})))


@pytest.mark.parametrize("split", SPLITS)
def test_a_file_that_vanished_after_the_check_is_named(split):
    write_jsonl(GOOD)
    Path(f"{split}.jsonl").unlink()
    with pytest.raises(TuneGridError, match=rf"{split}\.jsonl: no such file \(the {split} split\)"):
        fetch_data("t", make_task("sentiment", files("jsonl")), Path("out"))
    assert not Path("out").exists()
