"""A linear layer behind a dropout that keeps neither its input after the dropout nor a mask of floats.

LoRA puts one beside every linear layer, each with a dropout of its own. As two modules, torch keeps for the way back
the input after the dropout and, on a CPU, a mask in fp32: 8 bytes per number and layer, for LoRA on T5-base more memory
than full fine-tuning takes. Here it is the input, which the layers that share it keep once, and one byte for the mask.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import linear


class DroppedLinear(torch.nn.Linear):
    """`linear(dropout(x), weight)` without a bias; the same bits on a CPU, and another mask on a GPU.

    Args:
        layer: the layer whose weight it takes over; it has no bias.
        p: share of the inputs that are dropped while training.
    """

    def __init__(self, layer: torch.nn.Linear, p: float) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        self.weight = layer.weight
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[…, in] to […, out]."""
        if not self.training or self.p == 0:
            return super().forward(x)
        return _DroppedLinear.apply(x, self.weight, self.p)


class _DroppedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, p: float) -> torch.Tensor:
        # Drawn as fp32, as torch's own dropout does on a CPU.
        mask = torch.empty_like(x).bernoulli_(1 - p).bool()
        ctx.save_for_backward(x, weight, mask)
        ctx.scale = _scale(x, p)
        return linear(_dropped(x, mask, ctx.scale), weight)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        # Under autocast the gradient is in bf16, as was the product.
        x, weight, mask = ctx.saved_tensors
        of_input = of_weight = None
        if ctx.needs_input_grad[0]:
            of_input = _dropped((gradient @ weight.to(gradient.dtype)).to(x.dtype), mask, ctx.scale)
        if ctx.needs_input_grad[1]:
            dropped = _dropped(x, mask, ctx.scale).to(gradient.dtype)
            of_weight = (gradient.flatten(0, -2).mT @ dropped.flatten(0, -2)).to(weight.dtype)
        return of_input, of_weight, None


def _scale(x: torch.Tensor, p: float) -> torch.Tensor:
    """What is left is scaled by 1 / (1 - p), rounded as torch's own dropout does."""
    return torch.ones((), dtype=x.dtype, device=x.device).div_(1 - p)


def _dropped(x: torch.Tensor, mask: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return x * scale * mask
