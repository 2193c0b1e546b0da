"""Test rows whose text occurs in the training rows: as a whole, or 13 words in a row of it.

The definition is that of GPT-3's report (Brown et al. 2020, appendix C), with its n-gram of 13 words: a text is put in
lower case, all but letters, marks and digits parts words, and an n-gram is 13 words in a row of one column. In scripts
that are written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each letter is a word.

Rows are streamed. What is kept in memory is 8 bytes per distinct n-gram of the test rows, and a bit map of 16 MiB that
tells nearly all n-grams of the training rows apart from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunegrid.data.parquet import record_batches, write_columns

if TYPE_CHECKING:
    import numpy as np
    import pyarrow

NGRAM = 13  # words
BATCH = 5_000  # rows read at once: bounds the memory
_BITS = 27  # of the position in the bit map
_FACTOR = 0x9E3779B97F4A7C15  # odd, so that products modulo 2^64 can be told apart
_BETWEEN_WORDS = r"[^\p{L}\p{M}\p{N}]+"
_WITHOUT_SPACES = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"


def write_overlap(folder: Path, whole_columns: Sequence[str], columns: Sequence[str]) -> None:
    """Writes `overlap.parquet` beside the splits of a task: one row per test row, in its order.

    Its columns: `ngrams`, the number of 13-grams of the row; `seen`, how many of them occur in any training row;
    `same`, whether some training row has the same words; false where the row has none.

    Args:
        folder: holds train.parquet and test.parquet.
        whole_columns: the columns that must all have the same words for a row to be `same`.
        columns: the columns whose n-grams are looked for, in any of these columns of the training rows.
    """
    import numpy as np

    train, test = folder / "train.parquet", folder / "test.parquet"
    known = _Known([grams for _, _, grams, _ in _hashed(test, whole_columns, columns)])
    rows = _Known([keys for keys, *_ in _hashed(test, whole_columns, columns)])
    for keys, _, grams, _ in _hashed(train, whole_columns, columns):
        known.mark(grams)
        rows.mark(keys)
    counts: dict[str, list[np.ndarray]] = {"ngrams": [], "seen": [], "same": []}
    for keys, size, grams, owners in _hashed(test, whole_columns, columns):
        counts["ngrams"].append(np.bincount(owners, minlength=size))
        counts["seen"].append(np.bincount(owners[known.marked(grams)], minlength=size))
        counts["same"].append(rows.marked(keys) & (keys != 0))  # no word: 0
    types = {"ngrams": np.int32, "seen": np.int32, "same": np.bool_}
    columns_of_rows = {name: np.concatenate(parts).astype(types[name]) for name, parts in counts.items()}
    write_columns(folder / "overlap.parquet", columns_of_rows)


class _Known:
    """A set of 64-bit hashes, each of which can be marked.

    With 64 bits, the chance that any of 100 million n-grams of training rows agrees by accident with any of 6 million
    of test rows is 3e-5.
    """

    def __init__(self, parts: list[np.ndarray]) -> None:
        import numpy as np

        self.hashes = np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.uint64)
        self._marks = np.zeros(len(self.hashes), bool)
        self._map = np.zeros(2 ** (_BITS - 3), np.uint8)
        places = self._places(self.hashes)
        np.bitwise_or.at(self._map, places >> 3, (1 << (places & 7)).astype(np.uint8))

    def mark(self, hashes: np.ndarray) -> None:
        if len(self.hashes):
            at, equal = self._find(hashes[self._perhaps(hashes)])
            self._marks[at[equal]] = True

    def marked(self, hashes: np.ndarray) -> np.ndarray:
        """Tells which of these hashes, all of the set, were marked."""
        at, equal = self._find(hashes)
        return self._marks[at] & equal

    def _find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = self.hashes.searchsorted(hashes).clip(max=max(len(self.hashes) - 1, 0))
        return at, self.hashes[at] == hashes

    def _perhaps(self, hashes: np.ndarray) -> np.ndarray:
        places = self._places(hashes)
        return (self._map[places >> 3] >> (places & 7).astype("uint8")) & 1 == 1

    @staticmethod
    def _places(hashes: np.ndarray) -> np.ndarray:
        return (hashes >> (64 - _BITS)).astype("int64")


def _hashed(
    path: Path, whole_columns: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[np.ndarray, int, np.ndarray, np.ndarray]]:
    """(hash of each row's words, number of rows, hashes of all n-grams, the row of each) of each batch of rows."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    names = list(dict.fromkeys((*whole_columns, *columns)))
    for batch in record_batches(path, BATCH, names):
        keys, grams, owners = np.zeros(len(batch), np.uint64), [], []
        for name in names:
            texts, owner = batch.column(name), None
            if pa.types.is_list(texts.type):  # several references of a row
                texts, owner = texts.flatten(), pc.list_parent_indices(texts).to_numpy()
            words, starts = _words(texts)
            if name in whole_columns:
                keys = keys * np.uint64(_FACTOR) + _sums(words, starts)
            if name in columns:
                column_grams, rows = _ngrams(words, starts)
                rows = rows if owner is None else owner[rows]
                grams.append(column_grams)
                owners.append(rows)
        yield keys, len(batch), np.concatenate(grams), np.concatenate(owners)


def _words(texts: pyarrow.Array) -> tuple[np.ndarray, np.ndarray]:
    """(hash of each word of all texts, index of the first word of each text and, last, the number of words)."""
    import numpy as np
    import pyarrow.compute as pc

    texts = pc.utf8_lower(pc.fill_null(texts, ""))
    if pc.any(pc.match_substring_regex(texts, _WITHOUT_SPACES)).as_py():
        texts = pc.replace_substring_regex(texts, f"({_WITHOUT_SPACES})", r" \1 ")
    texts = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, _BETWEEN_WORDS, " "))
    texts = pc.if_else(pc.not_equal(texts, ""), texts, None)  # which would be split into one empty word
    lists = pc.utf8_split_whitespace(texts)
    encoded = lists.flatten().dictionary_encode()
    # Only compared within this process, so that Python's own keyed hash of 64 bits will do.
    distinct = np.fromiter(map(hash, encoded.dictionary.to_pylist()), np.int64, len(encoded.dictionary))
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return distinct.view(np.uint64)[encoded.indices.to_numpy()], starts


def _sums(words: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """A hash of the words of each text, in their order."""
    import numpy as np

    lengths = np.diff(starts)
    powers = np.full(int(lengths.max(initial=0)) + 1, _FACTOR, np.uint64)
    powers[0] = 1
    powers = np.cumprod(powers, dtype=np.uint64)
    places = np.arange(len(words)) - np.repeat(starts[:-1], lengths)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(words * powers[places], dtype=np.uint64)])
    return sums[starts[1:]] - sums[starts[:-1]] + lengths.astype(np.uint64) * np.uint64(_FACTOR)


def _ngrams(words: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(hash of each n-gram, index of the text that it is of); no n-gram reaches into the next text."""
    import numpy as np

    count = max(len(words) - NGRAM + 1, 0)
    hashes = np.zeros(count, np.uint64)
    for offset in range(NGRAM):
        hashes *= np.uint64(_FACTOR)
        hashes += words[offset : offset + count]
    hashes ^= hashes >> np.uint64(29)  # the bit map takes the upper bits
    hashes *= np.uint64(_FACTOR)
    owners = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    inside = owners[:count] == owners[NGRAM - 1 :] if count else np.zeros(0, bool)
    return hashes[inside], owners[:count][inside]
