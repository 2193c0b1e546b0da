"""A look at files: columns inside others, kinds of values, and first lines that name no columns."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.study.new.look import kind_of_value, look, parsed


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def looked(name: str, text: str, **options):
    lines = text.splitlines(keepends=True)
    Path(name).write_text("".join([*lines, *[lines[-1]] * 10]), encoding="utf-8")  # a study needs some rows
    return look({"train": Path(name)}, **options)


NO_NAMES = {
    "a label comes again": ("a.tsv", "I like it\tgood\nNot bad\tgood\nPoor\tbad\n"),
    "numbers": ("a.csv", "I like it,1\nPoor,0\n"),
    "sentences": ("a.tsv", "A dog runs.\tEin Hund rennt.\nA cat sleeps.\tEine Katze schläft.\n"),
    "semicolons, and commas in the texts": ("a.csv", "Well, I like it;good\nNo;bad\nOh, well, no;bad\nYes;good\n"),
    "the same text twice": ("a.csv", "same,same\nmore,less\n"),
}


@pytest.mark.parametrize(("name", "text"), NO_NAMES.values(), ids=NO_NAMES)
def test_a_first_line_that_names_no_columns_is_a_row(name, text):
    found = looked(name, text)
    assert (found.header, list(found.columns)) == (("column1", "column2"), ["column1", "column2"])
    assert len(found.rows["train"]) == text.count("\n") + 10


@pytest.mark.parametrize("text", ["text,label\nI like it,1\n", "Nr.,Review Text,Stars (1-5)\n1,fine,4\n"])
def test_a_header_is_one(text):
    assert looked("a.csv", text).header == ()


def test_the_user_knows_better():
    assert looked("a.csv", "text,label\nfine,good\n", has_header=False).header == ("column1", "column2")
    assert looked("a.csv", "fine,1\nbad,2\n", has_header=True).header == ()


def test_columns_inside_of_others_have_names_with_dots():
    row = {"q": "who?", "doc": {"body": "Anna left.", "page": 3}, "gold": [{"text": "Anna", "start": 0}], "none": None}
    columns = looked("a.jsonl", json.dumps(row) + "\n").columns
    assert {name: column.kind for name, column in columns.items()} == {
        "q": "text",
        "doc": "mapping",
        "doc.body": "text",
        "doc.page": "number",
        "gold": "other",
        "gold.text": "texts",
        "gold.start": "numbers",
    }


@pytest.mark.parametrize(
    ("text", "kind"),
    [("[1]", "text"), ('["a"]', "texts"), ("[1, 0]", "numbers"), ("[a, b]", "text"), ('{"a": 1}', "mapping")],
)
def test_lists_in_csv_are_read_as_a_task_reads_them(text, kind):
    assert kind_of_value(parsed(text)) == kind


KINDS = [
    ("a text", "text"), ("7", "number"), (7.5, "number"), (True, "flag"), (["a", "b"], "texts"), ([1, 2], "numbers"),
    ([[0, 4, "PER"]], "spans"), ([{"start": 0, "end": 4, "label": "PER"}], "spans"), ("O B-PER I-PER", "tags"), ("O no", "text"),
    ({"a": 1}, "mapping"), ([{"text": "a"}], "other"), (b"x", "other"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), KINDS)
def test_kinds_of_values(value, kind):
    assert kind_of_value(value) == kind


def test_values_are_counted_over_all_files_and_are_unique_within_each():
    table = pyarrow.table({"id": range(6), "label": ["a", "b", "a"] * 2, "text": ["x y", "z", None] * 2})
    for name in ("train", "test"):
        pyarrow.parquet.write_table(table, f"{name}.parquet")
    found = look({"train": Path("train.parquet"), "test": Path("test.parquet")})
    assert found.columns["label"].values == {"a": 8, "b": 4}
    assert (found.columns["id"].unique, found.columns["label"].unique) == (True, False)
    assert (found.columns["text"].filled, found.columns["text"].mean_words) == (8, 1.5)


def test_files_that_cannot_be_looked_at_are_named():
    for text, says in (
        ("", "has no rows"),
        ("text,label\n", "has no rows"),
        ("text,label\na,b\n", r"1 row\(s\) make no study"),
    ):
        Path("few.csv").write_text(text)
        with pytest.raises(TuneGridError, match=f"few.csv: {says}"):
            look({"train": Path("few.csv")})
    for name in ("no.csv", "no.xls"):
        with pytest.raises(TuneGridError, match="no such file"):
            look({"train": Path(name)})
    with pytest.raises(TuneGridError, match="unknown file type"):
        looked("a.xls", "x")
