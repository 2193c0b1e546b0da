"""Sentiment: cleaned reviews and the baselines."""

import pytest

from tests.support.rows_of_tasks import make_task, predict_baseline
from tunegrid.tasks import RowError


def test_html_breaks_of_a_review_are_removed():
    row = {"id": None, "text": "good<br /><br />film", "label": 1}
    assert make_task("sentiment").clean(row)["text"] == "good  film"


def test_a_review_of_breaks_alone_is_empty():
    with pytest.raises(RowError, match="text"):
        make_task("sentiment").clean({"id": None, "text": "<br /><br />", "label": 1})


def test_the_majority_class_is_the_training_rows_and_ties_do_not_depend_on_order():
    rows = [{"label": label} for label in ("positive", "negative", "positive")]
    task = make_task("sentiment")
    assert predict_baseline(task, "majority-class", rows, [{}, {}]) == ["positive"] * 2
    assert predict_baseline(task, "majority-class", rows[:2], [{}]) == predict_baseline(
        task, "majority-class", rows[1::-1], [{}]
    )


def test_n_grams_learn_what_words_and_their_order_tell():
    train = [
        {"text": text, "label": label} for text, label in (("very good", "positive"), ("not good", "negative"))
    ] * 10
    test = [{"text": "very good"}, {"text": "not good"}]
    assert predict_baseline(make_task("sentiment"), "ngram-logistic-regression", train, test) == [
        "positive",
        "negative",
    ]
