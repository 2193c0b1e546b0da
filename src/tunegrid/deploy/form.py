"""The form of an exported folder: a whole model, an adapter, or a model converted for CTranslate2 or to ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Form = Literal["model", "adapter", "ctranslate2", "onnx"]


@dataclass(frozen=True)
class Layout:
    """The parts of an exported folder, and where they are.

    Attributes:
        library: loads it: transformers, ctranslate2 or optimum (ONNX) a plain model; peft or adapters an adapter.
        base: folder inside it that holds the base model; "" where that is not in it. The tokenizer is there.
        adapter: folder inside it that holds the adapter ("" for the folder itself); None: a plain model.
        hub: (id, commit) of the base model on the Hub; None: it is not from there.
        attention: the implementation of attention that an adapter's base has to be loaded with; None: any.
    """

    library: Literal["transformers", "ctranslate2", "optimum", "peft", "adapters"]
    base: str
    adapter: str | None
    hub: tuple[str, str | None] | None
    attention: str | None = None
