"""Values of rows: labels, texts, identifiers and nested columns, the same whatever type the source gives them."""

import math
import re
from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from tests.support.rows_of_tasks import make_task
from tunegrid.data.formats import ClassIndex, RawRow
from tunegrid.tasks import RowError
from tunegrid.tasks.rows import canonical_row, unlabelled_row
from tunegrid.tasks.values import is_missing, joined_text, label_of, mapped


def index(value: int, *names: str) -> ClassIndex:
    return ClassIndex(value, names)


STARS = ["1", "2", "3", "4", "5"]
SQUAD = {"id": "a", "title": "t", "context": "Oxygen is a gas.", "question": "What?", "answers": {"text": ["a gas"]}}
DEEP: list = []
for _ in range(900):
    DEEP = [DEEP]


def files(**columns: str) -> dict:
    return {"kind": "files", "paths": {"train": "a.jsonl", "test": "b.jsonl"}, "columns": columns}


def qa(columns: dict | None = None, **values) -> dict:
    return canonical_row(make_task("qa", files(**(columns or {}))), RawRow(SQUAD | values, "here"))


# -- labels -----------------------------------------------------------------------------------------------------------

LABELS = [
    (STARS, 1, "1"),
    (STARS, 5, "5"),
    (STARS, 4.0, "4"),
    (STARS, "4.0", "4"),
    (STARS, "4", "4"),
    (STARS, Decimal("4.00"), "4"),
    (["0", "1"], 0, "0"),
    (["1", "0"], 0, "0"),  # the index of another label
    (["-1", "0", "1"], -1, "-1"),
    (["01", "02"], 1, "01"),
    (["0.5", "1", "1.5"], 1.5, "1.5"),
    (["0.5", "1", "1.5"], 1, "1"),
    (["1", "2", "unknown"], 2, "2"),
    (["1", "2", "unknown"], "unknown", "unknown"),
    (["-1", "+1"], 1, "+1"),
    (["-1", "+1"], "1", "+1"),
    (["\N{MINUS SIGN}1", "1"], -1, "\N{MINUS SIGN}1"),
    (["１", "２"], 1, "１"),
    (["①", "②"], "1", "①"),
    (["²", "³"], 2, "²"),
    (["1e1", "1e2"], 100, "1e2"),
    (["bad", "good"], 1, "good"),
    (["bad", "good"], 1.0, "good"),
    (["bad", "good"], "1.0", "good"),
    (["bad", "good"], Decimal(0), "bad"),
    (STARS, index(0, "1", "2", "3", "4", "5"), "1"),  # as yelp_review_full has them
    (STARS, index(4, "1 star", "2 stars", "3 stars", "4 stars", "5 stars"), "5"),
    (["bad", "good"], index(1, "neg", "pos"), "good"),  # as IMDB
    (["good", "bad"], index(1, "bad", "good"), "good"),
    (["bad", "good"], index(2, "bad", "neutral", "good"), "good"),
    (["false", "true"], True, "true"),
    (["false", "true"], "True", "true"),
    (["False", "True"], False, "False"),
]
NO_LABELS = [
    (STARS, 0),
    (STARS, 6),
    (STARS, 1.5),
    (STARS, True),
    (STARS, "²"),
    (STARS, "３"),
    (["1", "2", "unknown"], 0),
    (["１", "２"], 0),
    (["1e1", "1e2"], 1),
    (["bad", "good"], 2),
    (["bad", "good"], -1),
    (["bad", "good"], 0.5),
    (["bad", "good"], True),
    (["bad", "good"], "true"),
    (["bad", "good"], "²"),
    (["bad", "good"], "١"),
    (["bad", "good"], "1_0"),
    (["bad", "good"], "+1"),
    (["bad", "good"], "1" * 5000),
    (["bad", "good"], 10**4000),
    (["bad", "good"], math.nan),
    (["bad", "good"], math.inf),
    (["bad", "good"], None),
    (["bad", "good"], [1]),
    (["bad", "good"], DEEP),
    (["true", "True"], True),
    (["bad", "good"], index(1, "bad", "neutral", "good")),
    (["bad", "good"], index(-1, "bad", "good")),
    (["bad", "good"], index(-1, "neg", "pos")),
    (["bad", "good"], index(2, "neg", "pos", "mixed")),
]


@pytest.mark.parametrize(("labels", "value", "label"), LABELS)
def test_a_number_is_a_label_s_name_where_names_are_numbers_and_else_its_index(labels, value, label):
    assert label_of({"label": value}, "label", labels) == label


@pytest.mark.parametrize(("labels", "value"), NO_LABELS)
def test_what_names_no_label_is_an_error_of_the_row(labels, value):
    with pytest.raises(RowError, match=r"is not a label\. Valid: ") as caught:
        label_of({"label": value}, "label", labels)
    assert caught.value.column == "label"
    assert ("index" in str(caught.value)) == (labels[0] in ("bad", "true"))
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("value", "label"), [("e\u0301te\u0301", "\u00e9t\u00e9"), ("\u00e9t\u00e9", "e\u0301te\u0301")]
)
def test_a_label_is_the_same_in_one_character_or_in_two(value, label):
    assert label_of({"label": value}, "label", ["hiver", label]) == label
    assert label_of({"label": value}, "label", [value, label]) == value


def test_labels_that_are_the_same_number_are_refused_by_the_study():
    for same in ("1.0", "+1", "１"):
        with pytest.raises(ValidationError, match=f"'{re.escape(same)}' and '1' are the same number"):
            make_task("sentiment", labels=[same, "2", "1"], positive="2")
    make_task("sentiment", labels=["1", "2"], positive="2")


# -- lists of texts ---------------------------------------------------------------------------------------------------

TEXTS = [
    ("gas", ["gas"]),
    (" gas ", ["gas"]),
    (1998, ["1998"]),
    (0, ["0"]),
    (Decimal("19.98"), ["19.98"]),
    (["a gas", None, "", "gas"], ["a gas", "gas"]),
    ([1998, "the year 1998"], ["1998", "the year 1998"]),
    ({"text": ["a gas", "gas"], "answer_start": [10, 12]}, ["a gas", "gas"]),
    ({"text": "gas"}, ["gas"]),
    ({"text": 7}, ["7"]),
    ([{"text": "a gas", "answer_start": 10}, {"text": "gas", "answer_start": 12}], ["a gas", "gas"]),
    ([{"text": ["a gas", "gas"]}, {"text": []}], ["a gas", "gas"]),
    ("[1] and [2]", ["[1] and [2]"]),
    (index(1, "no", "yes"), ["yes"]),
    ("{x}", ["{x}"]),
]
NO_TEXTS = [
    True, math.inf, 3.5, 1998.0, b"gas", date(2021, 1, 3), ["gas", True], [["a", "gas"]], [{"text": {"text": "gas"}}],
    {"text": {"text": "gas"}}, {"answer": "gas"}, {}, [{"answer": "gas"}], [{"text": "gas"}, {"answer": "gas"}], [DEEP], DEEP,
    "['a gas', 'gas']", "{'text': array(['a gas'], dtype=object), 'answer_start': array([10])}", '["a gas"]',
]  # fmt: skip


@pytest.mark.parametrize(("value", "texts"), TEXTS)
def test_answers_and_candidates_are_read_from_all_that_holds_texts(value, texts):
    assert qa({"answers": "answers"}, answers=value)["answers"] == texts
    assert qa(candidates=value)["candidates"] == texts


@pytest.mark.parametrize("value", NO_TEXTS, ids=lambda value: str(value)[:30] if value is not DEEP else "deep")
def test_what_holds_no_texts_is_an_error_of_the_row_that_shows_it(value):
    for column, values in (("answers", {"answers": value}), ("candidates", {"candidates": value})):
        with pytest.raises(RowError, match=f"column {column}: ") as caught:
            qa({"answers": "answers"} if column == "answers" else {}, **values)
        assert caught.value.column == column
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", [None, "", " \0 ", math.nan, [], [None], {"text": []}, {"text": None}])
def test_a_row_may_lack_candidates_but_not_answers(value):
    assert qa(candidates=value)["candidates"] == []
    with pytest.raises(RowError, match="the row has no answer"):
        qa({"answers": "answers"}, answers=value)


@pytest.mark.parametrize(
    ("text", "texts"),
    [('["a gas", "gas"]', ["a gas", "gas"]), ('{"text": ["a gas"], "answer_start": [10]}', ["a gas"]), ("a gas", ["a gas"]),
     ('["[1]"]', ["[1]"]), ('[1, "a"]', ["1", "a"]), ("[citation", ["[citation"]), ("{x}", ["{x}"]), ("(a, b)", ["(a, b)"]),
     ('("a")', ['("a")']), ("'a', 'b'", ["'a', 'b'"])],
)  # fmt: skip
def test_in_csv_a_json_list_of_texts_is_a_list(text, texts):
    row = canonical_row(
        make_task("qa", files(answers="answers")), RawRow(SQUAD | {"answers": text}, "here", typed=False)
    )
    assert row["answers"] == texts


def test_in_csv_what_python_prints_of_a_list_is_an_error():
    for text in ("['a gas' 'gas']", "{'text': array(['a gas'], dtype=object)}", "('a gas', 'gas')", "('a gas',)"):
        with pytest.raises(RowError, match="a list or a mapping that was printed as text"):
            canonical_row(make_task("qa", files()), RawRow(SQUAD | {"candidates": text}, "here", typed=False))


def test_a_row_that_its_reader_could_not_use_is_an_error():
    for reader in (canonical_row, unlabelled_row):
        with pytest.raises(RowError, match="a number has 5,000 digits"):
            reader(make_task("qa", files()), RawRow({}, "here", "a number has 5,000 digits"))


def test_a_mapping_of_other_keys_is_not_taken_for_its_keys():
    with pytest.raises(RowError, match=r"found a mapping with 'A', 'B'\. Name the field"):
        qa(candidates={"A": "tea", "B": "coffee"})


# -- identifiers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0, "0.0"), (False, "False"), ("0", "0"), (10**30, "1" + 30 * "0"), ("007", "007"), (None, ""),
     ("", ""), ("  ", ""), ("\0", ""), (math.nan, ""), (Decimal("NaN"), ""), (date(2021, 1, 3), "2021-01-03")],
)  # fmt: skip
def test_ids_and_groups_are_texts_and_only_nothing_is_none(value, text):
    assert qa(title=value)["group"] == text
    if value is False:
        with pytest.raises(RowError, match="column id: expected a text or a number, found False"):
            qa(id=value)
        return
    assert qa(id=value)["id"] == text
    assert unlabelled_row(make_task("qa", files()), RawRow(SQUAD | {"id": value}, "here")).get("id", "") == text


@pytest.mark.parametrize("value", [[1], {"a": 1}, [], {}, b"1", DEEP], ids=lambda value: str(value)[:20])
def test_an_id_or_a_group_that_is_a_list_or_a_mapping_is_an_error(value):
    for column, name in (("id", "id"), ("title (for group)", "title")):
        with pytest.raises(RowError, match=f"column {re.escape(column)}: expected a text or a number, found"):
            qa(**{name: value})
    with pytest.raises(RowError, match="column id: expected a text or a number"):
        unlabelled_row(make_task("qa", files()), RawRow(SQUAD | {"id": value}, "here"))


# -- columns ----------------------------------------------------------------------------------------------------------

NESTED = [
    ({"a.b": 1, "a": {"b": 2}}, "a.b", 1),
    ({"a": {"b": 2}}, "a.b", 2),
    ({"a.b": {"c": 1}}, "a.b.c", 1),
    ({"a": {"b.c": 1}}, "a.b.c", 1),
    ({"a.b": {"c": 1}, "a": {"b": {"c": 2}}}, "a.b.c", 1),
    ({"a": [{"b": 1}, {"b": 2}]}, "a.b", [1, 2]),
    ({"a": [{"b": [1, 2]}, {"b": [3]}]}, "a.b", [1, 2, 3]),
    ({"a": [{"b": [{"c": 1}]}, {"b": [{"c": 2}]}]}, "a.b.c", [1, 2]),
    ({"a": {"b": None}}, "a.b", None),
]


@pytest.mark.parametrize(("values", "column", "value"), NESTED)
def test_a_whole_name_comes_before_its_dots(values, column, value):
    assert mapped(values, {"x": column}, {}) == {"x": value}


@pytest.mark.parametrize(
    "values", [{}, {"a": 1}, {"a": None}, {"a": "b"}, {"a": []}, {"a": ["b"]}, {"a": {"c": 1}}, {"a": [{"b": 1}, {}]}]
)
def test_a_column_that_is_not_there_is_named(values):  # fmt: skip
    with pytest.raises(RowError, match=r"no column 'a\.b' \(for x\)"):
        mapped(values, {"x": "a.b"}, {})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "nothing"),
        ({"te\nxt": 1, "\u200bb": 2, "ü x": 3}, "te\\nxt, \\u200bb, ü x"),
        ({"x" * 200: 1}, "x" * 60 + "…"),
        ({f"c{number}": 1 for number in range(1000)}, "c38, c39, 960 more"),
    ],
)
def test_the_columns_of_a_row_are_named_on_one_short_line(values, says):
    for reader in (canonical_row, unlabelled_row):
        with pytest.raises(RowError) as caught:
            reader(make_task("generation", files()), RawRow(values, "here"))
        assert f"{says}. " in str(caught.value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600


def test_flattened_rows_are_read_by_the_default_columns_and_by_predict():
    flat = {
        "id": "a",
        "title": "t",
        "context": "c",
        "question": "q",
        "answers.text": ["a gas"],
        "answers.answer_start": [1],
    }
    assert canonical_row(make_task("qa", files()), RawRow(flat, "here"))["answers"] == ["a gas"]
    pair = {"translation.en": "a", "translation.de": "b"}
    assert canonical_row(make_task("translation", files()), RawRow(pair, "here")) == {
        "id": "",
        "source": "a",
        "target": "b",
    }
    assert unlabelled_row(make_task("translation", files()), RawRow({"translation.en": "a"}, "here")) == {"source": "a"}


# -- no text ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " \t\r\n", "\0\0", "\u200b\ufeff", "\u00ad", "\x07 \x00"])
def test_a_text_without_a_visible_character_is_none(text):
    assert is_missing(text)
    with pytest.raises(RowError, match=r"column translation\.en \(for source\): expected text"):
        canonical_row(make_task("translation", files()), RawRow({"translation": {"en": text, "de": "b"}}, "here"))


@pytest.mark.parametrize("text", ["0", "a\0", "👍", "é", "\u200bx", "…"])
def test_a_text_with_a_visible_character_is_a_text(text):
    assert not is_missing(text)


@pytest.mark.parametrize(
    "text", ['[["Anna"], "she"]', '[{"a": "Anna"}]', '{"answer": ["Anna"]}', "[1998, 2]", "[1]", "[true]"]
)
def test_a_json_list_in_csv_that_holds_no_texts_is_refused_and_not_read_as_a_text(text):
    with pytest.raises(RowError, match="column answers"):
        canonical_row(make_task("qa", files(answers="answers")), RawRow(SQUAD | {"answers": text}, "here", typed=False))


def test_json_may_be_the_text_of_a_task_that_writes_any_text():
    raw = RawRow({"source": '{"name": "Ann"}', "target": '{"first": 1}'}, "here", typed=False)
    row = canonical_row(make_task("generation", files()), raw)
    assert (row["source"], row["target"]) == ('{"name": "Ann"}', ['{"first": 1}'])


@pytest.mark.parametrize(
    ("kind", "column"), [("generation", "source"), ("summarisation", "document"), ("classification", "text")]
)
def test_texts_of_several_parts_are_read_alike_for_training_and_for_predict(kind, column):
    task, rest = make_task(kind, files()), {"target": "a", "summary": "a", "label": "money"}
    for value, typed in ((["a b", "c"], True), ('["a b", "c"]', False), ("a b c", True)):
        raw = RawRow({column: value, **rest}, "here", typed=typed)
        assert canonical_row(task, raw)[column] == unlabelled_row(task, raw)[column] == "a b c"
    for value in ("['a b', 'c']", "('a b', 'c')"):
        for reader, typed in ((canonical_row, True), (canonical_row, False), (unlabelled_row, False)):
            with pytest.raises(RowError, match="was printed as text"):
                reader(task, RawRow({column: value, **rest}, "here", typed=typed))


def test_words_that_were_printed_as_text_are_refused():
    task = make_task("ner", files(), types=["PER"])
    for reader in (canonical_row, unlabelled_row):
        with pytest.raises(RowError, match=r"column tokens: .* was printed as text"):
            reader(task, RawRow({"tokens": "['Ann', 'ran']", "ner_tags": "B-PER O"}, "here", typed=False))


@pytest.mark.parametrize("column", ["id", "title", "question", "context", "answers.text"])
def test_nul_in_a_text_is_an_error(column):
    row = SQUAD | ({"answers": {"text": ["a\0b"]}} if "." in column else {column: "a\0b"})
    with pytest.raises(RowError, match=r"'a\\x00b' holds the character NUL"):
        canonical_row(make_task("qa", files()), RawRow(row, "here"))


def test_parts_of_a_text_that_hold_several_texts_are_refused_with_a_way_out():
    turns = [{"speaker": "Ann", "said": "Hello."}, {"speaker": "Ben", "said": "Hi."}]
    with pytest.raises(RowError, match=r"several texts \('speaker', 'said'\).*columns: \{document: ….said\}"):
        joined_text({"document": turns}, "document")
    assert joined_text({"document": [{"text": "Hello.", "start": 0}, {"text": "Hi."}]}, "document") == "Hello. Hi."
    for parts in ([], ["", " "]):
        with pytest.raises(RowError, match=re.escape(f"column document: expected text, found {parts!r}")):
            joined_text({"document": parts}, "document")
