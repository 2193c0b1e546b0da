"""Endless seeded batches for pretraining: documents of like length together, newly corrupted every time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tunegrid.models.pretrain.corruption import last_boundary, recurrence_mask, span_mask, to_masks, to_sentinels
from tunegrid.models.pretrain.tokenizers import SENTINELS, sentinel

# A token that makes up more than this share of the text is a function word or punctuation.
COMMON_SHARE = 0.01
# A document can be continued after a token that ends in one of these.
BOUNDARIES = ".?!="
# Documents are sorted by length within this many batches.
BUCKET_BATCHES = 32


@dataclass(frozen=True)
class Corruption:
    """How documents are corrupted, by a PretrainSource or Forgetting, with the token ids that the family needs."""

    family: str
    source: Any
    boundaries: frozenset[int]
    start: tuple[int, ...]
    end: int
    mask: int
    sentinels: list[int]

    @classmethod
    def of(cls, tokeniser, family: str, source) -> "Corruption":
        bart = family == "bart"
        return cls(
            family=family,
            source=source,
            boundaries=frozenset(number for token, number in tokeniser.get_vocab().items() if token[-1:] in BOUNDARIES),
            start=(tokeniser.bos_token_id,) if bart else (),
            end=tokeniser.eos_token_id,
            mask=tokeniser.mask_token_id if bart else -1,
            sentinels=[] if bart else tokeniser.convert_tokens_to_ids([sentinel(n) for n in range(SENTINELS)]),
        )

    def apply(
        self, tokens: list[int], counts: dict[int, int], random: np.random.Generator
    ) -> tuple[list[int], list[int]]:
        """(source, target) for one document, special tokens included."""
        settings = self.source
        if random.random() < settings.continuation_share and (cut := last_boundary(tokens, self.boundaries)):
            return [*self.start, *tokens[:cut], self.end], [*self.start, *tokens[cut:], self.end]
        mask = np.zeros(0, dtype=bool)
        if random.random() < settings.recurrence_share:
            # BART's decoder writes the whole text: it could copy all but a first occurrence from its own words.
            last = self.family != "bart" and random.random() < 0.5
            mask = recurrence_mask(tokens, counts, last)
        if not mask.any():
            mask = span_mask(len(tokens), settings.corruption_rate, settings.mean_span, random)
        if self.family == "bart":
            source, target = to_masks(tokens, mask, self.mask), tokens
        else:
            source, target = to_sentinels(tokens, mask, self.sentinels)
        return [*self.start, *source, self.end], [*self.start, *target, self.end]


def span_batches(
    texts: list[str], tokeniser, corruption: Corruption, size: int, max_length: int, seed: int
) -> Iterator[dict]:
    """Batches of corrupted documents as `input_ids`, `attention_mask`, `labels` (long tensors, size x length)."""
    pieces = []
    for ids in tokeniser(texts, add_special_tokens=False)["input_ids"]:
        pieces.extend(ids[first : first + max_length] for first in range(0, len(ids), max_length))
    counts = Counter(token for piece in pieces for token in piece)
    total = sum(counts.values())
    counts = {token: count for token, count in counts.items() if count <= COMMON_SHARE * total}
    random = np.random.default_rng([seed, 1])
    for group in _groups([len(piece) for piece in pieces], size, random):
        pairs = [corruption.apply(pieces[number], counts, random) for number in group]
        yield collate(pairs, tokeniser.pad_token_id)


def instruction_batches(
    pairs: list[tuple[str, str]], tokeniser, size: int, max_length: int, seed: int
) -> Iterator[dict]:
    """Batches of (source, target) texts, in the same form."""
    sources = tokeniser([source for source, _ in pairs], truncation=True, max_length=max_length)["input_ids"]
    targets = tokeniser([target for _, target in pairs], truncation=True, max_length=max_length)["input_ids"]
    random = np.random.default_rng([seed, 2])
    for group in _groups([len(source) for source in sources], size, random):
        yield collate([(sources[number], targets[number]) for number in group], tokeniser.pad_token_id)


def _groups(lengths: list[int], size: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless groups of `size` row numbers of like length (fewer where there are fewer rows)."""
    lengths = np.array(lengths)
    while True:
        order = random.permutation(len(lengths))
        groups = []
        for first in range(0, len(order), size * BUCKET_BATCHES):
            bucket = order[first : first + size * BUCKET_BATCHES]
            bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
            groups.extend(bucket[start : start + size] for start in range(0, len(bucket), size))
        for number in random.permutation(len(groups)):
            yield groups[number]


def collate(pairs: list[tuple[list[int], list[int]]], pad: int) -> dict:
    """(source, target) token ids as padded `input_ids`, `attention_mask`, `labels`, where padding is -100."""

    def padded(rows: list[list[int]], value: int):
        width = max(len(row) for row in rows)
        return torch.tensor([row + [value] * (width - len(row)) for row in rows])

    sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
    input_ids = padded(sources, pad)
    mask = padded([[1] * len(source) for source in sources], 0)
    return {"input_ids": input_ids, "attention_mask": mask, "labels": padded(targets, -100)}
