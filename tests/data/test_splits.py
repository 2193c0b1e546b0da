"""Splits of training rows: by group and by the published protocol."""

import random

import numpy as np
import pyarrow
import pytest

from tunegrid.data import splits


def test_held_out_keys_are_sorted_as_python_sorts_text():
    # Code points and UTF-8 bytes sort alike; UTF-16, which other libraries compare, does not.
    groups = ["ﬀ", "😀", "a", "Z", "é", "z", "10", "9", "", "中"]
    keys = pyarrow.chunked_array([groups[:4], groups[4:]], pyarrow.string())
    order = sorted(groups)
    random.Random(5).shuffle(order)
    destinations = splits.hold_out(keys, 0.4, 5)
    assert {groups[i] for i in np.flatnonzero(destinations == splits.VALIDATION)} == set(order[:4])


def test_two_fifths_of_squad_s_training_questions_leave_the_paper_s_test_size():
    assert splits.published_sizes(87_599) == {"train": 56_063, "validation": 17_520, "test": 14_016}
    # The other order of splitting that the documentation names: four fifths of what was held out.
    assert 17_520 * 4 // 5 == 14_016


@pytest.mark.parametrize("rows", [*range(3, 60), 1_000, 25_000, 87_599])
def test_published_sizes_are_those_of_scikit_learn_s_split_called_twice(rows):
    from sklearn.model_selection import train_test_split

    rest, held_out = train_test_split(range(rows), test_size=0.2)
    train, test = train_test_split(rest, test_size=0.2)
    assert splits.published_sizes(rows) == {"train": len(train), "validation": len(held_out), "test": len(test)}


def test_every_training_row_is_in_one_published_split_by_seed():
    first, again, other = (
        splits.assign_published(1000, 1),
        splits.assign_published(1000, 1),
        splits.assign_published(1000, 2),
    )
    assert np.bincount(first).tolist() == [640, 200, 160]
    assert (first == again).all()
    assert (first != other).any()
    # Shuffled: each stretch of the rows has its share of test rows (160 of 1000; five standard deviations).
    for part in np.split(first, 5):
        assert abs((part == splits.TEST).sum() - 32) < 5 * (200 * 0.16 * 0.84) ** 0.5


def test_test_and_validation_rows_come_from_one_file_without_sharing_a_group():
    names = [f"g{number % 50}" for number in range(400)]
    keys = pyarrow.chunked_array([names], pyarrow.string())
    destinations = splits.hold_out(keys, 0.1, 3, test_share=0.2)
    groups = [{name for name, at in zip(names, destinations, strict=True) if at == split} for split in range(3)]
    assert [len(group) for group in groups] == [36, 4, 10]  # a fifth of 50, then a tenth of the other 40
    assert groups[0].isdisjoint(groups[1] | groups[2])
    assert groups[1].isdisjoint(groups[2])
    # Without test rows the held-out rows are those that they were.
    assert (splits.hold_out(keys, 0.1, 3) == splits.VALIDATION).sum() == 5 * 8
    alone = splits.hold_out(keys, None, 3, test_share=0.2)
    assert ((alone == splits.TEST) == (destinations == splits.TEST)).all()
    assert not (alone == splits.VALIDATION).any()
