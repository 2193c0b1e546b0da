"""Rows to token ids: what is cut, what is never cut, and the account of it."""

import json
from functools import partial
from pathlib import Path

import pytest

from tests.support.rows_of_tasks import make_task, write_splits
from tunegrid.common.errors import TuneGridError
from tunegrid.data.parquet import read_parquet

FAMILIES = ("t5", "flan-t5", "bart")
LIMIT = 40
LONG = " ".join(["the old key is in the garden"] * 8)


def qa(number: int, context: str, answer: str) -> dict:
    return {
        "id": f"{number}",
        "group": "",
        "question": "where is the key?",
        "context": context,
        "answers": [answer],
        "candidates": [],
    }


ROWS = [
    qa(0, "the key is in the house", "house"),
    qa(1, "first " + LONG, "first"),  # cut, the answer stays
    qa(2, LONG + " last", "last"),  # cut, the answer is lost
    qa(3, "a red dog", "red"),
    qa(4, "one " + LONG + " one", "one"),  # cut, the first of two places of the answer stays
    qa(5, "the dog ☃ sees ☃☃", "☃"),
]


@pytest.fixture
def tokenised(checkpoints, tmp_path):
    """(token ids of the test split, stats of it, tokenizer) of a task's rows."""
    from tunegrid.data.tokens import load_tokenizer, read_tokens
    from tunegrid.stages.tokenise import tokenise

    def run(family: str, rows: list[dict] = ROWS, kind: str = "qa", **settings):
        data, out = tmp_path / "data", tmp_path / "tokens"
        write_splits(rows, data)
        if kind == "qa":
            settings = {"long_contexts": "cut", **settings}
        task = make_task(kind, **{"max_source_length": LIMIT, "max_target_length": 12, **settings})
        tokenise(task, family, data, checkpoints / family, out)
        stats = json.loads((out / "stats.json").read_text())["splits"]["test"]
        return read_tokens(out / "test.arrow").to_pylist(), stats, load_tokenizer(checkpoints / family)

    return run


@pytest.mark.parametrize("family", FAMILIES)
def test_no_limit_is_exceeded_and_the_order_is_kept(tokenised, family):
    ids, stats, tokenizer = tokenised(family)
    assert [len(row["input_ids"]) <= LIMIT for row in ids] == [True] * 6
    assert [len(row["labels"]) <= 12 for row in ids] == [True] * 6
    answers = [tokenizer.decode(row["labels"], skip_special_tokens=True).strip() for row in ids]
    assert answers[:5] == ["house", "first", "last", "red", "one"]
    assert stats["rows"] == 6


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_end_of_the_context_is_cut_and_the_question_survives(tokenised, family):
    ids, _, tokenizer = tokenised(family)
    task = make_task("qa")
    for number in (1, 2, 4):
        text = tokenizer.decode(ids[number]["input_ids"], skip_special_tokens=True)
        empty = task.source_text(ROWS[number] | {"context": "\0"}, family)
        before, after = (part.replace("</s>", "").split() for part in empty.split("\0"))
        words = text.split()
        assert words[: len(before)] == before
        assert words[len(words) - len(after) :] == after
        kept = words[len(before) : len(words) - len(after)]
        assert kept
        assert ROWS[number]["context"].startswith(" ".join(kept))
        assert len(ids[number]["input_ids"]) > LIMIT - 8, "more was cut than had to be"
        assert ids[number]["input_ids"][-1] == tokenizer.eos_token_id


@pytest.mark.parametrize("family", FAMILIES)
def test_what_fits_is_left_as_the_tokenizer_made_it(tokenised, family):
    ids, _, tokenizer = tokenised(family)
    for number in (0, 3, 5):
        assert ids[number]["input_ids"] == tokenizer(make_task("qa").source_text(ROWS[number], family))["input_ids"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_account_counts_cuts_and_lost_answers(tokenised, family):
    _, stats, tokenizer = tokenised(family)
    assert (stats["sources_cut"], stats["targets_cut"], stats["answers_lost"]) == (3, 0, 1)
    lengths = [len(tokenizer(make_task("qa").source_text(row, family))["input_ids"]) for row in ROWS]
    assert stats["source_length"]["1.0"] == max(lengths), "lengths are those before the cut"


def test_unknown_tokens_are_counted_where_a_vocabulary_has_them(tokenised, tmp_path):
    ids, stats, tokenizer = tokenised("t5")
    everything = [token for row in ids for token in row["input_ids"] + row["labels"]]
    assert stats["unknown_tokens"] == everything.count(tokenizer.unk_token_id) >= 3
    unknown = read_parquet(tmp_path / "tokens/unknown.parquet")
    sources = [row["input_ids"].count(tokenizer.unk_token_id) for row in ids]
    assert [row["unknown"] for row in unknown] == sources
    assert tokenised("bart")[1]["unknown_tokens"] == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_target_that_is_cut_still_ends(tokenised, family):
    rows = [{"id": "1", "source": "a dog", "target": LONG}, {"id": "2", "source": "a dog", "target": "a"}]
    ids, stats, tokenizer = tokenised(family, rows, kind="translation")
    assert len(ids[0]["labels"]) == 12
    assert ids[0]["labels"][-1] == tokenizer.eos_token_id
    assert LONG.startswith(tokenizer.decode(ids[0]["labels"], skip_special_tokens=True).strip())
    assert (stats["targets_cut"], stats["sources_cut"]) == (1, 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_that_is_too_long_by_itself_is_cut_and_ends(tokenised, family):
    ids, stats, tokenizer = tokenised(family, max_source_length=6)
    assert {len(row["input_ids"]) for row in ids} == {6}
    assert {row["input_ids"][-1] for row in ids} == {tokenizer.eos_token_id}
    assert (stats["sources_cut"], stats["answers_lost"]) == (6, 6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", ["☃" * 60, "x" * 200, "é" * 99, " . " * 80, "<br />" * 40, "a\n" * 60, "</s>" * 50])
def test_cutting_ends_whatever_the_text(tokenised, family, text):
    ids, stats, _ = tokenised(family, [qa(0, text, "y")])
    assert len(ids[0]["input_ids"]) <= LIMIT
    assert stats["sources_cut"] in (0, 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_ceiling_is_recorded_with_its_schema(tokenised, tmp_path, family):
    """The vocabularies of T5's kind have no snowman: one row of six; byte-level ones have everything."""
    from tunegrid.results.records import read_record
    from tunegrid.tasks.ceiling import CeilingRecord

    tokenised(family)
    record = read_record(tmp_path / "tokens/ceiling.json", CeilingRecord)
    lost = 0 if family == "bart" else 1
    assert record.written["exact_match"] == pytest.approx((6 - lost) / 6)
    assert (record.not_written, len(record.lost_characters), record.unread) == (lost, lost, lost)
    assert record.max_target_length == 12


def test_label_words_that_training_would_cut_end_the_stage(tokenised, tmp_path):
    """The two words begin with the same tokens: cut, they would be the same target."""
    labels = ["extremely unpleasant experience", "extremely unpleasant surprise"]
    rows = [{"id": "0", "text": "a film", "label": labels[0]}]
    settings = {"kind": "sentiment", "labels": labels, "positive": labels[1]}
    with pytest.raises(TuneGridError, match=r"max_target_length .* is 4, but the label word 'extremely .*' takes"):
        tokenised("bart", rows, max_target_length=4, **settings)
    assert not (tmp_path / "tokens").exists()


LENGTHS = [
    ({"max_source_length": 257}, "max_source_length of the qa task is 257, but .* has 256 positions. Set it to 256 or"),
    ({"max_target_length": 300}, "max_target_length of the qa task is 300, .*Set it to 256 or"),
    ({"generation": {"max_new_tokens": 255}}, r"generation\.max_new_tokens of the qa task is 255, .*Set it to 254 or"),
]


@pytest.mark.parametrize(("settings", "says"), LENGTHS)
def test_lengths_beyond_the_positions_of_a_model_end_the_stage(tokenised, settings, says):
    """BART has learned positions; T5 reads texts of any length."""
    with pytest.raises(TuneGridError, match=says):
        tokenised("bart", **settings)
    tokenised("t5", **settings)


def test_many_batches_give_what_one_gives(tokenised, monkeypatch):
    from tunegrid.stages import tokenise as module

    whole = tokenised("t5")
    monkeypatch.setattr(module, "iterate_parquet", partial(module.iterate_parquet, batch_size=2))
    parts = tokenised("t5")
    assert parts[:2] == whole[:2]


def test_training_reads_what_was_written(tokenised, tmp_path):
    from tunegrid.data.tokens import read_tokens
    from tunegrid.training.batches import TokenDataset

    ids, _, _ = tokenised("t5")
    dataset = TokenDataset(read_tokens(tmp_path / "tokens/test.arrow"))
    assert [{name: ids.tolist() for name, ids in dataset[i].items()} for i in range(len(dataset))] == [
        {name: row[name] for name in ("input_ids", "labels")} for row in ids
    ]
    assert dataset.lengths().tolist() == [len(row["input_ids"]) + len(row["labels"]) for row in ids]
    assert sorted(file.name for file in Path(tmp_path / "tokens").iterdir()) == [
        "ceiling.json", "stats.json", "test.arrow", "train.arrow", "unknown.parquet", "validation.arrow",
    ]  # fmt: skip
