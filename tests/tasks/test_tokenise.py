"""Token ids of rows in windows: their labels as documented, and special tokens in a user's text."""

import json

import pytest

from tests.support.checkpoints import FAMILIES
from tests.support.rows_of_tasks import make_task, qa, write_splits
from tunegrid.common.errors import TuneGridError
from tunegrid.tasks.windows import window_sources
from tunegrid.training.batches import TokenDataset

LIMIT, OVERLAP = 60, 15


FILLER = "the dog sees a red house in the garden of Anna and Ben "


@pytest.fixture
def tokenised(checkpoints, tmp_path):
    """(entries, stats) of each split, all of them made of the same rows."""
    from tunegrid.data.tokens import read_tokens
    from tunegrid.stages.tokenise import tokenise

    def run(family: str, rows: list[dict], **settings):
        data, out = tmp_path / "data", tmp_path / "tokens"
        write_splits(rows, data)
        task = make_task("qa", **{"max_source_length": LIMIT, "window_overlap": OVERLAP, **settings})
        tokenise(task, family, data, checkpoints / family, out)
        stats = json.loads((out / "stats.json").read_text())["splits"]
        return {split: read_tokens(out / f"{split}.arrow").to_pylist() for split in stats}, stats

    return run


def answers_of(tokenizer, entries: list[dict], row: int) -> list[str | None]:
    """What each entry of a row is trained to answer; None: nothing."""
    return [
        tokenizer.decode(entry["labels"], skip_special_tokens=True).strip() if entry["labels"] else None
        for entry in entries
        if entry["row"] == row
    ]


ROWS = [
    qa("the key is in the house", ["house"], 0),
    qa(FILLER * 6 + "film " + FILLER * 2, ["film"], 1),  # in one window, or in two neighbours
    qa("key " + FILLER * 6, ["story", "key"], 2),  # the second of its answers is there
    qa(FILLER * 6, ["great film"], 3),  # free text: nowhere in the context
    qa(FILLER * 6, [(FILLER * 4).strip()], 4),  # longer than a window
]


@pytest.mark.parametrize("family", FAMILIES)
def test_windows_that_hold_no_answer_are_left_out_of_training(tokenised, tokenizers, family):
    entries, stats = tokenised(family, ROWS, max_target_length=16)
    windows = {row: sum(entry["row"] == row for entry in entries["test"]) for row in range(5)}
    assert windows[0] == 1
    assert min(windows[row] for row in range(1, 5)) > 3
    for split in ("train", "validation", "test"):
        counts = stats[split]
        assert counts["rows"] == 5
        assert (counts["rows_with_windows"], counts["windows"]) == (4, sum(windows.values()) - 1)
        assert (counts["answers_lost"], counts["sources_cut"], counts["windows_abstaining"]) == (1, 0, 0)
    trained = {row: answers_of(tokenizers[family], entries["train"], row) for row in range(5)}
    assert trained[0] == ["house"]
    assert set(trained[1]) == {"film"}
    assert len(trained[1]) in (1, 2)
    assert set(trained[2]) == {"key"}
    assert trained[3] == ["great film"]
    assert trained[4] == []
    left_out = stats["train"]["windows"] - sum(map(len, trained.values())) + 1
    assert stats["train"]["windows_without_answer"] == left_out
    # The others hold all windows, for they are predicted on, and the same labels: no loss is taken of the rest.
    for split in ("validation", "test"):
        said = {row: answers_of(tokenizers[family], entries[split], row) for row in range(5)}
        assert {row: [text for text in texts if text is not None] for row, texts in said.items()} == trained
        assert sum(texts.count(None) for texts in said.values()) == left_out
        assert [entry["row"] for entry in entries[split]] == sorted(entry["row"] for entry in entries[split])


@pytest.mark.parametrize("family", FAMILIES)
def test_windows_can_be_taught_to_abstain(tokenised, tokenizers, family):
    entries, stats = tokenised(family, ROWS, answerless_windows="abstain", max_target_length=16)
    trained = {row: answers_of(tokenizers[family], entries["train"], row) for row in range(5)}
    assert set(trained[1]) == {"film", ""}
    assert set(trained[2]) == {"key", ""}
    assert (trained[3], trained[4]) == (["great film"], [])  # neither is a case in which silence is right
    abstaining = trained[1].count("") + trained[2].count("")
    assert stats["train"]["windows_abstaining"] == abstaining
    assert stats["train"]["windows_without_answer"] > abstaining
    empty = next(entry["labels"] for entry in entries["train"] if entry["row"] == 1)
    assert empty == tokenizers[family](text_target="")["input_ids"], "the empty answer is the end of the sequence"


def test_the_validation_loss_is_of_windows_with_labels_only(tokenised, tmp_path):
    from tunegrid.data.tokens import labelled, read_tokens

    entries, _ = tokenised("t5", ROWS)
    kept = labelled(read_tokens(tmp_path / "tokens/validation.arrow"))
    dataset = TokenDataset(kept)
    assert [dataset[i]["labels"].tolist() for i in range(len(dataset))] == [
        entry["labels"] for entry in entries["train"]
    ]
    whole = read_tokens(tmp_path / "tokens/train.arrow")
    assert labelled(whole) is whole, "what is complete is not copied"


def test_a_split_without_a_whole_answer_ends_with_what_to_do(tokenised):
    with pytest.raises(TuneGridError, match=r"train\.parquet: no row is left .* max_source_length or window_overlap"):
        tokenised("t5", ROWS[4:])


def test_cut_and_windows_are_the_same_where_all_fits(tokenised):
    for rows in (ROWS[:1], [qa("a dog", ["dog"], 0), qa("a red house", ["red"], 1)]):
        windows = tokenised("bart", rows)
        assert tokenised("bart", rows, long_contexts="cut") == windows
        assert [entry["row"] for entry in windows[0]["train"]] == list(range(len(rows)))


def test_the_separator_in_bart_s_prompt_is_the_special_token(tokenizers):
    tokenizer, row = tokenizers["bart"], qa("Anna found the key", ["Anna"])
    ids = tokenizer(make_task("qa").source_text(row, "bart"))["input_ids"]
    assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    separator = ids[1:-1].index(tokenizer.eos_token_id) + 1
    assert tokenizer.decode(ids[1:separator]).strip() == row["question"]
    assert tokenizer.decode(ids[separator + 1 : -1]).strip() == row["context"]
    assert ids.count(tokenizer.eos_token_id) == 2


NAMES = {"t5": ("</s>", "<pad>"), "flan-t5": ("</s>", "<unk>"), "bart": ("</s>", "<mask>", "<s>")}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("long_contexts", ["cut", "windows"])
def test_special_tokens_in_a_user_s_text_are_text(tokenised, tokenizers, family, long_contexts):
    tokenizer = tokenizers[family]
    text = f"a dog {' '.join(NAMES[family])} b{NAMES[family][0]}c"
    rows = [qa("a dog", ["dog"], 0), qa(text, [NAMES[family][0]], 1, f"why {text}?"), qa(text * 5, ["dog"], 2)]
    plain, _ = tokenised(family, [qa("a dog", ["dog"], 0)])
    entries, stats = tokenised(family, rows, long_contexts=long_contexts)
    assert stats["train"]["special_tokens_as_text"] == 2
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    marks = [token for token in plain["train"][0]["input_ids"] if token in special]
    ends = [token for token in plain["train"][0]["labels"] if token in special]
    for entry in entries["test"]:
        assert [token for token in entry["input_ids"] if token in special] == marks
        assert [token for token in entry["labels"] if token in special] == (ends if entry["labels"] else [])
    if family == "bart":  # nothing is unknown there: a space is all that was added
        entry = next(entry for entry in entries["test"] if entry["row"] == 1)
        decoded = tokenizer.decode(entry["input_ids"], skip_special_tokens=True)
        assert "a dog < /s> < mask> < s> b< /s>c" in decoded


@pytest.mark.parametrize("family", FAMILIES)
def test_a_question_that_leaves_little_room_lessens_the_overlap_and_one_that_leaves_none_is_cut(
    tokenizers, family, tokenised
):
    row = qa("the dog sees the garden and the house of Anna and Ben " * 8, ["x"], question="key " * 8)
    task = make_task("qa", max_source_length=LIMIT)
    windows = window_sources(task, family, tokenizers[family], row, LIMIT // 2)
    assert len(windows) > 3
    row["question"] = "key " * LIMIT
    assert window_sources(task, family, tokenizers[family], row, OVERLAP) is None
    entries, stats = tokenised(family, [row])
    assert [len(entry["input_ids"]) for entry in entries["test"]] == [LIMIT]
    assert (stats["test"]["sources_cut"], stats["test"]["windows"]) == (1, 0)
