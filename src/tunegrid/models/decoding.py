"""How answers are decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tunegrid.common.fields import MOST_TOKENS, Closed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Generation(Closed):
    """How answers are decoded: one setting for every model, never the checkpoint's own."""

    max_new_tokens: int = Field(
        gt=0, le=MOST_TOKENS, description="Longest answer, in tokens, the tokenizer's special tokens not counted."
    )
    num_beams: int = Field(1, gt=0, le=256, description="1: greedy decoding.")
    length_penalty: float = Field(
        1.0, ge=-10, le=10, description="Exponent of the length in beam search; no effect with one beam."
    )


def decode(tokenizer: PreTrainedTokenizerBase, ids: Sequence[Any]) -> list[str]:
    """The texts of token ids, [texts, tokens]: without special tokens, and without white space around them."""
    return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]
