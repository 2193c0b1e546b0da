"""Which row goes into which split: decided from row counts and keys alone, so that no rows have to be in memory."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from tunegrid.data.sources import SPLITS, Split

if TYPE_CHECKING:
    import pyarrow

TRAIN, VALIDATION, TEST = range(len(SPLITS))
NOWHERE = len(SPLITS)  # a row that no split takes


def hold_out(keys: pyarrow.ChunkedArray, share: float, seed: int) -> np.ndarray:
    """Where the training rows go if a share of their groups is held out for validation: uint8, [rows].

    Whole groups are held out, so that no article of the training rows is chosen on. What is held out depends on the set
    of groups and the seed, not on the order of the rows.

    Args:
        keys: the group of each row.
        share: of the groups, above 0 and below 1; at least one group is held out.
    """
    import pyarrow.compute as compute

    groups = keys.unique()
    groups = groups.take(compute.sort_indices(groups))
    order = list(range(len(groups)))
    random.Random(seed).shuffle(order)
    chosen = groups.take(order[: max(1, round(len(groups) * share))])
    held_out = compute.is_in(keys, value_set=chosen).to_numpy()
    return np.where(held_out, VALIDATION, TRAIN).astype(np.uint8)


def published_sizes(rows: int) -> dict[Split, int]:
    """How many training rows each split gets under `protocol: published`.

    A fifth is held out, then a fifth of what is left, each rounded up as scikit-learn's `train_test_split` does. The
    second is the test set: of SQuAD's 87,599 training questions 17,520 are held out, then 14,016 of the other 70,079,
    and 56,063 are left to train on.
    """
    validation = -(-rows // 5)
    test = -(-(rows - validation) // 5)
    return {"train": rows - validation - test, "validation": validation, "test": test}


def published(rows: int, seed: int) -> np.ndarray:
    """Where the training rows go under `protocol: published`, row by row after a seeded shuffle: uint8, [rows]."""
    order = list(range(rows))
    random.Random(seed).shuffle(order)
    sizes = published_sizes(rows)
    destinations = np.full(rows, TRAIN, dtype=np.uint8)
    destinations[order[: sizes["validation"]]] = VALIDATION
    destinations[order[sizes["validation"] : sizes["validation"] + sizes["test"]]] = TEST
    return destinations


def limit(destinations: np.ndarray, split: Split, most: int | None, seed: int) -> None:
    """Leaves at most so many rows in a split, taken after a seeded shuffle: some data sets are sorted by label."""
    rows = np.flatnonzero(destinations == SPLITS.index(split))
    if most is None or most >= len(rows):
        return
    dropped = np.ones(len(rows), dtype=bool)
    dropped[random.Random(seed).sample(range(len(rows)), most)] = False
    destinations[rows[dropped]] = NOWHERE
