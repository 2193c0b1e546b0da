"""All weights in 16 bits (bfloat16: the range of fp32, 8 bits of precision), and computed in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunegrid.models.families import Family
from tunegrid.models.forms.base import Form, Formed, weight_bytes


class Bf16(Form):
    """Computed by torch; fast only where the processor has instructions for it."""

    names, name, precision = ("bf16",), "bf16", "bf16"
    saves = "Half of the weights' bytes and memory; time only where the processor multiplies bf16."

    def make(self, model: Any, tokenizer: Any, folder: Path, *, family: Family, device: str, threads: int) -> Formed:
        import torch

        model = model.to(device, torch.bfloat16).eval()
        return Formed(model, weight_bytes(model))
