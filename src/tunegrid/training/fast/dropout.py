"""Dropout on a CPU: masks that are drawn fast, and kept in a byte per number.

torch draws 64 random bits for each number that may be dropped, in one thread, and keeps for the way back a mask in
fp32: of T5-small's training on a processor that is not Intel's, a sixth of the time with full fine-tuning and a third
with LoRA. Here 16 bits decide about a number, drawn from torch's own generator, so that a run that goes on from a
checkpoint draws what it would have drawn. On a GPU torch's own dropout is right, and stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from tunegrid.runtime import cpu_tricks

STEPS = 2**16  # of the probability: it is rounded to a multiple of 1 / STEPS, and what is kept is scaled by that


@contextmanager
def sparing_dropout() -> Iterator[None]:
    """Within it, `dropout` replaces every dropout of tensors on the CPU, also inside of torch's attention."""
    if not cpu_tricks.are_on():
        yield
        return
    library = torch.library.Library("aten", "IMPL")
    library.impl("dropout", dropout, "AutogradCPU")
    try:
        yield
    finally:
        library._destroy()


def dropout(x: torch.Tensor, p: float, train: bool) -> torch.Tensor:
    """`torch.nn.functional.dropout` of a tensor on the CPU."""
    return _Dropout.apply(x, p) if train and p else x


def draw(x: torch.Tensor, p: float) -> tuple[torch.Tensor, float]:
    """Draws a mask: (uint8 of the tensor's shape, 1 for each number that is kept; the scale of those numbers)."""
    if x.device.type != "cpu":
        return torch.empty_like(x, dtype=torch.uint8).bernoulli_(1 - p), 1 / (1 - p)
    dropped, numbers = round(p * STEPS), x.numel()
    if dropped == STEPS:
        return torch.zeros(x.shape, dtype=torch.uint8), 0.0
    bits = torch.empty(-(-numbers // 4), dtype=torch.int64).random_(-(2**63), None)
    keep = bits.numpy().view("int16")[:numbers] >= dropped - STEPS // 2  # torch's comparison takes three times as long
    return torch.from_numpy(keep).view(torch.uint8).view(x.shape), STEPS / (STEPS - dropped)


def drop(x: torch.Tensor, keep: torch.Tensor, scale: float) -> torch.Tensor:
    """A new tensor with the kept numbers, scaled, and zeros for the others."""
    return (x * scale).mul_(keep)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, p: float) -> torch.Tensor:
        keep, ctx.scale = draw(x, p)
        ctx.save_for_backward(keep)
        return drop(x, keep, ctx.scale)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (keep,) = ctx.saved_tensors
        return drop(gradient, keep, ctx.scale), None
