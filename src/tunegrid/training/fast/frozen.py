"""Frozen weights in the precision that products take them in.

Under autocast every product with a frozen weight rounds it to bf16 anew, in every forward pass, and keeps the rounded
copy for the way back beside the weight (torch keeps one copy of *trained* weights only). Held in bf16 from the start, a
weight takes half the memory and none of that time, and the products have the same bits. This is for a GPU, where it was
not measured; on a CPU it alters neither the time nor the peak of T5-small's training.
"""

from __future__ import annotations

from typing import Any

import torch


def hold_in_bf16(model: Any) -> None:
    """Rounds the frozen weights of a model's linear layers to bf16, for a training under autocast.

    A head that is tied to the embedding stays: what the embedding hands on would be rounded, too.
    """
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and id(module.weight) not in embeddings:
            weight = module.weight
            if not weight.requires_grad and weight.dtype == torch.float32:
                weight.data = weight.data.to(torch.bfloat16)
