"""Log-probabilities of given texts as the answer to each source of a batch.

Of many texts, those that begin alike share that beginning: sorted by their tokens, each is read from the first token on
that the text before it does not have, and the decoder's keys and values of what they share are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import torch
from transformers import DynamicCache, EncoderDecoderCache

# Fewer texts are read whole, each by itself: their scores keep their last bits, and sharing would save little.
SHARED_FROM = 8


def answer_log_probabilities(
    model: Any, batch: dict[str, torch.Tensor], answers: Sequence[Sequence[int]]
) -> torch.Tensor:
    """Log-probability of each answer to each source, [rows, answers], the sum over the answer's tokens.

    For a model that encodes a batch once (`encoder.encoding_once`), without gradients.

    Args:
        answers: token ids with the tokenizer's special tokens.
    """
    scores = _shared(model, batch, answers) if len(answers) >= SHARED_FROM else None
    return _whole(model, batch, answers) if scores is None else scores


def _whole(model: Any, batch: dict[str, torch.Tensor], answers: Sequence[Sequence[int]]) -> torch.Tensor:
    of_source = DynamicCache()  # the decoder's keys and values of the source are those of every answer
    columns = []
    for answer in answers:
        inputs, target = _decoder_inputs(model, batch, answer)
        past = EncoderDecoderCache(DynamicCache(), of_source)
        logits = model(**batch, decoder_input_ids=inputs, past_key_values=past, use_cache=True).logits
        columns.append(token_log_probabilities(logits, target).sum(-1))
    return torch.stack(columns, dim=1)


def _shared(model: Any, batch: dict[str, torch.Tensor], answers: Sequence[Sequence[int]]) -> torch.Tensor | None:
    """None: a method puts more into the decoder than the answers' tokens, so that what they share cannot be kept."""
    following: dict[tuple[int, ...], set[int]] = defaultdict(set)  # beginning of an answer -> tokens that follow it
    for answer in answers:
        for position, token in enumerate(answer):
            following[tuple(answer[:position])].add(token)
    own, of_source = DynamicCache(), DynamicCache()
    columns: list[Any] = [None] * len(answers)
    before: Sequence[int] = ()
    known: list[dict[int, torch.Tensor]] = []  # by position: token that follows there -> its log-probability, [rows]
    for index in sorted(range(len(answers)), key=lambda index: tuple(answers[index])):
        answer = answers[index]
        start = min(_common(before, answer) + 1, len(answer)) if known else 0
        own.crop(start)
        del known[start:]
        if start < len(answer):
            inputs, _ = _decoder_inputs(model, batch, answer)
            past = EncoderDecoderCache(own, of_source)
            logits = model(**batch, decoder_input_ids=inputs[:, start:], past_key_values=past, use_cache=True).logits
            if own.get_seq_length() != len(answer):
                return None
            logarithms = logits.float().log_softmax(-1)
            for place, position in enumerate(range(start, len(answer))):
                tokens = sorted(following[tuple(answer[:position])])
                known.append(dict(zip(tokens, logarithms[:, place, tokens].unbind(-1), strict=True)))
        columns[index] = torch.stack([known[position][token] for position, token in enumerate(answer)]).sum(0)
        before = answer
    return torch.stack(columns, dim=1)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two texts have in common from their beginning on."""
    return sum(1 for _ in takewhile(lambda tokens: tokens[0] == tokens[1], zip(first, second, strict=False)))


def _decoder_inputs(
    model: Any, batch: dict[str, torch.Tensor], answer: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(what the decoder reads, what it is to say) for one answer to all sources, [rows, tokens] each."""
    rows, device = len(batch["input_ids"]), batch["input_ids"].device
    target = torch.tensor([answer], device=device).repeat(rows, 1)
    return model.prepare_decoder_input_ids_from_labels(labels=target), target


def token_log_probabilities(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-probability of each target token, [rows, tokens]."""
    return logits.float().log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
