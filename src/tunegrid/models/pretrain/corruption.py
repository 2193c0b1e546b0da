"""What a model learns from plain text: to restore hidden spans. Works on lists of token ids, without torch."""

from collections.abc import Collection, Mapping

import numpy as np


def span_mask(length: int, rate: float, mean_span: float, random: np.random.Generator) -> np.ndarray:
    """A boolean mask over `length` tokens that hides about `rate` of them in spans of `mean_span` tokens on average.

    As in T5: the numbers of hidden tokens and of spans are fixed, their lengths and places are drawn; at least one
    token is hidden and, where there are two, one is left. The text never starts with a hidden span.
    """
    if length < 2:
        return np.ones(length, dtype=bool)
    hidden = min(max(round(length * rate), 1), length - 1)
    spans = min(max(round(hidden / mean_span), 1), hidden, length - hidden)
    gaps, runs = _parts(length - hidden, spans, random), _parts(hidden, spans, random)
    pattern = np.tile(np.array([False, True]), spans)
    return np.repeat(pattern, np.stack([gaps, runs], axis=1).reshape(-1))


def recurrence_mask(tokens: list[int], counts: Mapping[int, int], last: bool) -> np.ndarray:
    """Hides one occurrence (the first, or with `last` the last) of the rarer half of the words that occur again.

    `counts` says how often a token occurs in all text. What is hidden can be looked up elsewhere in the document by the
    more common words around it, which stay: a person's town by the person's name. Question answering needs just that.
    """
    places: dict[int, list[int]] = {}
    for place, token in enumerate(tokens):
        places.setdefault(token, []).append(place)
    recurring = sorted((counts[token], token) for token in places if len(places[token]) > 1 and token in counts)
    mask = np.zeros(len(tokens), dtype=bool)
    for _, token in recurring[: (len(recurring) + 1) // 2]:
        mask[places[token][-1 if last else 0]] = True
    return mask


def last_boundary(tokens: list[int], boundaries: Collection[int]) -> int:
    """The number of tokens up to the last boundary that is not the text's end; 0 without one."""
    return next((place for place in range(len(tokens) - 1, 0, -1) if tokens[place - 1] in boundaries), 0)


def to_sentinels(tokens: list[int], mask: np.ndarray, sentinels: list[int]) -> tuple[list[int], list[int]]:
    """T5's (source, target): each hidden span is a sentinel in the source; the target is the sentinels and their spans.

    Spans beyond the number of sentinels stay visible.
    """
    source: list[int] = []
    target: list[int] = []
    used, inside = 0, False
    for token, hidden in zip(tokens, mask, strict=True):
        if hidden and not inside:
            if used == len(sentinels):
                hidden = False
            else:
                source.append(sentinels[used])
                target.append(sentinels[used])
                used += 1
        (target if hidden else source).append(token)
        inside = bool(hidden)
    return source, target


def to_masks(tokens: list[int], mask: np.ndarray, mask_token: int) -> list[int]:
    """BART's source for text infilling: every hidden span is one mask token. The target is the whole text."""
    return to_sentinels(tokens, mask, [mask_token] * len(tokens))[0]


def _parts(total: int, count: int, random: np.random.Generator) -> np.ndarray:
    """`total` cut into `count` positive parts, all ways of cutting equally likely."""
    cuts = np.sort(random.choice(total - 1, count - 1, replace=False)) + 1 if count > 1 else np.zeros(0, dtype=int)
    return np.diff(np.concatenate([[0], cuts, [total]]))
