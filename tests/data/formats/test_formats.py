"""Readers of rows: separators, line ends, compressions, types, and what is refused with its place."""

import bz2
import gzip
import json
import lzma
import random
import struct
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats import READERS, ClassIndex, RawRow, format_of, read_rows

ROWS = [{"text": "good", "label": "1"}, {"text": "so; so, ü", "label": "0"}]


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(name: str, content: bytes | str) -> list[RawRow]:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(Path(name)))


def values(name: str, content: bytes | str) -> list[dict]:
    return [row.values for row in read(name, content)]


def refused(name: str, content: bytes | str) -> str:
    with pytest.raises(TuneGridError) as caught:
        read(name, content)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    return str(caught.value)


def zstd(data: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


# -- files without names of columns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "good\t1\nso; so, ü\t0\n"),
        ("a.csv", 'good,1\n"so; so, ü",0\n'),
        ("a.csv", 'good;1\n"so; so, ü";0\n'),
        ("a.csv", '"so; so, ü";0\ngood;1\n'),  # a comma inside quotes parts nothing
        ("a.csv", 'text;label\ngood;1\n"so; so, ü";0\n'),  # the names are there all the same
    ],
)
def test_names_of_columns_stand_in_for_a_header(name, content):
    Path(name).write_text(content, encoding="utf-8")
    rows = [row.values for row in read_rows(Path(name), names=["text", "label"])]
    assert sorted(rows, key=str) == sorted(ROWS, key=str)


def test_rows_of_other_lengths_than_the_names_are_refused():
    Path("a.tsv").write_text("good\t1\nbad\n")
    with pytest.raises(TuneGridError, match=r"a\.tsv, line 2: .*1, not 2"):
        list(read_rows(Path("a.tsv"), names=["text", "label"]))


# -- separators -------------------------------------------------------------------------------------------------------

SEPARATED = {
    "commas": ("a.csv", 'text,label\ngood,1\n"so; so, ü",0\n'),
    "semicolons": ("a.csv", 'text;label\ngood;1\n"so; so, ü";0\n'),
    "tabs in .csv": ("a.csv", "text\tlabel\ngood\t1\nso; so, ü\t0\n"),
    "tabs in .tsv": ("a.tsv", "text\tlabel\ngood\t1\nso; so, ü\t0\n"),
    "Excel's first line": ("a.csv", 'sep=;\r\ntext;label\r\ngood;1\r\n"so; so, ü";0\r\n'),
    "a separator that only Excel's first line tells": ("a.csv", "sep=|\ntext|label\ngood|1\nso; so, ü|0\n"),
    "a byte order mark": ("a.csv", '\ufefftext,label\ngood,1\n"so; so, ü",0\n'),
    "a byte order mark and semicolons": ("a.csv", '\ufeff"text";"label"\n"good";"1"\n"so; so, ü";"0"\n'),
    "CR alone": ("a.csv", 'text,label\rgood,1\r"so; so, ü",0\r'),
    "CR alone and tabs": ("a.tsv", "text\tlabel\rgood\t1\rso; so, ü\t0"),
    "CRLF": ("a.csv", 'text,label\r\ngood,1\r\n"so; so, ü",0'),
    "empty lines before the header and between": ("a.csv", '\n\r\ntext,label\n\ngood,1\n\n"so; so, ü",0\n\n'),
    "an upper-case suffix": ("A.CSV", 'text,label\ngood,1\n"so; so, ü",0\n'),
    "JSON Lines": ("a.JSONL", "".join(json.dumps(row) + "\n" for row in ROWS)),
    "JSON Lines that end in CR": ("a.jsonl", "".join(json.dumps(row) + "\r" for row in ROWS)),
    "one JSON list": ("a.json", json.dumps(ROWS, indent=2)),
    "one JSON list with a byte order mark": ("a.json", "\ufeff" + json.dumps(ROWS)),
    "JSON Lines in .json": ("a.json", "\n".join(json.dumps(row) for row in ROWS)),
}


@pytest.mark.parametrize(("name", "content"), SEPARATED.values(), ids=SEPARATED)
def test_the_same_rows_come_out_of_each_way_to_write_them(name, content):
    assert values(name, content) == ROWS


@pytest.mark.parametrize("text", ["a; b; c", "a\tb", ";", "x;y\nz;w", "sep=;"])
def test_a_text_with_another_separator_in_a_comma_file_is_one_text(text):
    quoted = f'"{text}"' if "\n" in text else text
    assert values("a.csv", f"text,label\n{quoted},1\n") == [{"text": text, "label": "1"}]
    assert values("a.csv", f"text\n{quoted}\n") == [{"text": text}]


def test_a_header_with_both_separators_is_read_with_commas():
    assert values("a.csv", "text,a;b\nx,1;2\n") == [{"text": "x", "a;b": "1;2"}]
    assert values("a.csv", '"a,b";label\nx;1\n') == [{"a,b": "x", "label": "1"}]


def test_long_fields_are_read_as_a_whole():
    text = "word " * 100_000
    assert values("a.csv", f'text,label\n"{text}",1\n') == [{"text": text, "label": "1"}]


def test_values_of_csv_are_kept_as_they_stand_there():
    texts = ["NA", "null", "None", "NaN", "007", "1.0", "1e5", "2021-01-03", "TRUE", " x "]
    rows = read("a.csv", "a\n" + "\n".join(texts) + "\n")
    assert [row.values["a"] for row in rows] == texts
    assert not any(row.typed for row in rows)


def test_quotes_that_would_swallow_rows_of_a_tab_file_are_named():
    assert "line 4: a quote that opens 2 line(s) before closes here" in refused(
        "a.tsv", 'text\tlabel\n"Good film\t1\nbad\t0\nso"\t1\n'
    )
    assert values("a.tsv", 'text\tlabel\n"two\nlines"\t1\n') == [{"text": "two\nlines", "label": "1"}]
    assert values("a.tsv", 'text\n"two\nlines"\n') == [{"text": "two\nlines"}]


# -- compressed files -------------------------------------------------------------------------------------------------

COMPRESSED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd, ".GZ": gzip.compress}


@pytest.mark.parametrize("suffix", COMPRESSED)
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.json"])
def test_compressed_files_hold_the_same_rows_and_damaged_ones_are_named(name, suffix):
    content = next(text for other, text in SEPARATED.values() if other.lower() == name).encode()
    plain, compressed = values(name, content), COMPRESSED[suffix](content)
    assert values(name + suffix, compressed) == plain == ROWS
    assert "cannot be read" in refused(name + suffix, compressed[:-9])
    assert "cannot be read" in refused(name + suffix, b"no such compression")


@pytest.mark.parametrize(
    "name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet", "a.conll", "a.csv.gz", "a.jsonl.zst"]
)
def test_a_pointer_of_git_lfs_is_named_as_such(name):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    assert "is a pointer of Git LFS, not the file itself. Run `git lfs pull`" in refused(name, pointer)


@pytest.mark.parametrize(
    "text",
    [
        '{"version": "1.1", "data": [{"title": "t", "paragraphs": []}]}',
        '{"data": [{"text": "a"}]}\n',
        '{\n  "data": [\n {"text": "a"}]}',
        '{\n  "text": "a"\n}\n',
    ],
)
def test_one_object_around_all_rows_is_named_as_such(text):
    assert "a.json: is one JSON object (with " in refused("a.json", text.encode())


@pytest.mark.parametrize("text", ['{"text": "a"}', '{"text": "a", "data": 1}\n{"text": "b", "data": []}\n'])
def test_one_object_a_line_is_a_row(text):
    assert [row["text"] for row in values("a.json", text.encode())] == ["a", "b"][: text.count("text")]


def test_rows_of_a_pipe_are_all_read_as_it_cannot_be_read_twice():
    for text in ('{"text": "a"}\n\n{"text": "b"}\n', '[{"text": "a"},\n{"text": "b"}]'):
        lines = iter(text.encode().splitlines(keepends=True))
        assert [row.values["text"] for row in READERS[".json"](lines)] == ["a", "b"]


def test_several_parts_of_a_compressed_file_are_all_read():
    lines = [f'{{"text": "{number}"}}\n'.encode() for number in range(3)]
    for suffix, compress in COMPRESSED.items():
        parts = b"".join(compress(line) for line in lines)
        assert values(f"a.jsonl{suffix}", parts) == [{"text": str(number)} for number in range(3)]


def test_a_suffix_says_the_format():
    assert [format_of(name) for name in ("a.CSV.GZ", "b.tsv", "x/y.Parquet")] == [".csv", ".tsv", ".parquet"]
    assert [format_of(name) for name in ("a.gz", "a", "a.parquet.gz")] == ["", "", ""]


# -- JSON -------------------------------------------------------------------------------------------------------------

UNUSABLE = {
    "a key twice": ('{"text": "a", "label": 1, "text": "b"}', "the key 'text' stands in it twice"),
    "an inner key twice": ('{"a": {"text": 1, "text": 2}}', "the key 'text' stands in it twice"),
    "too many levels": ('{"a": ' + "[" * 150 + "]" * 150 + "}", "more than 100 levels"),
    "more levels than Python reads": ('{"a": ' + "[" * 20_000 + "]" * 20_000 + "}", "more than 100 levels"),
    "a number of thousands of digits": ('{"a": ' + "1" * 5000 + "}", "a number has 5,000 digits"),
    "half of a character": ('{"a": "\\ud83d"}', "half of a character"),
}


@pytest.mark.parametrize(("line", "problem"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_row_that_json_allows_but_nobody_can_use_does_not_end_the_file(line, problem):
    first, second = read("a.jsonl", f'{line}\n{{"text": "b"}}\n')
    assert problem in first.problem
    assert first.where == "a.jsonl, line 1"
    assert (second.values, second.problem) == ({"text": "b"}, None)
    if len(line) < 10_000:  # the end of what cannot be read is not known
        first, second = read("a.json", f'[{line},\n {{"text": "b"}}]')
        assert problem in first.problem
        assert second.where == "a.json, row 2"


@pytest.mark.parametrize("depth", [1, 50, 98])
def test_usual_nesting_is_no_problem(depth):
    (row,) = read("a.jsonl", '{"a": ' + "[" * depth + "]" * depth + "}")
    assert row.problem is None


@pytest.mark.parametrize(
    ("text", "says"),
    [("[", "not valid JSON"), ("[{}", "not valid JSON"), ("[{},]", "not valid JSON"), ('[{"a": 1} {"a": 2}]', "not valid JSON"),
     ("[{}] x", "not valid JSON"), ("[1]", "row 1: a row must be a JSON object, this is a int"), ("{", "line 1: not valid JSON"),
     ('{\n"a": 1}\n{', "line 1: not valid JSON")],
)  # fmt: skip
def test_broken_json_files_are_named(text, says):
    assert says in refused("a.json", text)


def test_an_empty_list_has_no_rows():
    assert values("a.json", " [ ] \n") == values("a.json", "") == values("a.csv", "") == values("a.csv", "text\n") == []


# -- columns that stand twice -----------------------------------------------------------------------------------------


def test_a_column_that_stands_twice_is_named():
    assert "the column 'text' stands there twice" in refused("a.csv", "text,label,text\na,1,b\n")
    assert "the column 'x' stands there twice" in refused("a.tsv", "x\tx\n")
    assert values("a.csv", "text,,\na,,\n") == [{"text": "a", "": ""}]  # what a spreadsheet adds has no name
    table = pyarrow.table([pyarrow.array(["a"]), pyarrow.array(["b"])], names=["text", "text"])
    pyarrow.parquet.write_table(table, "a.parquet")
    assert "the column 'text' stands there twice" in refused("a.parquet", Path("a.parquet").read_bytes())


def test_a_header_that_stands_there_again_is_no_row():
    rows = read("a.csv", "source,target\na,b\nsource,target\nc,d\n")
    assert [row.problem is None for row in rows] == [True, False, True]
    assert "the header stands there again" in rows[1].problem
    rows = read("a.csv", "text\na\ntext\n")  # a text may be that word
    assert [row.problem for row in rows] == [None, None]


def test_a_name_of_a_column_that_holds_nul_is_named():
    """An optional column of a damaged name would be missing without a word."""
    for name, content in (("a.csv", "i\0d,text\n1,a\n"), ("a.tsv", "text\ti\0d\na\t1\n")):
        assert "the name of the column 'i\\x00d' holds the character NUL" in refused(name, content)
    table = pyarrow.table([pyarrow.array(["a"])], names=["i\0d"])
    assert "holds the character NUL" in refused("a.parquet", parquet(table))


# -- Parquet ----------------------------------------------------------------------------------------------------------


def parquet(table: pyarrow.Table) -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()


TEXTS = pyarrow.array(["a", "ü", None])
TYPES = {
    "large_string": TEXTS.cast(pyarrow.large_string()),
    "string_view": TEXTS.cast(pyarrow.string_view()),
    "dictionary": TEXTS.dictionary_encode(),
}


@pytest.mark.parametrize("array", TYPES.values(), ids=TYPES)
def test_texts_of_every_type_are_texts(array):
    assert values("a.parquet", parquet(pyarrow.table({"t": array}))) == [{"t": "a"}, {"t": "ü"}, {"t": None}]


def test_a_map_is_a_mapping_and_a_key_that_stands_in_it_twice_a_problem_of_its_row():
    pairs = [[("en", "a"), ("de", "b")], [("en", "a"), ("en", "b")], [("en", "c"), ("de", "d")]]
    table = pyarrow.table({"t": pyarrow.array(pairs, pyarrow.map_(pyarrow.string(), pyarrow.string()))})
    first, second, third = read("a.parquet", parquet(table))
    assert (first.values, third.values) == ({"t": {"en": "a", "de": "b"}}, {"t": {"en": "c", "de": "d"}})
    assert (third.where, third.problem) == ("a.parquet, row 3", None)
    assert "'en'" in second.problem


def test_classes_with_declared_names_are_known_as_such():
    from datasets import ClassLabel, Dataset, Features, Value

    names = ["1", "2", "3"]
    features = Features(
        {"label": ClassLabel(names=names), "meta": {"stars": ClassLabel(names=names)}, "n": Value("int64")}
    )
    rows = [{"label": 0, "meta": {"stars": 2}, "n": 1}, {"label": -1, "meta": None, "n": 2}]
    Dataset.from_list(rows, features=features).to_parquet("a.parquet")
    first, second = values("a.parquet", Path("a.parquet").read_bytes())
    assert first == rows[0]
    assert isinstance(first["label"], ClassIndex)
    assert (first["label"].name, first["meta"]["stars"].name, second["label"].name) == ("1", "3", None)
    assert type(first["n"]) is int


def test_decimals_and_dates_keep_their_types():
    table = pyarrow.table({"d": [Decimal("1.50")], "b": [True], "t": pyarrow.array([b"x"], pyarrow.binary())})
    assert values("a.parquet", parquet(table)) == [{"d": Decimal("1.50"), "b": True, "t": b"x"}]


def test_a_footer_of_damaged_bytes_is_a_message_or_leaves_the_rows_readable():
    table = pyarrow.table({"text": ["good", "bad"] * 20, "label": [0, 1] * 20})
    whole, outcomes = parquet(table), set()
    footer = struct.unpack("<I", whole[-8:-4])[0] + 8
    for seed in range(150):
        generator, damaged = random.Random(seed), bytearray(whole)
        damaged[len(damaged) - footer + generator.randrange(footer)] = generator.randrange(256)
        Path("a.parquet").write_bytes(damaged)
        try:
            outcomes.add(len(list(read_rows(Path("a.parquet")))))
        except TuneGridError as error:
            outcomes.add(str(error)[: len("a.parquet")] if "\n" not in str(error) else "several lines")
    assert outcomes == {40, "a.parquet"}
