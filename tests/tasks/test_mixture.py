"""Mixtures: how many rows of each task, which wording each row has, and the file of token ids."""

import numpy as np
import pytest

from tests.support.rows_of_tasks import make_task
from tunegrid.common.errors import TuneGridError
from tunegrid.models import FAMILIES
from tunegrid.tasks.mixture import MixedTask, assign_wordings, chosen_rows, mixed_counts, part_of_task, write_mixture

ROWS = {"a": 87_599, "b": 4_500_000, "c": 25_000}


def test_examples_proportional_mixing_is_the_formula_of_its_paper():
    # r_m = min(e_m, K) / sum of min(e_n, K), by hand for K = 50,000
    counts = mixed_counts(ROWS, "proportional", 50_000)
    total = sum(counts.values())
    assert [counts[name] / total for name in ROWS] == pytest.approx([0.4, 0.4, 0.2])
    assert mixed_counts(ROWS, "proportional", None) == ROWS


def test_equal_mixing_has_as_many_of_each_as_of_the_largest_within_the_limit():
    assert mixed_counts(ROWS, "equal", 30_000) == {"a": 30_000, "b": 30_000, "c": 30_000}
    assert mixed_counts({"a": 3, "b": 8}, "equal", None) == {"a": 8, "b": 8}


@pytest.mark.parametrize(("rows", "count", "wordings"), [(10, 10, 3), (10, 4, 3), (4, 10, 2), (6, 18, 3), (1, 5, 4)])
def test_rows_come_equally_often_and_so_do_wordings(rows, count, wordings):
    times = assign_wordings(rows, count, wordings)
    assert times.shape == (wordings, rows)
    assert times.sum() == count
    of_row = times.sum(axis=0)
    assert of_row.max() - of_row.min() <= 1
    of_wording = times.sum(axis=1)
    # Each pass over the rows is balanced to one example.
    assert of_wording.max() - of_wording.min() <= -(-count // rows)
    assert (times == assign_wordings(rows, count, wordings)).all()


def test_a_row_that_is_repeated_has_another_wording_each_time():
    assert (assign_wordings(6, 18, 3) == 1).all()


def test_chosen_rows_come_in_their_order_over_all_batches():
    batches = [[{"n": 0}, {"n": 1}], [{"n": 2}], [{"n": 3}]]
    chosen = [row["n"] for batch in chosen_rows(batches, np.array([1, 0, 0, 2])) for row in batch]
    assert chosen == [0, 3, 3]


def sentiment(number: int) -> dict:
    return {"id": str(number), "text": f"the dog {number}", "label": ("negative", "positive")[number % 2]}


def translation(number: int) -> dict:
    return {"id": str(number), "source": f"the key {number}", "target": f"der hund {number}"}


@pytest.fixture
def mixture(checkpoints, tmp_path):
    """(table, account, tokenizer) of a mixture of two tasks of 5 and 4 rows, in two wordings each."""
    from tunegrid.data.tokens import load_tokenizer, read_tokens

    tokenizer, family = load_tokenizer(checkpoints / "t5"), FAMILIES["t5"]
    makers = {
        "sentiment": (sentiment, 5, ["{text} a", "{text} b"]),
        "translation": (translation, 4, ["c {source}", "d {source}"]),
    }
    parts = []
    for kind, (make, count, templates) in makers.items():
        plain = make_task(kind, max_source_length=40, max_target_length=12)
        mixed = MixedTask(kind, type(plain)(plain.settings, family), templates)
        rows = [make(number) for number in range(count)]
        times = assign_wordings(count, count, len(templates))
        parts += [(mixed, wording, lambda rows=rows: [rows], own) for wording, own in enumerate(times)]
    account = write_mixture(parts, tokenizer, tmp_path / "train.arrow", training=True)
    return read_tokens(tmp_path / "train.arrow"), account, tokenizer


def test_every_row_is_in_the_file_once_in_its_wording_with_its_answer(mixture):
    table, account, tokenizer = mixture
    texts = [tokenizer.decode(row["input_ids"], skip_special_tokens=True) for row in table.to_pylist()]
    assert [(part["task"], part["wording"]) for part in account] == [
        ("sentiment", 0),
        ("sentiment", 1),
        ("translation", 0),
        ("translation", 1),
    ]
    expected = [
        (task, wording, number)
        for task, count in (("sentiment", 5), ("translation", 4))
        for wording, times in enumerate(assign_wordings(count, count, 2))
        for number in np.flatnonzero(times)
    ]
    templates = {"sentiment": ["the dog {} a", "the dog {} b"], "translation": ["c the key {}", "d the key {}"]}
    plain = [templates[task][wording].format(number) for task, wording, number in expected]
    again = [tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) for text in plain]
    assert texts == again
    assert table["row"].to_pylist() == list(range(9))


def test_the_part_of_a_task_is_its_entries_numbered_from_0(mixture):
    table, account, _ = mixture
    part = part_of_task(table, account, "translation")
    assert part["row"].to_pylist() == [0, 1, 2, 3]
    assert part["input_ids"].to_pylist() == table["input_ids"].to_pylist()[5:]


def test_a_task_of_which_nothing_is_left_to_learn_is_refused_with_its_name(checkpoints, tmp_path):
    from tunegrid.data.tokens import load_tokenizer

    plain = make_task("qa", max_source_length=16, max_target_length=12)
    mixed = MixedTask("questions", type(plain)(plain.settings, FAMILIES["t5"]), ["{question} {context}"])
    long = " ".join(["the dog sees the key"] * 20)
    row = {"id": "0", "group": "", "question": "q?", "context": long, "answers": [long], "candidates": []}
    part = (mixed, 0, lambda: [[row]], np.array([1]))
    with pytest.raises(TuneGridError, match="no row of questions is left to learn from"):
        write_mixture([part], load_tokenizer(checkpoints / "t5"), tmp_path / "train.arrow", training=True)
