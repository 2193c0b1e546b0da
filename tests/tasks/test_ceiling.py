"""Ceilings of a vocabulary of letters, with every count and score made by hand."""

import pytest

from tests.support.letters import LETTERS, letter_tokenizer
from tests.support.rows_of_tasks import make_task, qa
from tunegrid.tasks.ceiling import CeilingRecord, LostCharacter, ceiling

WIDE = {"max_target_length": 64, "generation": {"max_new_tokens": 64}}


def translation(number: int, target: str, source: str = "a") -> dict:
    return {"id": str(number), "source": source, "target": target}


def lost(characters: list[LostCharacter]) -> list[tuple[str, int]]:
    return [(each.character, each.rows) for each in characters]


def test_an_answer_with_a_letter_that_the_vocabulary_lacks_can_never_be_exact():
    rows = [
        qa("x", ["Österreich"], 0),  # comes back as "sterreich"
        qa("x", ["in Österreich"], 1),  # "in sterreich": one word of two
        qa("x", ["Wien"], 2),
        qa("x", ["Köln", "Cologne"], 3),  # the second of its answers can be given
    ]
    record = ceiling(make_task("qa", **WIDE), letter_tokenizer(), rows)
    assert record.references == {"exact_match": 1.0, "f1": 1.0}
    assert record.written == {"exact_match": 2 / 4, "f1": (0 + 1 / 2 + 1 + 1) / 4}
    assert record.within_lengths == record.written
    assert (record.examples, record.not_written, record.too_long) == (4, 2, 0)
    assert lost(record.lost_characters) == [("Ö", 2)]


def test_of_several_references_the_best_counts_where_none_can_be_written():
    rows = [qa("x", ["Köln Süd", "in Köln am Rhein"], 0)]  # "Kln Sd" shares no word, "in Kln am Rhein" three of four
    record = ceiling(make_task("qa", **WIDE), letter_tokenizer(), rows)
    assert record.written == {"exact_match": 0.0, "f1": pytest.approx(3 / 4)}
    assert (record.not_written, lost(record.lost_characters)) == (1, [("ö", 1)]), "of the answer that loses least"


def test_bleu_is_that_of_the_decoded_references():
    from sacrebleu.metrics import BLEU

    references = ["der Hund sieht die schöne Katze", "Anna sieht das Haus am See", "das Mädchen"]
    rows = [translation(number, text) for number, text in enumerate(references)]
    record = ceiling(make_task("translation", **WIDE), letter_tokenizer(), rows)
    decoded = ["der Hund sieht die schne Katze", "Anna sieht das Haus am See", "das Mdchen"]
    assert record.written["bleu"] == pytest.approx(BLEU().corpus_score(decoded, [references]).score / 100)
    assert record.references["bleu"] == pytest.approx(1.0)
    assert (record.not_written, lost(record.lost_characters)) == (2, [("ä", 1), ("ö", 1)])


def test_a_reference_longer_than_the_lengths_lowers_the_second_number_alone():
    texts = ["abc", "abcd", "ab c", "abc d"]  # with the blank before each, 4, 5, 5 and 6 tokens
    rows = [qa("x", [text], number) for number, text in enumerate(texts)]
    settings = {"max_target_length": 64, "generation": {"max_new_tokens": 5}}
    record = ceiling(make_task("qa", **settings), letter_tokenizer(), rows)
    assert (record.longest_target, record.too_long, record.written["exact_match"]) == (6, 1, 1.0)
    assert record.within_lengths["exact_match"] == 3 / 4  # "abc " is left of the last
    assert record.within_lengths["f1"] == pytest.approx((3 + 2 / 3) / 4)
    trained = ceiling(make_task("qa", max_target_length=5, generation={"max_new_tokens": 64}), letter_tokenizer(), rows)
    assert trained.too_long == 3, "of five tokens that a target may have in training the end is one"
    assert trained.within_lengths["exact_match"] == 1 / 4
    assert (trained.max_target_length, trained.max_new_tokens) == (5, 64)


def test_other_white_space_is_counted_by_itself():
    rows = [qa("x", ["a  b"], 0), qa("x", ["a b"], 1), qa("x", ["a\tb"], 2), qa("x", ["a ö"], 3)]
    tokenizer = letter_tokenizer()
    record = ceiling(make_task("qa", **WIDE), tokenizer, rows)
    written = [tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) for text in ("a  b", "a\tb")]
    assert written == ["a  b", "ab"], "this tokenizer keeps blanks, and has no tab"
    assert (record.not_written, record.spacing_changed) == (2, 0)
    assert lost(record.lost_characters) == [("ö", 1)], "a tab is no character to show"
    from tokenizers import normalizers

    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("\t", " ")
    record = ceiling(make_task("qa", **WIDE), tokenizer, rows)
    assert (record.not_written, record.spacing_changed) == (1, 1)


def test_tokens_per_word_are_of_the_text_without_prompt_and_special_tokens():
    rows = [translation(0, "ab cd e", "abc de"), translation(1, "abc", "a")]
    record = ceiling(make_task("translation", **WIDE), letter_tokenizer(), rows)
    assert record.source.model_dump() == {"texts": 2, "words": 3, "tokens": (1 + 3 + 1 + 2) + 2}
    assert record.target.model_dump() == {"texts": 2, "words": 4, "tokens": (1 + 2 + 1 + 2 + 1 + 1) + 4}


def test_rows_whose_source_cannot_be_read_are_counted():
    rows = [translation(0, "a", "schön grün"), translation(1, "a", "schön"), translation(2, "a", "a </s> b")]
    record = ceiling(make_task("translation", **WIDE), letter_tokenizer(LETTERS + "</>"), rows)
    assert (record.unread, lost(record.unread_characters)) == (2, [("ö", 2), ("ü", 1)])


def test_labels_can_always_be_chosen_unless_their_words_are_the_same_tokens():
    rows = [{"id": str(i), "text": "a", "label": label} for i, label in enumerate(["Gut", "Schön", "Schän", "Gut"])]
    labels = {"labels": ["Gut", "Schön", "Schän"], "positive": "Gut", **WIDE}
    record = ceiling(make_task("sentiment", **labels), letter_tokenizer(), rows)
    assert record.written["accuracy"] == 3 / 4, "of two labels that are the same tokens the first is chosen"
    assert record.references["accuracy"] == 1.0
    assert (record.not_written, lost(record.lost_characters)) == (2, [("ä", 1), ("ö", 1)])
    assert [(word.word, word.tokens, word.written) for word in record.labels] == [
        ("Gut", 5, True), ("Schön", 7, False), ("Schän", 7, False),
    ]  # fmt: skip
    alone = ceiling(
        make_task("sentiment", labels=["Gut", "Schön"], positive="Gut", **WIDE), letter_tokenizer(), rows[:2]
    )
    assert alone.written["accuracy"] == 1.0, "unlike any other, it can be chosen"


def test_what_even_the_right_answers_score_is_known():
    """One row of two words has no 4-gram; a test set without a positive row has no F1."""
    short = ceiling(make_task("translation", **WIDE), letter_tokenizer(), [translation(0, "ein Hund")])
    assert short.references["bleu"] == short.written["bleu"] == 0.0
    rows = [{"id": "0", "text": "a", "label": "negative"}]
    one_class = ceiling(make_task("sentiment", **WIDE), letter_tokenizer(), rows)
    assert one_class.references == {"accuracy": 1.0, "precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_the_record_survives_json():
    record = ceiling(make_task("qa", **WIDE), letter_tokenizer(), [qa("x", ["Ö"], 0)])
    assert CeilingRecord.model_validate_json(record.model_dump_json()) == record
