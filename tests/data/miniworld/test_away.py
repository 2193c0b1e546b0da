"""The second domain of the generated world, beside which the first one keeps its bits."""

import hashlib
import json
from itertools import islice

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.data import miniworld
from tunegrid.data.miniworld import lexicon
from tunegrid.data.miniworld.keys import SPLITS, split_of
from tunegrid.data.miniworld.stories import world

# Of 200 rows of seed 0 each, and of 300 documents and exercises of seed 3: what the packaged models were pretrained on.
HOME = {
    ("qa", "train"): "14d0033db6c692f9",
    ("qa", "validation"): "47f6f79880cddf94",
    ("qa", "test"): "69536405d6b92c35",
    ("translation", "train"): "0bae8bf4beaf0235",
    ("translation", "validation"): "814ec4bbe446294d",
    ("translation", "test"): "204394442c25c8b2",
    ("sentiment", "train"): "a8d6b5a468ab426e",
    ("sentiment", "validation"): "efcf568d9c7338c4",
    ("sentiment", "test"): "eb3cffdff5239dfe",
    ("classification", "train"): "3b16f49df73915e1",
    ("classification", "validation"): "32a9ba70e234e535",
    ("classification", "test"): "8b1c65eb273f9b43",
    ("ner", "train"): "e6143ef2c4a9a9a3",
    ("ner", "validation"): "48abe6494d0ed413",
    ("ner", "test"): "2caf991e1319bd3c",
    ("summarisation", "train"): "53695b40cf89ed80",
    ("summarisation", "validation"): "0a277bf27ae33234",
    ("summarisation", "test"): "c7c8c0695f9b52bf",
    ("generation", "train"): "903fb67be77dd04a",
    ("generation", "validation"): "7203fb7978302c72",
    ("generation", "test"): "eb02b91c7876af16",
}
DOCUMENTS, INSTRUCTIONS = "8f4f288d2dc87e9f", "0e57bcbb54ea20f4"
TASKS = miniworld.TASKS


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_the_rows_and_texts_of_the_first_domain_keep_their_bits():
    assert {key: digest(json.dumps(miniworld.rows(*key, 200, 0))) for key in HOME} == HOME
    assert digest("\n".join(islice(miniworld.documents(3), 300))) == DOCUMENTS
    assert digest(json.dumps(list(islice(miniworld.instructions(3), 300)))) == INSTRUCTIONS


@pytest.mark.parametrize("task", TASKS)
def test_rows_of_the_second_domain_are_other_ones_by_seed_and_by_split(task):
    rows = {split: miniworld.rows(task, split, 100, 1, "away") for split in SPLITS}
    texts = {split: {text for row in part for text in miniworld.row_texts(task, row)} for split, part in rows.items()}
    assert not texts["train"] & texts["test"]
    assert not texts["validation"] & texts["test"]
    home = {text for row in miniworld.rows(task, "test", 300, 1) for text in miniworld.row_texts(task, row)}
    assert not texts["test"] & home
    assert rows["test"] == miniworld.rows(task, "test", 100, 1, "away") != miniworld.rows(task, "test", 100, 2, "away")
    assert rows["test"][0]["id"] == f"away-{task}-test-00000"
    assert rows["test"][0].keys() == miniworld.rows(task, "test", 1, 1)[0].keys()


def test_words_and_style_differ():
    home, away = world("home"), world("away")
    assert len(set(home.people) & set(away.people)) == len(set(away.people) - set(home.people)) == 8
    told = {text for relation in home.relations for text in relation.statements}
    assert not told & {text for relation in away.relations for text in relation.statements}
    new = set(lexicon.nouns("away").beings) - set(lexicon.BEINGS)
    rows = miniworld.rows("translation", "test", 200, 1, "away")
    assert 60 < sum(any(f" {noun.english} " in row["source"] for noun in new) for row in rows) < 180
    for row in miniworld.rows("translation", "test", 50, 1, "away"):
        assert split_of(row["source"]) == split_of(row["target"]) == "test"
        assert any(f" {word} " in row["source"] for word in lexicon.CONJUNCTIONS)
    reviews = miniworld.rows("sentiment", "test", 200, 1, "away")
    assert all(row["text"] == row["text"].lower() for row in reviews)
    assert 60 < sum(row["label"] == "positive" for row in reviews) < 140


def test_questions_have_their_answer_in_the_context_and_among_the_candidates():
    for row in miniworld.rows("qa", "test", 100, 1, "away"):
        assert row["answers"][0] in row["context"]
        assert row["answers"][0] in row["candidates"]


def test_a_domain_that_there_is_not_is_named():
    with pytest.raises(TuneGridError, match="home, away"):
        miniworld.rows("qa", "test", 1, 1, "abroad")
