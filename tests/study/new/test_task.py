"""What a task's settings are made of: labels, types and schemes of entities, prompts of languages, rows left out."""

from pathlib import Path

import pytest

from tests.support.rows_in_files import write
from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats import ClassIndex
from tunegrid.study.new.look import Column, look
from tunegrid.study.new.propose import columns_for
from tunegrid.study.new.task import as_name, draft


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def drafted(kind: str, rows: list[dict], mapping: dict[str, str] | None = None, **options):
    write(rows, "rows.jsonl")
    paths = {"train": Path("rows.jsonl")}
    looked = look(paths)
    mapping = mapping or columns_for(kind, looked.columns)
    return draft(kind, looked, paths, mapping, test_share=0.2, **options)


def labelled(labels: list, **more) -> list[dict]:
    return [{"text": f"a text {number}", "label": label, **more} for number, label in enumerate(labels)]


LABELS = {
    "words": (["b", "a"] * 8, ["a", "b"]),
    "numbers, by their size": ([10, 9, 1.0] * 6, ["1", "9", "10"]),
    "flags": ([True, False] * 8, ["false", "true"]),
}


@pytest.mark.parametrize(("labels", "names"), LABELS.values(), ids=LABELS)
def test_labels_are_the_values_of_the_column(labels, names):
    made = drafted("classification", labelled(labels))
    assert made.settings["labels"] == names
    assert made.counts.total() == len(made.rows["train"]) == len(labels)
    assert {row["label"] for row in made.rows["train"]} == set(names)


def test_names_of_labels_stand_for_their_indices():
    made = drafted("classification", labelled([0, 1, 2] * 6), labels=["no", "yes", "maybe"])
    assert made.settings["labels"] == ["no", "yes", "maybe"]
    assert [row["label"] for row in made.rows["train"][:3]] == ["no", "yes", "maybe"]
    column = Column("label")
    for number in (0, 1, 0):
        column.add(ClassIndex(number, ("no", "yes", "unused")))
    assert (column.classes, column.values) == (("no", "yes", "unused"), {"no": 2, "yes": 1})


@pytest.mark.parametrize(("labels", "positive"), [(["neg", "pos"], "pos"), (["bad", "fine"], "fine"), ([0, 1], "1")])
def test_the_positive_label_of_a_sentiment(labels, positive):
    assert drafted("sentiment", labelled(labels * 8)).settings["positive"] == positive


def test_a_column_of_one_value_or_of_too_many_has_no_labels():
    with pytest.raises(TuneGridError, match="no column for label"):
        drafted("classification", labelled(["a"] * 20))
    write(rows := labelled([str(number) for number in range(1_100)]), "rows.jsonl")
    looked = look(paths := {"train": Path("rows.jsonl")})
    with pytest.raises(TuneGridError, match=r"more than 1,000 different values.*--kind generation"):
        draft("classification", looked, paths, {"text": "text", "label": "label"})
    assert len(rows) == 1_100


SCHEMES = {
    "iob2": ["B-per", "I-per", "O", "B-loc"],
    "iob1": ["I-per", "I-per", "O", "I-loc"],
    "bioes": ["B-per", "E-per", "O", "S-loc"],
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_scheme_of_tags_is_the_one_that_fits(scheme):
    made = drafted("ner", [{"tokens": ["Ann", "Lee", "likes", "Rome"], "ner_tags": SCHEMES[scheme]}] * 12)
    assert made.settings == {"types": ["loc", "per"], "scheme": scheme}
    assert made.rows["train"][0]["entities"] == "Ann Lee: per; Rome: loc"
    assert made.counts == {"loc": 12, "per": 12}


def test_tags_inside_a_list_of_words():
    words = [{"form": "Ann", "tag": "B-per"}, {"form": "left", "tag": "O"}]
    made = drafted("ner", [{"words": words}] * 12, mapping={"tokens": "words.form", "tags": "words.tag"})
    assert made.settings == {"types": ["per"], "scheme": "iob2"}
    assert made.rows["train"][0]["entities"] == "Ann: per"


def test_indices_of_tags_need_their_names():
    rows = [{"tokens": ["Ann", "left"], "ner_tags": [1, 0]}] * 12
    with pytest.raises(TuneGridError, match=r"indices 0 to 1 of tags.*--labels O,B-"):
        drafted("ner", rows)
    made = drafted("ner", rows, labels=["O", "B-per", "I-per"])
    assert made.settings == {"types": ["per"], "scheme": "iob2", "tags": ["O", "B-per", "I-per"]}
    assert made.rows["train"][0]["entities"] == "Ann: per"


def test_types_of_spans():
    made = drafted("ner", [{"text": "Ann left", "entities": [[0, 3, "per"]]}, {"text": "No", "entities": []}] * 6)
    assert (made.settings, made.counts) == ({"types": ["per"]}, {"per": 6})


def test_prompts_of_a_translation_name_its_languages():
    made = drafted("translation", [{"fr": f"un {number}", "es": f"uno {number}"} for number in range(12)])
    assert made.settings["prompts"]["t5"] == "translate French to Spanish: {source}"
    assert drafted("translation", [{"en": f"a {n}", "de": f"ein {n}"} for n in range(12)]).settings == {}
    unknown = drafted("translation", [{"source": f"a {n}", "target": f"b {n}"} for n in range(12)])
    assert "name source and target language" in unknown.notes[0]


def test_rows_that_cannot_be_used_are_left_out_and_counted_and_many_are_an_error():
    made = drafted("classification", [*labelled(["a", "b"] * 20), {"text": "", "label": "a"}])
    assert made.source["unusable_rows"] == "skip"
    assert made.unusable[0] == 1
    assert "rows.jsonl, line 41: column text" in made.unusable[1]
    with pytest.raises(TuneGridError, match=r"10 of 20 rows cannot be used\. The first: rows.jsonl, line 2"):
        drafted("classification", _half_empty())
    with pytest.raises(TuneGridError, match=r"4 row\(s\) make no study"):
        drafted("classification", labelled(["a", "b"] * 2))


def _half_empty() -> list[dict]:
    return [
        row if number % 2 == 0 else row | {"text": ""} for number, row in enumerate(labelled(["a", "a", "b", "b"] * 5))
    ]


def test_ids_that_stand_twice_are_none_of_the_tasks():
    made = drafted("classification", labelled(["a", "b"] * 8, id="same"))
    assert made.source["columns"] == {"id": None}
    assert "`id` has some value twice" in made.notes[0]


@pytest.mark.parametrize(
    ("text", "name"), [("my rows_v2.final", "my-rows-v2-final"), ("日本", "mine"), ("a" * 80, "a" * 64)]
)
def test_names_of_studies(text, name):
    assert as_name(text) == name
