"""The split of each row, decided from row counts and keys alone, so that no rows have to be in memory."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from tunegrid.data.sources import SPLITS, Split

if TYPE_CHECKING:
    import pyarrow

TRAIN, VALIDATION, TEST = range(len(SPLITS))
NOWHERE = len(SPLITS)  # a row that no split takes


def hold_out(keys: pyarrow.ChunkedArray, share: float | None, seed: int, test_share: float | None = None) -> np.ndarray:
    """Holds out shares of the training rows' groups for validation and test; the split of each row: uint8, [rows].

    Groups are held out as a whole, so that no article of the training rows is validated on. Which ones depends on the
    set of groups and on the seed, not on the order of the rows.

    Args:
        keys: the group of each row.
        share: share of the groups to hold out for validation, above 0 and below 1, of those that the test split
            leaves; at least one group is held out. None: none.
        test_share: the same for the test split, of all groups.
    """
    import pyarrow.compute as compute

    groups = keys.unique()
    groups = groups.take(compute.sort_indices(groups))
    order = list(range(len(groups)))
    random.Random(seed).shuffle(order)
    destinations = np.full(len(keys), TRAIN, dtype=np.uint8)
    tests = max(1, round(len(groups) * test_share)) if test_share else 0
    validations = max(1, round((len(groups) - tests) * share)) if share else 0
    for split, chosen in ((TEST, order[len(order) - tests :]), (VALIDATION, order[:validations])):
        if chosen:
            destinations[compute.is_in(keys, value_set=groups.take(chosen)).to_numpy()] = split
    return destinations


def published_sizes(rows: int) -> dict[Split, int]:
    """The number of training rows that each split gets under `protocol: published`.

    A fifth is held out, then a fifth of the rest, each rounded up as scikit-learn's `train_test_split` does. The second
    is the test set: of SQuAD's 87,599 training questions 17,520 are held out, then 14,016 of the other 70,079, and
    56,063 remain to train on.
    """
    validation = -(-rows // 5)
    test = -(-(rows - validation) // 5)
    return {"train": rows - validation - test, "validation": validation, "test": test}


def assign_published(rows: int, seed: int) -> np.ndarray:
    """Assigns training rows to splits as `protocol: published` does, after a seeded shuffle of rows: uint8, [rows]."""
    order = list(range(rows))
    random.Random(seed).shuffle(order)
    sizes = published_sizes(rows)
    destinations = np.full(rows, TRAIN, dtype=np.uint8)
    destinations[order[: sizes["validation"]]] = VALIDATION
    destinations[order[sizes["validation"] : sizes["validation"] + sizes["test"]]] = TEST
    return destinations


def limit(destinations: np.ndarray, split: Split, most: int | None, seed: int) -> None:
    """Limits a split to `most` rows, drawn by a seeded sample because some data sets are sorted by label."""
    rows = np.flatnonzero(destinations == SPLITS.index(split))
    if most is None or most >= len(rows):
        return
    dropped = np.ones(len(rows), dtype=bool)
    dropped[random.Random(seed).sample(range(len(rows)), most)] = False
    destinations[rows[dropped]] = NOWHERE
