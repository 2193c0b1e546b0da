"""Preference pairs from files and by rules: what is read of them, what is refused, and how they are split."""

import json
from pathlib import Path

import pytest
import yaml

from tunegrid.common.errors import TuneGridError
from tunegrid.data.parquet import SplitWriter, read_parquet
from tunegrid.stages.fetch_pairs import fetch_pairs

DIALOGUE = "\n\nHuman: Hello\n\nAssistant: Hi.\n\nHuman: Where is the key?\n\nAssistant:"
PROMPT = DIALOGUE.strip()


@pytest.fixture
def pairs_of(tiny_study):
    """Fetches pairs of a source; returns {split: rows} and the card."""

    def fetch(source: dict, rows: list[dict] | None = None, suffix: str = "jsonl"):
        if rows is not None:
            Path(f"pairs.{suffix}").write_text("".join(json.dumps(row) + "\n" for row in rows))
        study = tiny_study(yaml.safe_dump({"preferences": {"p": {"source": source}}}))
        folder = study.paths.pairs("translation", "p")
        fetch_pairs(study, "translation", "p", folder)
        splits = {split: read_parquet(folder / f"{split}.parquet") for split in ("train", "validation", "test")}
        return splits, json.loads((folder / "card.json").read_text())

    return fetch


FILE = {"kind": "files", "paths": {"train": "pairs.jsonl"}}


def plain(count: int) -> list[dict]:
    return [{"prompt": f"p{i // 2}", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(count)]


def test_splits_that_a_file_lacks_are_held_out_by_prompt(pairs_of):
    splits, card = pairs_of(FILE | {"validation_share": 0.2}, plain(40))
    prompts = {split: {row["prompt"] for row in rows} for split, rows in splits.items()}
    assert {split: len(found) for split, found in prompts.items()} == {"train": 13, "validation": 4, "test": 3}
    assert len(set().union(*prompts.values())) == 20
    assert all(len(rows) == 2 * len(prompts[split]) for split, rows in splits.items())
    assert card["rows"] == {split: len(rows) for split, rows in splits.items()}
    assert card["test_prompts_seen_in_training"] == 0


def test_whole_dialogues_are_split_at_the_last_turn_of_the_assistant(pairs_of):
    rows = [{"chosen": f"{DIALOGUE} In {i}.", "rejected": f"{DIALOGUE} No {i}."} for i in range(3)]
    rows += [{"chosen": row["chosen"].replace("Hello", f"Hello {i}"), "rejected": row["rejected"].replace("Hello", f"Hello {i}")}
             for i, row in enumerate(rows)]  # fmt: skip
    splits, _ = pairs_of(FILE, rows)
    found = sorted((row["prompt"], row["chosen"], row["rejected"]) for part in splits.values() for row in part)
    assert (PROMPT, "In 0.", "No 0.") in found
    assert (PROMPT.replace("Hello", "Hello 2"), "In 2.", "No 2.") in found
    assert len(found) == 6


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "p", "chosen": "a", "rejected": "a"}, "the same answer twice"),
        ({"prompt": "p", "chosen": "a", "rejected": " "}, "column rejected: expected text"),
        ({"prompt": "p", "chosen": "a"}, "no column 'rejected'"),
        ({"chosen": "a", "rejected": "b"}, r"no turn of the assistant .*and no column prompt"),
        ({"chosen": f"{DIALOGUE} a", "rejected": f"{DIALOGUE.replace('key', 'dog')} b"}, "dialogues differ before"),
        ({"chosen": f"{DIALOGUE} a\n\nHuman: b", "rejected": f"{DIALOGUE} b"}, "does not end with a turn of the ass"),
        ({"chosen": f"{DIALOGUE}", "rejected": f"{DIALOGUE} b"}, "column chosen: expected text, found ''"),
        ({"prompt": "p", "chosen": [{"role": "user", "content": "a"}], "rejected": "b"}, "a list of messages"),
    ],
)
def test_a_row_that_is_no_pair_ends_the_stage_with_its_place_or_is_counted(pairs_of, row, message):
    with pytest.raises(TuneGridError, match=rf"preferences\.p: pairs\.jsonl, line 2: .*{message}"):
        pairs_of(FILE, [plain(1)[0], row, *plain(8)[2:]])
    splits, card = pairs_of(FILE | {"unusable_rows": "skip"}, [plain(1)[0], row, *plain(8)[2:]])
    assert sum(map(len, splits.values())) == 7
    (skipped,) = card["unusable_rows"]["train"].values()
    assert skipped["rows"] == 1
    assert "line 2" in skipped["examples"][0]


def test_columns_of_other_names_are_mapped(pairs_of):
    rows = [{"question": f"q{i}", "answers": {"good": f"a{i}", "bad": f"b{i}"}} for i in range(6)]
    columns = {"prompt": "question", "chosen": "answers.good", "rejected": "answers.bad"}
    splits, _ = pairs_of(FILE | {"columns": columns}, rows)
    assert {(row["prompt"], row["chosen"], row["rejected"]) for part in splits.values() for row in part} == {
        (f"q{i}", f"a{i}", f"b{i}") for i in range(6)
    }


@pytest.mark.parametrize("rule", ["replace", "drop", "swap", "other"])
def test_a_rule_makes_the_same_worse_answers_of_the_tasks_own_rows_each_time(pairs_of, rule):
    source = {"kind": "corrupted", "rule": rule, "share": 0.4, "rows": {"train": 20}}
    splits, card = pairs_of(source)
    assert (pairs_of(source)[0], card["rows"]["train"]) == (splits, 20)
    references = {row["id"]: row for row in read_parquet(Path("results/tiny/data/translation/train.parquet"))}
    for row in splits["train"]:
        reference = references[row["id"]]
        assert (row["source"], row["chosen"]) == (reference["source"], reference["target"])
        before, after = row["chosen"].split(), row["rejected"].split()
        assert before != after
        if rule == "swap":
            assert sorted(after) == sorted(before)
        if rule == "drop":
            assert len(after) == len(before) - max(1, round(0.4 * len(before)))
        if rule == "replace":
            changed = sum(one != other for one, other in zip(before, after, strict=True))
            assert 1 <= changed <= max(1, round(0.4 * len(before)))
        if rule == "other":
            assert row["rejected"] in {other["target"] for other in references.values()}


def test_an_answer_that_a_rule_cannot_change_makes_no_pair():
    import random

    from tunegrid.tasks.pairs import CorruptedAnswers

    source = CorruptedAnswers(kind="corrupted", rule="swap")
    assert source.corrupt("key", ["key"], random.Random(0)) is None
    assert source.corrupt("a key", ["a key"], random.Random(0)) == "key a"


@pytest.mark.parametrize(
    ("changes", "prompts", "message"),
    [
        ({}, 1, r"validation \(10%\) and test \(10%\) are held out of the 4 pairs .* only 1 prompt\. Add rows of other "
                r"prompts, 3 prompts at least, or .*: `paths\.validation` and `paths\.test`"),
        ({}, 2, r".* only 2 prompts\. Add rows of other prompts, 3 prompts at least"),
        ({"validation_share": 0.9}, 4, r"validation \(90%\) and test \(90%\) .* only 4 prompts\. "
                                       r"Set `validation_share` and `test_share` lower, add rows"),
        ({"paths": {"train": "pairs.jsonl", "test": "pairs.jsonl"}}, 1,
         r"validation \(10%\) is held out .* 2 prompts at least, or give it rows of its own: `paths\.validation`"),
    ],
)  # fmt: skip
def test_prompts_that_do_not_suffice_for_all_splits_end_the_stage_with_what_to_do(pairs_of, changes, prompts, message):
    rows = [{"prompt": f"p{i % prompts}", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(4)]
    with pytest.raises(
        TuneGridError, match=rf"preferences\.p: the train split has no pairs .*pairs\.jsonl.*: {message}"
    ):
        pairs_of(FILE | changes, rows)


def test_one_prompt_will_do_where_every_split_has_pairs_of_its_own(pairs_of):
    rows = [plain(1)[0] | {"id": str(i)} for i in range(3)]
    splits, card = pairs_of(FILE | {"paths": dict.fromkeys(("train", "validation", "test"), "pairs.jsonl")}, rows)
    assert {len(pairs) for pairs in splits.values()} == {3}
    assert card["test_prompts_seen_in_training"] == 3


def test_a_split_without_a_row_or_without_a_usable_row_ends_the_stage_with_what_to_do(pairs_of):
    paths = {"train": "pairs.jsonl", "validation": "more.jsonl"}
    Path("more.jsonl").write_text("")
    with pytest.raises(TuneGridError, match=r"the validation split has no pairs .*`paths\.validation` names has no row\. "
                                            r"Put rows there, or leave `paths\.validation` out"):  # fmt: skip
        pairs_of(FILE | {"paths": paths}, plain(8))
    with pytest.raises(TuneGridError, match=r"the train split has no pairs .*`paths\.train` names has no row"):
        pairs_of(FILE, [])
    same = [pair | {"rejected": pair["chosen"]} for pair in plain(8)]
    with pytest.raises(
        TuneGridError, match=r"the train split has no pairs .*all 8 rows were left out .*line 1: .*twice"
    ):
        pairs_of(FILE | {"unusable_rows": "skip"}, same)


def test_a_rule_that_can_change_no_reference_ends_the_stage_with_what_to_do(pairs_of, tiny_study):
    study = tiny_study()
    for split in ("train", "validation", "test"):
        file = study.paths.split("translation", split)
        rows = read_parquet(file)
        with SplitWriter(file) as output:
            for row in rows:
                output.add(row | {"target": "Haus"})
    for rule in ("swap", "drop", "replace", "other"):
        with pytest.raises(
            TuneGridError, match=rf"the train split has no pairs: the rule {rule} .*'Haus'\. Choose another"
        ):
            pairs_of({"kind": "corrupted", "rule": rule})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"template": "no place for it"}, r"preferences\.p\.template: .*\{prompt\} in it"),
        ({"template": "{question} {prompt}"}, r"template: .*no other name in braces"),
        ({"template": "{prompt:>99}"}, r"template: "),
        (
            {"source": {"kind": "files", "paths": {"train": "x.jsonl"}, "columns": {"chosn": "a"}}},
            "Did you mean chosen",
        ),
        ({"source": {"kind": "corrupted", "rule": "shuffle"}}, "rule"),
    ],
)
def test_wrong_settings_end_before_any_job(tiny_study, changes, message):
    values = {"source": {"kind": "corrupted"}} | changes
    with pytest.raises(TuneGridError, match=message):
        tiny_study(yaml.safe_dump({"preferences": {"p": values}}))


def test_a_template_stands_around_the_prompts_of_a_file_and_long_dialogues_lose_their_beginning(tiny_study):
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.tasks.pair_tokens import pair_table
    from tunegrid.tasks.pairs import Preferences

    for model in ("t5", "bart"):
        study = tiny_study()
        task, tokenizer = study.task("translation", model), load_tokenizer(study.paths.model(model))
        settings = Preferences.model_validate({"source": {"kind": "corrupted"}, "template": "the old {prompt} key"})
        pair = {"id": "1", "prompt": "red house", "chosen": "a dog", "rejected": "the garden " * 40}
        long = pair | {"prompt": "small " * 100 + "garden"}
        table = pair_table(settings, task, tokenizer, [pair, long], first=5).to_pydict()
        assert table["row"] == [5, 6]
        assert tokenizer.decode(table["input_ids"][0], skip_special_tokens=True).strip() == "the old red house key"
        assert len(table["input_ids"][1]) == task.settings.max_source_length
        assert tokenizer.decode(table["input_ids"][1], skip_special_tokens=True).endswith("small garden key")
        assert (table["input_ids"][1][0] == tokenizer.bos_token_id) == (model == "bart")
        assert len(table["rejected"][0]) == task.settings.max_target_length
        assert {ids[-1] for name in ("labels", "rejected", "input_ids") for ids in table[name]} == {
            tokenizer.eos_token_id
        }
