"""How answers are decoded."""

from __future__ import annotations

from pydantic import Field

from tunegrid.common.fields import Closed


class Generation(Closed):
    """How answers are decoded: one setting for every model, never the checkpoint's own."""

    max_new_tokens: int = Field(
        gt=0, description="Longest answer, in tokens, the tokenizer's special tokens not counted."
    )
    num_beams: int = Field(1, gt=0, description="1: greedy decoding.")
    length_penalty: float = Field(1.0, description="Exponent of the length in beam search; no effect with one beam.")
