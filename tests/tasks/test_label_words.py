"""Label words that a model could not be trained on, or could not tell apart, end before any job."""

import pytest

from tests.support.letters import LETTERS, letter_tokenizer
from tests.support.rows_of_tasks import make_task
from tunegrid.common.errors import TuneGridError
from tunegrid.models.families import FAMILIES
from tunegrid.tasks import TASKS
from tunegrid.tasks.label_words import check_label_words


def sentiment(labels: list[str], limit: int):
    return make_task("sentiment", labels=labels, positive=labels[-1], max_target_length=limit)


def test_the_longest_label_word_needs_its_tokens_and_the_end():
    labels = ["bad", "excellent"]  # with blank and end, 5 and 11 tokens
    check_label_words(sentiment(labels, 11), letter_tokenizer(), "the model")
    with pytest.raises(
        TuneGridError, match=r"max_target_length .* is 10, but the label word 'excellent' takes 11 .*11 or"
    ):
        check_label_words(sentiment(labels, 10), letter_tokenizer(), "the model")


@pytest.mark.parametrize("labels", [["Ä", "Ö"], ["gut", "güt", "göt"], ["👍", "👎"]])
def test_labels_that_lose_their_difference_are_named(labels):
    with pytest.raises(TuneGridError, match=rf"'{labels[-2]}' and '{labels[-1]}' .* are the same tokens for the model"):
        check_label_words(sentiment(labels, 64), letter_tokenizer(LETTERS.replace("ä", "")), "the model")


def test_a_word_that_is_a_special_token_is_refused():
    with pytest.raises(TuneGridError, match=r"'</s>', a special token of the model"):
        check_label_words(sentiment(["a</s>", "b"], 64), letter_tokenizer(LETTERS + "</>"), "the model")


def test_the_words_of_the_family_count_not_the_labels():
    family = FAMILIES["t5"].model_copy(update={"label_words": {"sentiment": {"positive": "yes", "negative": "no"}}})
    task = sentiment(["negative", "positive"], 5)
    check_label_words(TASKS["sentiment"](task.settings, family), letter_tokenizer(), "the model")
    with pytest.raises(TuneGridError, match="takes 10 tokens"):
        check_label_words(task, letter_tokenizer(), "the model")


def test_a_task_that_generates_has_none():
    check_label_words(make_task("qa", max_target_length=3), letter_tokenizer(), "the model")
