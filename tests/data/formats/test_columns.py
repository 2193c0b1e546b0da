"""Tagged words in columns."""

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.data.formats import read_rows
from tunegrid.data.formats.classes import declared_classes, mark_classes


def rows(tmp_path, text, name="a.conll"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8", newline="")
    return [(row.values["tokens"], row.values["ner_tags"]) for row in read_rows(file)]


TWO = [(["EU", "rejects"], ["B-ORG", "O"]), (["Ann"], ["B-PER"])]


@pytest.mark.parametrize(
    "text",
    [
        "EU B-ORG\nrejects O\n\nAnn B-PER\n",
        "EU\tB-ORG\r\nrejects\tO\r\n\r\n\r\nAnn\tB-PER",
        "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nAnn NNP B-NP B-PER\n\n",
        "EU B-ORG\nrejects O\n-DOCSTART- O\nAnn B-PER\n-DOCSTART-\n",
        "-DOCSTART-\tO\nEU\tB-ORG\nrejects\tO\n\n-DOCSTART-\tO\n\n-DOCSTART-\tO\nAnn\tx\tB-PER\n-DOCSTART-\tO",
        "# id 7\nEU\t_\tB-ORG\nrejects\t_\tO\n \n# text = Ann\nAnn\t_\tB-PER\n",
    ],
)
def test_sentences_of_two_to_four_columns(tmp_path, text):
    assert rows(tmp_path, text) == TWO


@pytest.mark.parametrize(
    "front",
    [
        lambda sentence, word: "",
        lambda sentence, word: f"doc{sentence // 2}\t",  # of a document
        lambda sentence, word: f"{word + 1}\t",  # CoNLL-U's numbers of words
        lambda sentence, word: f"doc{sentence // 2}\t0\t{word}\t",  # CoNLL-2012
    ],
)
def test_columns_before_the_words_are_no_words(tmp_path, front):
    sentences = [["Ha", "ha", "ha"][: 2 + n % 2] if n % 4 else ["1", f"is {n}", "1"] for n in range(8)]
    lines = [
        "".join(f"{front(n, i)}{word}\tX\tO\n" for i, word in enumerate(words)) for n, words in enumerate(sentences)
    ]
    assert [tokens for tokens, _ in rows(tmp_path, "\n".join(lines))] == sentences


def test_few_sentences_have_their_words_in_the_first_column(tmp_path):
    assert rows(tmp_path, "no O\nno O\n\n1 O\n2 O\n") == [(["no", "no"], ["O"] * 2), (["1", "2"], ["O"] * 2)]


def test_a_sentence_stands_where_its_first_word_does(tmp_path):
    file = tmp_path / "a.conll"
    file.write_text("# id 7\nEU B-ORG\nrejects O\n\n\nAnn B-PER\n")
    assert [row.where for row in read_rows(file)] == [f"{file}, line 2", f"{file}, line 6"]


def test_a_number_sign_can_be_a_word(tmp_path):
    assert rows(tmp_path, "# O\n1 O\n") == [(["#", "1"], ["O", "O"])]


@pytest.mark.parametrize(
    ("text", "says"), [("EU\n", "line 1: has one column"), ("a b O\nc O\n", "line 2: has 2 columns")]
)
def test_lines_that_are_no_columns(tmp_path, text, says):
    with pytest.raises(TuneGridError, match=says):
        rows(tmp_path, text)


@pytest.mark.parametrize("kind", ["Sequence", "List", "LargeList"])
def test_lists_of_classes_have_names(kind):
    features = {"ner_tags": {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": kind}}
    values = {"ner_tags": [1, 0, 7]}
    mark_classes(values, declared_classes(features))
    assert [tag.name for tag in values["ner_tags"]] == ["B-PER", "O", None]
