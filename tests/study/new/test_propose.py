"""The kind of a task and its columns, by the names and values of layouts that people have."""

import json
from pathlib import Path

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.study.new.look import look
from tunegrid.study.new.propose import columns_for, guess, language, missing, other_labels, unique_id

LONG = "One sentence of a text. Another one, which goes on for a while. And a third one at its end, with number {}."
TEXTS = [LONG.format(number) for number in range(12)]


def rows(**columns) -> list[dict]:
    return [{name: make(number) for name, make in columns.items()} for number in range(12)]


LAYOUTS = {
    "gold labels beside those of each annotator": (
        rows(sentence1=TEXTS.__getitem__, sentence2=lambda n: f"So {n}.", annotator_labels=lambda n: "ab"[n % 2], gold_label=lambda n: "abc"[n % 3]),
        "pair-classification",
        {"text": "sentence1", "text_pair": "sentence2", "label": "gold_label"},
    ),
    "tickets with a queue": (
        rows(channel=lambda n: "ab"[n % 2], body=TEXTS.__getitem__, priority=lambda n: "ab"[n % 2], queue=lambda n: "abc"[n % 3]),
        "classification",
        {"text": "body", "label": "queue"},
    ),
    "a summary in German, beside a section": (
        rows(ressort=lambda n: "ab"[n % 2], artikel=TEXTS.__getitem__, zusammenfassung=lambda n: f"Kurz: {n}."),
        "summarisation",
        {"document": "artikel", "summary": "zusammenfassung"},
    ),
    "AG News": (rows(text=TEXTS.__getitem__, label=lambda n: n % 4), "classification", {"text": "text", "label": "label"}),
    "MASSIVE": (rows(id=str, utt=TEXTS.__getitem__, intent=lambda n: "ab"[n % 2]), "classification", {"text": "utt", "label": "intent"}),
    "labels of many words": (
        rows(text=TEXTS.__getitem__, group=lambda n: f"a long description of the label that is called number {n % 2}"),
        "classification",
        {"text": "text", "label": "group"},
    ),
    "MNLI": (
        rows(premise=TEXTS.__getitem__, hypothesis=lambda n: f"So {n}.", label=lambda n: n % 3),
        "pair-classification",
        {"text": "premise", "text_pair": "hypothesis", "label": "label"},
    ),
    "PubMedQA": (
        rows(question=lambda n: f"Is it {n}?", context=lambda n: {"contexts": [TEXTS[n]]}, final_decision=lambda n: ["yes", "no"][n % 2]),
        "pair-classification",
        {"text": "question", "text_pair": "context.contexts", "label": "final_decision"},
    ),
    "BoolQ": (
        rows(question=lambda n: f"is it {n}", title=lambda n: f"title {n}", answer=lambda n: n % 2 == 0, passage=TEXTS.__getitem__),
        "pair-classification",
        {"text": "question", "text_pair": "passage", "label": "answer"},
    ),
    "spans under another name, in a nested text": (
        rows(data=lambda n: {"text": TEXTS[n]}, marks=lambda n: [{"begin": 0, "stop": 3, "entity_group": "NUM"}]),
        "ner",
        {"text": "data.text", "spans": "marks"},
    ),
    "an input that most rows do not have": (
        rows(instruction=TEXTS.__getitem__, input=lambda n: "" if n % 3 else f"in {n}", output=lambda n: f"The answer is {n} of them."),
        "generation",
        {"source": "instruction", "target": "output"},
    ),
    "languages by their own names": (
        rows(**{"English (source)": lambda n: f"A dog {n}.", "Français": lambda n: f"Un chien {n}."}),
        "translation",
        {"source": "English (source)", "target": "Français"},
    ),
    "SQuAD": (
        rows(title=lambda n: "ab"[n % 2], context=TEXTS.__getitem__, question=lambda n: f"who {n}?",
             answers=lambda n: {"text": [f"Anna {n}"], "answer_start": [n]}),
        "qa",
        {"group": "title", "question": "question", "context": "context", "answers": "answers.text"},
    ),
    "answers in a list of mappings": (
        rows(query=lambda n: f"who {n}?", doc=lambda n: {"body": TEXTS[n]}, gold=lambda n: [{"text": f"Anna {n}", "start": 1}]),
        "qa",
        {"question": "query", "context": "doc.body", "answers": "gold.text"},
    ),
    "WMT": (
        rows(translation=lambda n: {"de": f"Ein Hund {n}.", "en": f"A dog {n}."}),
        "translation",
        {"source": "translation.en", "target": "translation.de"},
    ),
    "columns of languages": (
        rows(french=lambda n: f"Un chien {n}.", spanish=lambda n: f"Un perro {n}."),
        "translation",
        {"source": "french", "target": "spanish"},
    ),
    "XSum": (rows(document=TEXTS.__getitem__, summary=lambda n: f"Short {n}.", id=str), "summarisation", {"document": "document", "summary": "summary"}),
    "SciTLDR": (
        rows(source=lambda n: [TEXTS[n]] * 2, target=lambda n: [f"Short {n}.", f"Brief {n}."]),
        "summarisation",
        {"document": "source", "summary": "target"},
    ),
    "an abstract inside, beside the paragraphs of a report": (
        rows(meta=lambda n: {"id": f"R-{n}", "site": {"name": "ab"[n % 2]}}, report=lambda n: {"body": {"paragraphs": [TEXTS[n], "The end."]}}, abstract=lambda n: {"text": f"Short {n}."}),
        "summarisation",
        {"document": "report.body.paragraphs", "summary": "abstract.text"},
    ),
    "WNUT-17": (
        rows(tokens=lambda n: ["Anna", "left"], ner_tags=lambda n: [1, 0]),
        "ner",
        {"tokens": "tokens", "tags": "ner_tags"},
    ),
    "spans": (
        rows(text=lambda n: f"Anna left {n}", entities=lambda n: [{"start": 0, "end": 4, "label": "PER"}]),
        "ner",
        {"text": "text", "spans": "entities"},
    ),
    "Alpaca": (
        rows(instruction=lambda n: f"Write about {n}.", output=TEXTS.__getitem__),
        "generation",
        {"source": "instruction", "target": "output"},
    ),
}  # fmt: skip


def columns_of(made: list[dict], folder: Path) -> dict:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return look({"train": folder / "rows.jsonl"}).columns


@pytest.mark.parametrize(("made", "kind", "mapping"), LAYOUTS.values(), ids=LAYOUTS)
def test_layouts_that_people_have(made, kind, mapping, tmp_path):
    columns = columns_of(made, tmp_path)
    assert guess(columns) == kind
    assert columns_for(kind, columns) == mapping
    assert missing(kind, mapping) == []


def test_columns_that_could_be_the_labels_as_well_are_named_where_no_name_tells(tmp_path):
    made = rows(number=str, channel=lambda n: "ab"[n % 2], message=TEXTS.__getitem__, urgency=lambda n: "abc"[n % 3])
    columns = columns_of(made, tmp_path)
    mapping = columns_for("classification", columns)
    assert mapping == {"text": "message", "label": "channel"}
    assert other_labels("classification", columns, mapping) == ["urgency"]
    named = columns_of([row | {"label": row["urgency"]} for row in made], tmp_path)
    assert other_labels("classification", named, columns_for("classification", named)) == []
    assert other_labels("generation", columns, columns_for("generation", columns)) == []


def test_two_columns_of_texts_without_telling_names_are_nobodys_task(tmp_path):
    columns = columns_of(rows(a=TEXTS.__getitem__, b=lambda n: f"So {n}."), tmp_path)
    assert guess(columns) is None


def test_what_the_user_names_is_taken_and_checked(tmp_path):
    columns = columns_of(rows(a=TEXTS.__getitem__, b=lambda n: f"So {n}.", c=lambda n: n % 2), tmp_path)
    assert columns_for("classification", columns, {"text": "b"}) == {"text": "b", "label": "c"}
    with pytest.raises(
        TuneGridError, match=r"txt=b: a task of kind classification has no column txt\. Did you mean text\?"
    ):
        columns_for("classification", columns, {"txt": "b"})
    with pytest.raises(TuneGridError, match=r"no such column.*Valid: a, b, c"):
        columns_for("classification", columns, {"text": "x"})
    assert missing("qa", columns_for("qa", columns, {"context": "a", "answers": "c"})) == []
    assert missing("ner", {}) == ["tokens", "tags"]


def test_an_identifier_is_in_every_row_once_and_is_called_one(tmp_path):
    made = rows(uid=str, number=lambda n: n, text=TEXTS.__getitem__, id=lambda n: n // 2)
    assert unique_id(columns_of(made, tmp_path)) == "uid"
    assert unique_id(columns_of(rows(text=TEXTS.__getitem__, id=lambda n: n // 2), tmp_path)) is None
    assert unique_id(columns_of([*rows(id=str), {"text": "x"}], tmp_path)) == "id"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("translation.de", "German"),
        ("text_fr", "French"),
        ("Spanish", "Spanish"),
        ("text", None),
        ("Text (日本語)", "Japanese"),
        ("Tiếng Việt", "Vietnamese"),
        ("pt-BR", "Portuguese"),
        ("Nr.", None),
    ],
)
def test_languages_of_columns(name, found):
    assert language(name) == found
