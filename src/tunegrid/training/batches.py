"""Token ids to batches: in seeded length buckets, padded to the longest of each batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import Dataset, Sampler

BUCKET = 50  # batches whose examples are sorted by length together: enough to save padding, few enough to stay mixed


class TokenDataset(Dataset):
    """Rows of a memory-mapped table of token ids."""

    def __init__(self, table: Any) -> None:
        self._columns = {name: table.column(name).combine_chunks() for name in ("input_ids", "labels")}

    def __len__(self) -> int:
        return len(self._columns["input_ids"])

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        return {name: column[index].as_py() for name, column in self._columns.items()}

    def lengths(self) -> np.ndarray:
        """Source plus target tokens of each row."""
        return sum(column.value_lengths().to_numpy(zero_copy_only=False) for column in self._columns.values())


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
