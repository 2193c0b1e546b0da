"""Token ids to batches: in a seeded order, at random or in length buckets, padded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, Sampler

from tunegrid.models.likelihood import IGNORED

REJECTED = "rejected"  # of a preference pair: a second answer, beside the labels
BUCKET = 50  # batches whose examples are sorted by length together: enough to save padding, few enough to stay mixed


class TokenDataset(Dataset):
    """Rows of a memory-mapped table of token ids; what is not asked for stays in the file.

    A table that was written in batches has its rows in chunks. Of each chunk this keeps two views of the mapped memory,
    so that a row is two look-ups and a slice.

    Args:
        with_rows: whether an item also says, as `row`, which example of its split it belongs to.
    """

    def __init__(self, table: Any, with_rows: bool = False) -> None:
        self._rows = table["row"].to_numpy() if with_rows else None
        names = ("input_ids", "labels", *([REJECTED] if REJECTED in table.column_names else []))
        chunks = {name: table.column(name).chunks for name in names}
        # Column -> for each chunk (all token ids, where each row's begin and the last row's end).
        self._columns = {
            # Their own `to_numpy` would import pandas.
            name: [(np.from_dlpack(chunk.values), np.from_dlpack(chunk.offsets)) for chunk in column]
            for name, column in chunks.items()
        }
        self._ends = list(accumulate(len(chunk) for chunk in chunks["input_ids"]))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`input_ids` and `labels` of a row of the table, of a pair `rejected` too: arrays that cannot be changed."""
        chunk = bisect_right(self._ends, index)
        row = index - (self._ends[chunk - 1] if chunk else 0)
        columns = ((name, *column[chunk]) for name, column in self._columns.items())
        item = {name: values[offsets[row] : offsets[row + 1]] for name, values, offsets in columns}
        return item if self._rows is None else item | {"row": self._rows[index]}

    def lengths(self) -> np.ndarray:
        """Source plus target tokens of each row."""
        columns = self._columns.values()
        return sum(np.concatenate([np.diff(offsets) for _, offsets in column]) for column in columns)


class Collator:
    """Rows of a TokenDataset to one batch, the same that transformers' DataCollatorForSeq2Seq makes of lists.

    For a narrow model that one takes a twentieth of a step, this one a hundredth.
    """

    def __init__(self, tokenizer: Any, model: Any) -> None:
        self.padding, self.side, self.model = tokenizer.pad_token_id, tokenizer.padding_side, model

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Token ids and mask of the sources, labels, inputs of the decoder: each [rows, tokens of the longest].

        Items with a `row` also give its tensor, [rows]; pairs the labels of their rejected answers.
        """
        sources, targets = (
            [torch.from_numpy(row[name].astype(np.int64)) for row in rows] for name in ("input_ids", "labels")
        )
        labels = self._padded(targets, IGNORED)
        numbers = {"row": torch.tensor([int(row["row"]) for row in rows])} if "row" in rows[0] else {}
        if REJECTED in rows[0]:
            rejected = [torch.from_numpy(row[REJECTED].astype(np.int64)) for row in rows]
            numbers[REJECTED] = self._padded(rejected, IGNORED)
        return numbers | {
            "input_ids": self._padded(sources, self.padding),
            "attention_mask": self._padded([torch.ones_like(source) for source in sources], 0),
            "labels": labels,
            "decoder_input_ids": self.model.prepare_decoder_input_ids_from_labels(labels=labels),
        }

    def _padded(self, rows: list[torch.Tensor], value: int) -> torch.Tensor:
        return pad_sequence(rows, batch_first=True, padding_value=value, padding_side=self.side)


def target_tokens(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The number of target tokens of a batch, of pairs those of both answers; a scalar."""
    return sum((batch[name] != IGNORED).sum() for name in ("labels", REJECTED) if name in batch)


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
