"""LoRA's modules, which compute the same update as peft's with less time and memory.

There is one beside every linear layer, each with a dropout of its own. As two modules, torch keeps for the way back
the input after the dropout and, on a CPU, a mask in fp32: 8 bytes per number and layer, for LoRA on T5-base more memory
than full fine-tuning takes. `DroppedLinear` keeps the input, which the layers that share it keep once, and one byte for
the mask. And where peft computes B's product, scales it and adds it, three tensors as large as the layer's output,
`Added` does it in one.

Both are for layers much wider than the rank. In narrow ones a product with r columns takes as long as one with all:
there, and without dropout, `multiply_at_once` has W and its update multiplied as one matrix.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from peft.tuners.lora.layer import LoraVariant
from torch.nn.functional import linear

from tunegrid.training.fast.dropout import draw, drop

# Numbers of W per number of A and B. At once takes 6 operations per number of W and token where the parts take 4 and 6
# per number of A and B; at 4 and 5.3 (width 64, rank 8) it took two thirds and three quarters of their time.
NARROW = 6.0


class DroppedLinear(torch.nn.Linear):
    """`linear(dropout(x), weight)` without a bias, with the masks of `training.fast.dropout`.

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
        keep, ctx.scale = draw(x, p)
        ctx.save_for_backward(x, weight, keep)
        return linear(drop(x, keep, ctx.scale), weight)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        # Under autocast the gradient is in bf16, as was the product.
        x, weight, keep = ctx.saved_tensors
        of_input = of_weight = None
        if ctx.needs_input_grad[0]:
            of_input = drop((gradient @ weight.to(gradient.dtype)).to(x.dtype), keep, ctx.scale)
        if ctx.needs_input_grad[1]:
            dropped = drop(x, keep, ctx.scale).to(gradient.dtype)
            of_weight = (gradient.flatten(0, -2).mT @ dropped.flatten(0, -2)).to(weight.dtype)
        return of_input, of_weight, None


class Added(LoraVariant):
    """While training, the update is added in the very product with B: result + (alpha / r) x A^T B^T."""

    @staticmethod
    def init(module: LoraLayer, adapter_name: str, **_: Any) -> None:
        """Nothing to prepare."""

    @staticmethod
    def forward(
        module: LoraLayer, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        """[…, in] and the layer's own output […, out] to […, out]."""
        inner = module.lora_A[active_adapter](module.lora_dropout[active_adapter](x))
        up, scale = module.lora_B[active_adapter], module.scaling[active_adapter]
        if not module.training:  # to the bit as a model computes that was loaded by peft
            return result + up(inner) * scale
        return torch.addmm(result.flatten(0, -2), inner.flatten(0, -2), up.weight.T, alpha=scale).view_as(result)

    @staticmethod
    def merge_safe(module: LoraLayer, active_adapter: str, orig_weight: torch.Tensor) -> torch.Tensor:
        return orig_weight + module.get_delta_weight(active_adapter)

    @staticmethod
    def merge_unsafe(module: LoraLayer, active_adapter: str, orig_weight: torch.Tensor) -> None:
        orig_weight.data += module.get_delta_weight(active_adapter)

    @staticmethod
    def unmerge(module: LoraLayer, active_adapter: str, orig_weight: torch.Tensor) -> torch.Tensor:
        return orig_weight - module.get_delta_weight(active_adapter)


def multiply_at_once(module: LoraLayer, name: str) -> None:
    """Has a narrow layer multiply by W + (alpha / r) B A while it trains on a CPU, in fp32; its dropout is 0."""
    weight, down, up = module.get_base_layer().weight, module.lora_A[name].weight, module.lora_B[name].weight
    if weight.numel() > NARROW * (down.numel() + up.numel()):
        return
    in_parts = module.forward

    def forward(x: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        is_other = module.disable_adapters or module.merged or arguments or options or x.dtype != torch.float32
        if is_other or not module.training or x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return in_parts(x, *arguments, **options)
        base, down, up = module.get_base_layer(), module.lora_A[name].weight, module.lora_B[name].weight
        output = _AtOnce.apply(x, base.weight, down, up, module.scaling[name])
        return output if base.bias is None else output.add_(base.bias)

    module.forward = forward


class _AtOnce(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, down: torch.Tensor, up: torch.Tensor, scale: float
    ) -> torch.Tensor:
        weight = torch.addmm(weight, up, down, alpha=scale)
        ctx.save_for_backward(x, weight, down, up)
        ctx.scale = scale
        return linear(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, down, up = ctx.saved_tensors
        of_input = gradient @ weight if ctx.needs_input_grad[0] else None
        of_weight = (gradient.flatten(0, -2).mT @ x.flatten(0, -2)).mul_(ctx.scale)
        return of_input, None, up.mT @ of_weight, of_weight @ down.mT, None
