"""Token ids to batches: in a seeded order, at random or in length buckets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import numpy as np
from torch.utils.data import Dataset, Sampler

BUCKET = 50  # batches whose examples are sorted by length together: enough to save padding, few enough to stay mixed


class TokenDataset(Dataset):
    """Rows of a memory-mapped table of token ids; what is not asked for stays in the file.

    A table that was written in batches has its rows in chunks. Of each chunk this keeps two views of the mapped memory,
    so that a row is two look-ups and a slice.
    """

    def __init__(self, table: Any) -> None:
        chunks = {name: table.column(name).chunks for name in ("input_ids", "labels")}
        # Column -> for each chunk (all token ids, where each row's begin and the last row's end).
        self._columns = {
            name: [(chunk.values.to_numpy(), chunk.offsets.to_numpy()) for chunk in column]
            for name, column in chunks.items()
        }
        self._ends = list(accumulate(len(chunk) for chunk in chunks["input_ids"]))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        chunk = bisect_right(self._ends, index)
        row = index - (self._ends[chunk - 1] if chunk else 0)
        columns = ((name, *column[chunk]) for name, column in self._columns.items())
        return {name: values[offsets[row] : offsets[row + 1]].tolist() for name, values, offsets in columns}

    def lengths(self) -> np.ndarray:
        """Source plus target tokens of each row."""
        columns = self._columns.values()
        return sum(np.concatenate([np.diff(offsets) for _, offsets in column]) for column in columns)


class SeededSampler(Sampler[int]):
    """A permutation that depends on the seed and the epoch alone, with rows of similar length in the same batch.

    The Trainer's own `group_by_length` draws from the global generator, so a resumed run would see another order.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int, buckets: bool) -> None:
        self.lengths, self.batch_size, self.seed, self.buckets = lengths, batch_size, seed, buckets
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([self.seed, self.epoch])
        order = generator.permutation(len(self.lengths))
        if self.buckets:
            order = self._bucketed(order, generator)
        return iter(order.tolist())

    def _bucketed(self, order: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        size = self.batch_size * BUCKET
        buckets = [order[start : start + size] for start in range(0, len(order), size)]
        by_length = [bucket[np.argsort(self.lengths[bucket], kind="stable")] for bucket in buckets]
        batches = [
            bucket[start : start + self.batch_size]
            for bucket in by_length
            for start in range(0, len(bucket), self.batch_size)
        ]
        # A short batch in the middle would shift every later batch's borders: it stays last.
        short = [batches.pop(i) for i in range(len(batches) - 1, -1, -1) if len(batches[i]) < self.batch_size]
        return np.concatenate([batches[i] for i in generator.permutation(len(batches))] + short)
