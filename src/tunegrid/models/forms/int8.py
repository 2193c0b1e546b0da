"""Weights of linear layers and embeddings in 8 bits, inputs quantised as they come (dynamic quantisation)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunegrid.models.families import Family
from tunegrid.models.forms.base import Form, Formed


class Int8(Form):
    """Computed by CTranslate2, whose kernels multiply 8-bit integers."""

    names, name, precision = ("int8",), "int8", "int8"
    converts = True
    saves = "A quarter of the weights' bytes, and time: products are of 8-bit integers."

    def make(self, model: Any, tokenizer: Any, folder: Path, *, family: Family, device: str, threads: int) -> Formed:
        from tunegrid.models.converted import Converted, convert

        convert(model, tokenizer, folder, "int8")
        size = (folder / "model.bin").stat().st_size
        return Formed(Converted(folder, device=device, threads=threads, compute="int8"), size)
