"""The encoder of a model while it predicts: a few sources at a time on a CPU, and each batch once for several texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch

from tunegrid.runtime import cpu_tricks

# Tokens that are encoded at once: what a layer makes of them (scores of the attention, the wide hidden layer) stays in
# the cache. T5-small's encoder takes a fifth to a third less time so than with batches of 32 whole sources.
TOKENS = 2048
WHOLE_BATCHES = "encodes_whole_batches"


def encode_whole_batches(model: Any) -> None:
    """Marks a model whose encoder has to get whole batches, for what a method made for the batch fits no part of it."""
    setattr(model, WHOLE_BATCHES, True)


@contextmanager
def encoding_in_parts(model: Any) -> Iterator[None]:
    """Within it, a model on the CPU encodes a batch in parts, each only as wide as its longest source.

    For predictions, without gradients. A GPU has enough to do only with the whole batch: there it alters nothing.
    """
    whole = getattr(model, WHOLE_BATCHES, False)
    if whole or next(model.parameters()).device.type != "cpu" or not cpu_tricks.are_on():
        yield
        return
    with _replaced(model, _in_parts):
        yield


@contextmanager
def encoding_once(model: Any) -> Iterator[None]:
    """Within it, a model encodes the first batch that it is given, and takes what follows for the same batch.

    So the model itself is called for every text of a batch, with all that a method puts in front of its sources.
    """
    with _replaced(model, _once):
        yield


@contextmanager
def _replaced(model: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    encoder = model.get_encoder()
    before = vars(encoder).get("forward")
    encoder.forward = change(encoder.forward)
    try:
        yield
    finally:
        del encoder.forward  # the class's own is left
        if before is not None:
            encoder.forward = before


def _in_parts(forward: Any) -> Any:
    @wraps(forward)  # the libraries look at its signature
    def encode(
        *,
        attention_mask: torch.Tensor,
        input_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **options: Any,
    ) -> Any:
        name, inputs = ("input_ids", input_ids) if inputs_embeds is None else ("inputs_embeds", inputs_embeds)
        lengths, states, start = attention_mask.sum(-1).long().tolist(), [], 0
        while start < len(lengths):
            part, tokens = _part(lengths, start)
            given = {name: inputs[part, :tokens], "attention_mask": attention_mask[part, :tokens]}
            output = forward(**given, **options)
            # What stands in the place of padding is masked for the decoder.
            states.append(torch.nn.functional.pad(output[0], (0, 0, 0, inputs.shape[1] - tokens)))
            start = part.stop
        return type(output)(last_hidden_state=torch.cat(states))

    return encode


def _once(forward: Any) -> Any:
    encoded: list[Any] = []

    @wraps(forward)
    def encode(**inputs: Any) -> Any:
        if not encoded:
            encoded.append(forward(**inputs))
        # A copy each time: some models write into the encoder's output that they are given.
        return type(encoded[0])(last_hidden_state=encoded[0].last_hidden_state.clone())

    return encode


def _part(lengths: list[int], start: int) -> tuple[slice, int]:
    """(rows from `start` on that are encoded together, at least one; tokens of the longest of them)."""
    stop, longest = start + 1, lengths[start]
    while stop < len(lengths) and max(longest, lengths[stop]) * (stop + 1 - start) <= TOKENS:
        longest = max(longest, lengths[stop])
        stop += 1
    return slice(start, stop), longest
