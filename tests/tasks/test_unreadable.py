"""Characters that a tokenizer has no token for."""

import pytest

from tests.support.letters import letter_tokenizer
from tests.support.rows_of_tasks import make_task
from tunegrid.tasks.unreadable import Unread, unreadable


def test_characters_that_become_the_unknown_token_are_named():
    texts = ["Wien", "Köln, Süd", "☃ ☃", "", "a\tb"]
    assert unreadable(letter_tokenizer(), texts) == [set(), {"ö", "ü"}, {"☃"}, set(), set()]


def test_a_character_that_is_known_in_some_words_alone_is_unreadable_elsewhere():
    assert unreadable(letter_tokenizer(pieces=("▁Über",)), ["Über", "der Übel", "aÜ"]) == [set(), {"Ü"}, {"Ü"}]


def test_a_name_of_the_unknown_token_in_a_text_is_text():
    assert unreadable(letter_tokenizer("abcdefghijklmnopqrstuvwxyz<>"), ["an <unk> b"]) == [set()]


@pytest.mark.parametrize("text", ["schön ☃ 中文", "🏳️‍🌈 \u200b"])
def test_bytes_know_every_character(tokenizers, text):
    assert unreadable(tokenizers["bart"], [text]) == [set()]


def test_what_a_tokenizer_drops_without_a_token_is_unreadable():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(vocab={"<pad>": 0, "a": 1, "b": 2}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    silent = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")
    assert silent("aöb")["input_ids"] == [1, 2]
    assert unreadable(silent, ["a b", "aöb ö"]) == [set(), {"ö"}]


def test_of_a_word_that_is_given_up_whole_the_unknown_characters_are_named():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"[UNK]": 0, "a": 1, "##b": 2, "b": 3, "##a": 4}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
    assert words("abö ab")["input_ids"] == [0, 1, 2]
    assert unreadable(words, ["abö ab"]) == [{"ö"}]


def test_a_warning_counts_rows_and_names_the_commonest_characters():
    unread = Unread(make_task("translation"), letter_tokenizer())
    assert unread.warning() is None
    unread.add([{"source": "Wien"}])
    assert unread.warning() is None
    unread.add([{"source": "Köln"}, {"source": "schön grün"}])
    assert unread.warning() == (
        "2 of 3 rows hold characters that the model's vocabulary does not have (ö, ü): it answers as if they were not "
        "there."
    )
    unread.add([{"source": "àáâãäåæçèé"}])
    assert "(ö, " in unread.warning()
    assert ", …)" in unread.warning(), "ten are named"
