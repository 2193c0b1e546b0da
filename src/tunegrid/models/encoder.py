"""An encoder that takes the sources of a batch a few at a time, for a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch

# Tokens that are encoded at once: what a layer makes of them (scores of the attention, the wide hidden layer) stays in
# the cache. T5-small's encoder takes a fifth to a third less time so than with batches of 32 whole sources.
TOKENS = 2048


@contextmanager
def encoding_in_parts(model: Any) -> Iterator[None]:
    """Within it, a model on the CPU encodes a batch in parts, each only as wide as its longest source.

    For predictions, without gradients. A GPU has enough to do only with the whole batch: there it alters nothing.
    """
    if next(model.parameters()).device.type != "cpu":
        yield
        return
    encoder = model.get_encoder()
    encoder.forward = _in_parts(encoder.forward)
    try:
        yield
    finally:
        del encoder.forward  # the class's own is left


def _in_parts(forward: Any) -> Any:
    @wraps(forward)  # the libraries look at its signature
    def encode(*, input_ids: torch.Tensor, attention_mask: torch.Tensor, **options: Any) -> Any:
        lengths, states, start = attention_mask.sum(-1).tolist(), [], 0
        while start < len(lengths):
            part, tokens = _part(lengths, start)
            ids, mask = input_ids[part, :tokens], attention_mask[part, :tokens]
            output = forward(input_ids=ids, attention_mask=mask, **options)
            # What stands in the place of padding is masked for the decoder.
            states.append(torch.nn.functional.pad(output[0], (0, 0, 0, input_ids.shape[1] - tokens)))
            start = part.stop
        return type(output)(last_hidden_state=torch.cat(states))

    return encode


def _part(lengths: list[int], start: int) -> tuple[slice, int]:
    """(rows from `start` on that are encoded together, at least one; tokens of the longest of them)."""
    stop, longest = start + 1, lengths[start]
    while stop < len(lengths) and max(longest, lengths[stop]) * (stop + 1 - start) <= TOKENS:
        longest = max(longest, lengths[stop])
        stop += 1
    return slice(start, stop), longest
