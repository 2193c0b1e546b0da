"""Test rows whose text occurs in the training rows: held against a slow count by other code."""

import random
import re
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tunegrid.data import overlap
from tunegrid.data.overlap import NGRAM, write_overlap


def counted(folder: Path, train: list[dict], test: list[dict], whole_columns: tuple[str, ...], *more: str) -> list:
    for name, rows in (("train", train), ("test", test)):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{name}.parquet")
    write_overlap(folder, whole_columns, (*whole_columns, *more))
    table = pyarrow.parquet.read_table(folder / "overlap.parquet").to_pylist()
    return [(row["ngrams"], row["seen"], row["same"]) for row in table]


def slowly(train: list[dict], test: list[dict], columns: tuple[str, ...]) -> list:
    """The same counts from sets of tuples of words."""

    def words(text: str) -> list[str]:
        return re.findall(r"\w+", text.lower().replace("_", " "))

    def grams(row: dict) -> list[tuple[str, ...]]:
        texts = [words(row[column]) for column in columns]
        return [tuple(text[i : i + NGRAM]) for text in texts for i in range(len(text) - NGRAM + 1)]

    known = {gram for row in train for gram in grams(row)}
    wholes = {tuple(tuple(words(row[column])) for column in columns) for row in train}
    return [
        (
            len(grams(row)),
            sum(gram in known for gram in grams(row)),
            tuple(tuple(words(row[column])) for column in columns) in wholes,
        )
        for row in test
    ]


def test_counts_are_those_of_a_slow_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "BATCH", 7)  # rows of one batch must not run into those of another
    generator = random.Random(0)

    def text(length: int) -> str:
        return " ".join(generator.choice(("so", "Er", "don't", "ça", "7", "x-y")) for _ in range(length))

    train = [{"a": text(generator.randrange(40)), "b": text(20)} for _ in range(50)]
    test = [{"a": text(generator.randrange(40)), "b": text(generator.randrange(30))} for _ in range(40)]
    test[3] = dict(train[40])
    test[11] = {"a": train[2]["a"].upper() + "!", "b": f"  {train[2]['b']}"}
    test[20]["b"] = text(3) + " " + train[9]["b"]  # 20 words of a training row
    test[21] = {"a": train[5]["a"], "b": ""}
    result = counted(tmp_path, train, test, ("a", "b"))
    assert result == slowly(train, test, ("a", "b"))
    assert result[3][2]
    assert result[11][2]
    assert not result[21][2]
    assert result[20][1] >= 8
    assert any(seen == 0 < ngrams for ngrams, seen, _ in result)


def test_an_ngram_counts_in_any_column_but_not_across_two(tmp_path: Path) -> None:
    thirteen = " ".join(f"w{number}" for number in range(NGRAM))
    first, rest = thirteen[:14], thirteen[15:]
    train = [{"question": "Why?", "context": thirteen}, {"question": first, "context": rest}]
    test = [
        {"question": thirteen, "context": "nothing"},
        {"question": first, "context": rest + " and more of it, but not that"},
        {"question": "", "context": ""},
    ]
    assert counted(tmp_path, train, test, ("question", "context")) == [(1, 1, False), (3, 0, False), (0, 0, False)]


def test_rows_without_words_are_not_the_same(tmp_path: Path) -> None:
    train = [{"a": "!", "b": "…"}, {"a": "?", "b": "good"}]
    test = [{"a": "🙂", "b": "?"}, {"a": "🙂", "b": "Good"}]
    assert counted(tmp_path, train, test, ("a", "b")) == [(0, 0, False), (0, 0, True)]


def test_columns_that_are_not_whole_do_not_decide_whether_rows_are_the_same(tmp_path: Path) -> None:
    train = [{"source": "The dog sleeps.", "target": "Der Hund schläft."}]
    test = [{"source": "the dog sleeps", "target": "Es schläft der Hund."}]
    assert counted(tmp_path, train, test, ("source",), "target") == [(0, 0, True)]


def test_letters_are_words_where_a_script_has_no_spaces(tmp_path: Path) -> None:
    train = [{"text": "我们今天去北京看长城，明天回家。"}]
    test = [{"text": "她说：我们今天去北京看长城，明天回家"}, {"text": "明天我们回家"}]
    assert counted(tmp_path, train, test, ("text",)) == [(4, 2, False), (0, 0, False)]


def test_without_any_ngram_nothing_overlaps(tmp_path: Path) -> None:
    assert counted(tmp_path, [{"text": "good"}], [{"text": "Good!"}, {"text": "bad"}], ("text",)) == [
        (0, 0, True),
        (0, 0, False),
    ]
