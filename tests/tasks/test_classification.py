"""Classification of texts and of pairs: rows, label words, baselines."""

import pytest
from pydantic import ValidationError

from tests.support.rows_of_tasks import make_task, predict_baseline
from tunegrid.data.formats import ClassIndex, RawRow
from tunegrid.tasks import RowError
from tunegrid.tasks.rows import canonical_row, unlabelled_row

TOPICS = ("World", "Sports", "Business", "Sci/Tech")
FILES = {"kind": "files", "paths": {"train": "a.jsonl", "test": "b.jsonl"}}


def topics(**settings):
    return make_task("classification", labels=list(TOPICS), **settings)


@pytest.mark.parametrize("label", [3, "3", 3.0, "Sci/Tech", ClassIndex(3, TOPICS)])
def test_a_label_is_a_name_or_an_index(label):
    assert topics().clean({"id": None, "text": "A chip.", "label": label})["label"] == "Sci/Tech"


@pytest.mark.parametrize("label", [-1, 4, "sports", None, 1.5])
def test_a_label_that_is_none_ends_the_row(label):
    with pytest.raises(RowError, match=r"is not a label\. Valid: World, Sports, Business, Sci/Tech"):
        topics().clean({"id": None, "text": "A chip.", "label": label})


def test_parts_of_a_text_are_joined_in_json_in_csv_and_without_a_label():
    task = topics(source=FILES)
    parts = {"text": ["One. ", "Two."], "label": 0}
    assert canonical_row(task, RawRow(parts, "here"))["text"] == "One. Two."
    in_csv = {"text": '["One.", "Two."]', "label": "0"}
    assert canonical_row(task, RawRow(in_csv, "here", typed=False))["text"] == "One. Two."
    assert unlabelled_row(task, RawRow({"text": ["One.", "Two."]}, "here"))["text"] == "One. Two."
    with pytest.raises(RowError, match="column text"):
        canonical_row(task, RawRow(parts | {"text": []}, "here"))


def test_words_stand_for_labels_in_targets_and_options_and_predictions_stay_labels():
    task = topics(label_words={"Sci/Tech": "science"})
    row = {"text": "A chip.", "label": "Sci/Tech"}
    assert task.target_text(row) == "science"
    assert task.references(row) == ["Sci/Tech"]
    assert task.source_text(row, "flan-t5").endswith("- World\n- Sports\n- Business\n- science")


def test_a_word_for_no_label_is_refused():
    with pytest.raises(ValidationError, match=r"'Sport' is not a label\. .*'?Sports"):
        topics(label_words={"Sport": "games"})


def test_metrics_are_those_of_all_labels_and_one_for_each():
    names = [metric.name for metric in topics().metrics]
    assert names == ["accuracy", "macro_f1", "matthews", *(f"f1_{label}" for label in TOPICS)]


@pytest.mark.parametrize(
    ("family", "source"),
    [("t5", "sentence1: One. sentence2: Two."), ("bart", "One. </s> Two.")],
)
def test_a_pair_has_two_texts(family, source):
    task = make_task("pair-classification", source=FILES | {"columns": {"text": "premise", "text_pair": "hypothesis"}})
    row = canonical_row(task, RawRow({"premise": "One.", "hypothesis": "Two.", "label": 1}, "here"))
    assert task.source_text(row, family) == source
    assert row["label"] == "sports"
    with pytest.raises(RowError, match="no column 'hypothesis'"):
        canonical_row(task, RawRow({"premise": "One.", "label": 1}, "here"))


def test_n_grams_of_a_pair_tell_which_text_they_are_of():
    pairs = (("good", "bad", "sports"), ("bad", "good", "money"))
    train = [{"text": first, "text_pair": second, "label": label} for first, second, label in pairs] * 10
    task = make_task("pair-classification")
    assert predict_baseline(task, "ngram-logistic-regression", train, train[:2]) == ["sports", "money"]
    assert predict_baseline(task, "majority-class", train[:3], train[:2]) == ["sports"] * 2
