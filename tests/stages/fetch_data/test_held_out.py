"""Subsets and held-out validation rows: seeded, in order, whole articles, as lists of all rows would give them."""

import random
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.support.rows_in_files import SPLITS, articles, even_articles, fetch, files_task, question, review, write
from tests.support.rows_of_tasks import make_task
from tunegrid.common.errors import TuneGridError
from tunegrid.data import parquet


def in_memory(rows: list[dict], share: float, limits: dict, seed: int, key) -> dict[str, list]:
    """Held-out rows and subsets as they are made of lists, which is how the first version made them."""
    groups = sorted({key(row) for row in rows})
    random.Random(seed).shuffle(groups)
    held_out = set(groups[: max(1, round(len(groups) * share))])
    made = {
        "train": [row for row in rows if key(row) not in held_out],
        "validation": [row for row in rows if key(row) in held_out],
    }
    for split, most in limits.items():
        if most < len(made[split]):
            chosen = sorted(random.Random(seed).sample(range(len(made[split])), most))
            made[split] = [made[split][i] for i in chosen]
    return made


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("limits", [{}, {"train": 41}, {"train": 60, "validation": 9}, {"validation": 1000}])
def test_held_out_articles_and_subsets_are_those_that_lists_of_all_rows_give(limits, seed, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP", 7)
    rows = articles(23, 150)
    write(rows)
    made, card = fetch(files_task("qa", rows=limits, validation_share=0.3, seed=seed))
    expected = in_memory(rows, 0.3, limits, seed, lambda row: row["title"])
    for split in ("train", "validation"):
        assert [row["id"] for row in made[split]] == [row["id"] for row in expected[split]]
        assert card["rows"][split] == len(expected[split])
    assert not {row["group"] for row in made["train"]} & {row["group"] for row in made["validation"]}
    everything = in_memory(rows, 0.3, {}, seed, lambda row: row["title"])
    assert card["rows_available"] == {split: len(everything[split]) for split in everything} | {"test": 150}


def test_rows_without_ids_are_held_out_as_lists_of_them_would_be():
    rows = [review(number) for number in range(90)]
    write(rows)
    made, _ = fetch(files_task("sentiment", rows={"train": 30}, validation_share=0.2, seed=3))
    expected = in_memory(list(range(1, 91)), 0.2, {"train": 30}, 3, lambda number: f"train-{number:06}")
    for split in ("train", "validation"):
        assert [row["id"] for row in made[split]] == [f"train-{number:06}" for number in expected[split]]


def test_a_subset_of_the_test_rows_is_taken_and_the_card_says_of_how_many():
    write([review(number) for number in range(50)])
    made, card = fetch(files_task("sentiment", rows={"train": 20, "test": 10}, validation_share=0.1))
    assert card["rows"] == {"train": 20, "validation": 5, "test": 10}
    assert card["rows_available"] == {"train": 45, "validation": 5, "test": 50}
    chosen = sorted(random.Random(0).sample(range(50), 10))
    assert [row["text"] for row in made["test"]] == [f"review {number}" for number in chosen]


def test_imdb_sorted_by_label_gives_mixed_subsets_and_held_out_rows_and_its_unlabelled_rows_are_not_read():
    rows = [{"text": f"review {i}<br /><br />end", "label": int(i >= 1000)} for i in range(2000)]
    folder = Path("imdb/plain_text")
    folder.mkdir(parents=True)
    unlabelled = [{"text": f"unlabelled {i}", "label": -1} for i in range(50)]
    for split, content in {"train": rows, "test": rows, "unsupervised": unlabelled}.items():
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(content), folder / f"{split}-00000-of-00001.parquet")
    source = {"kind": "hub", "path": "imdb", "rows": {"train": 400, "validation": 100, "test": 300}}
    made, card = fetch(make_task("sentiment", source))
    assert card["rows"] == {"train": 400, "validation": 100, "test": 300}
    assert card["rows_available"] == {"train": 1800, "validation": 200, "test": 2000}
    assert card["unusable_rows"] == {}
    for split in SPLITS:
        positive = sum(row["label"] == "positive" for row in made[split])
        spread = 5 * (len(made[split]) / 4) ** 0.5  # five standard deviations of fair draws
        assert abs(positive - len(made[split]) / 2) < spread
        assert not any("<br" in row["text"] or "unlabelled" in row["text"] for row in made[split])


def test_whole_articles_are_held_out_for_validation():
    write(even_articles(10, 5))
    splits, _ = fetch(files_task("qa", validation_share=0.3))
    groups = {split: {row["group"] for row in splits[split]} for split in SPLITS}
    assert (len(groups["train"]), len(groups["validation"])) == (7, 3)
    assert not groups["train"] & groups["validation"]
    assert len(splits["train"]) + len(splits["validation"]) == 50
    assert len(splits["test"]) == 50


def test_articles_that_are_numbers_are_held_out_as_a_whole_and_0_is_one_of_them():
    numbers = [0, 0.5, 2, 3, False]
    write([question(number, "x", number) | {"title": numbers[number % 5]} for number in range(50)])
    for seed in range(4):
        splits, _ = fetch(files_task("qa", validation_share=0.3, seed=seed))
        groups = {split: {row["group"] for row in splits[split]} for split in SPLITS}
        assert groups["train"] | groups["validation"] == {"0", "0.5", "2", "3", "False"}
        assert not groups["train"] & groups["validation"]


def test_what_is_held_out_depends_on_the_seed_and_not_on_the_order_of_the_rows():
    rows = even_articles(10, 2)
    write(rows)

    def held_out(seed: int) -> set[str]:
        splits, _ = fetch(files_task("qa", validation_share=0.3, seed=seed))
        return {row["id"] for row in splits["validation"]}

    first = held_out(0)
    assert held_out(0) == first
    assert any(held_out(seed) != first for seed in (1, 2, 3))
    random.Random(5).shuffle(rows)
    write(rows)
    assert held_out(0) == first


def test_rows_without_a_group_are_held_out_one_by_one():
    write([review(i) for i in range(20)])
    splits, _ = fetch(files_task("sentiment", validation_share=0.25))
    assert (len(splits["train"]), len(splits["validation"])) == (15, 5)
    assert not {row["text"] for row in splits["train"]} & {row["text"] for row in splits["validation"]}


def test_at_least_one_row_is_held_out():
    write([review(i) for i in range(3)])
    splits, _ = fetch(files_task("sentiment", validation_share=0.01))
    assert (len(splits["train"]), len(splits["validation"])) == (2, 1)


def test_a_single_article_cannot_be_split_and_says_so():
    write(even_articles(1, 5))
    with pytest.raises(
        TuneGridError, match=r"train split has no rows .* only 1 group\. .*2 groups at least, .*`paths\.v"
    ):
        fetch(files_task("qa"))


def test_shares_that_leave_nothing_to_train_on_say_so():
    write([review(i) for i in range(3)])
    with pytest.raises(
        TuneGridError, match=r"validation \(90%\) is held out of the 3 rows .*Set `validation_share` lower"
    ):
        fetch(files_task("sentiment", validation_share=0.9))


def test_a_subset_is_seeded_keeps_the_order_and_mixes_a_sorted_data_set():
    # Sorted by label, as IMDB is.
    write(
        [{"text": f"review {i:03}", "label": int(i >= 100)} for i in range(200)],
        *(f"{split}.jsonl" for split in SPLITS),
    )

    def subset(seed: int) -> list[dict]:
        limits = {"train": 40, "validation": 1000, "test": 10}
        splits, _ = fetch(files_task("sentiment", SPLITS, rows=limits, seed=seed))
        assert [len(splits[split]) for split in SPLITS] == [40, 200, 10]
        return splits["train"]

    rows = subset(0)
    assert rows == subset(0) != subset(1)
    assert [row["text"] for row in rows] == sorted(row["text"] for row in rows)
    positive = sum(row["label"] == "positive" for row in rows)
    assert 8 <= positive <= 32


def test_one_file_makes_all_three_splits():
    rows = articles(30, 300)
    write(rows, "train.jsonl")
    task = files_task("qa", ("train",), test_share=0.2, validation_share=0.25, seed=4)
    made, card = fetch(task)
    groups = {split: {row["group"] for row in made[split]} for split in SPLITS}
    assert [len(groups[split]) for split in SPLITS] == [18, 6, 6]
    assert sum(len(part) for part in groups.values()) == len(set().union(*groups.values())) == 30
    assert sum(card["rows"].values()) == sum(card["rows_available"].values()) == 300
    assert "20% of the rows held out for test" in card["source"]
    write(random.Random(1).sample(rows, len(rows)), "train.jsonl")  # the order of the rows does not matter
    again, _ = fetch(task)
    assert {row["id"] for row in again["test"]} == {row["id"] for row in made["test"]}


def test_test_rows_are_held_out_beside_a_file_of_validation_rows():
    write([review(number) for number in range(50)], "train.jsonl")
    write([review(number) for number in range(100, 110)], "validation.jsonl")
    made, card = fetch(files_task("sentiment", ("train", "validation"), test_share=0.1))
    assert card["rows"] == {"train": 45, "validation": 10, "test": 5}
    assert {row["text"] for row in made["validation"]} == {f"review {number}" for number in range(100, 110)}


def test_a_column_that_the_data_do_not_have_is_not_looked_for():
    write([{"id": "same", "text": f"review {number}", "label": 1} for number in range(20)])
    with pytest.raises(TuneGridError, match="a second time"):
        fetch(files_task("sentiment"))
    made, _ = fetch(files_task("sentiment", columns={"id": None}))
    assert made["test"][0]["id"] == "test-000001"
