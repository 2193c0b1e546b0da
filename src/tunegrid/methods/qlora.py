"""QLoRA (Dettmers et al. 2023): LoRA on a base whose linear layers hold 4-bit numbers, by bitsandbytes and peft.

The package is an extra (`make setup EXTRAS=qlora`). On a CPU it saves memory and costs time: each product unpacks its
weights first.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tunegrid.common.citations import DETTMERS_2023, Formula
from tunegrid.common.errors import TuneGridError
from tunegrid.methods.base import FP32
from tunegrid.methods.lora import Lora, LoraSettings
from tunegrid.models.families import ROLES

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape

# 4 bits a number; an 8-bit scale for each 64 of them; of 256 scales, which are quantised too, a 32-bit scale.
BLOCK, SCALES = 64, 256
# T5's feed-forward block casts its input to the type of this layer's weights, so that they cannot be packed bytes.
KEPT = "wo"


class QloraSettings(LoraSettings):
    """Settings of QLoRA: those of LoRA."""

    kind: Literal["qlora"]


class Qlora(Lora):
    """Trains low-rank updates of linear layers whose own weights are packed into 4 bits."""

    Settings = QloraSettings
    settings: QloraSettings
    title = "QLoRA"
    tunes = "low-rank updates of 4-bit layers"
    library = None  # an adapter alone would be loaded on a base that is not packed: another model
    about = Formula(
        title,
        r"W = \mathrm{nf4}(W_0) + \dfrac{\alpha}{r}\, B A",
        "W is n f four of W zero plus alpha over r times B A",
        "LoRA on a base whose linear layers inside the stacks are packed into 4 bits (NF4: quantiles of a normal "
        "distribution, scaled in blocks of 64 weights, the scales quantised again). Embeddings, normalisations, biases "
        "and the LM head stay as they are.",
        (DETTMERS_2023,),
    )

    @classmethod
    def missing_package(cls) -> str | None:
        if find_spec("bitsandbytes") is None:
            return "QLoRA needs the package bitsandbytes, which is not installed (make setup EXTRAS=qlora)"
        return None

    def load_base(self, folder: Path) -> PreTrainedModel:
        if problem := self.missing_package():
            raise TuneGridError(f"{problem}.")
        model = super().load_base(folder)
        for name, layer in self._layers(model):
            _replace(model, name, _packed(layer))
        model.is_loaded_in_4bit = True  # peft asks for it before it takes its layers for packed weights
        return model

    def _layers(self, model: Any) -> list[tuple[str, Any]]:
        """Names and modules of the linear layers that are packed."""
        names = set(self.family.linear_names(ROLES)) - {KEPT}
        return [(name, module) for name, module in model.named_modules() if name.rpartition(".")[2] in names]

    def lighten(self, model: PeftModel) -> None:
        """Nothing: the faster modules compute with weights that are not packed."""

    def weight_bytes(self, shape: Shape) -> float:
        return super().weight_bytes(shape) - packed_weights(shape) * (FP32 - packed_bytes(1))

    def merge(self, model: PeftModel) -> PreTrainedModel:
        """The plain model with the same answers: the base's layers unpacked as they compute, then the updates added.

        (The library's own merge packs the sum again, which is another model.)
        """
        import torch
        from bitsandbytes.nn import Linear4bit
        from peft.tuners.lora import LoraLayer

        for module in model.modules():
            if isinstance(module, LoraLayer):
                (name,) = module.active_adapters
                plain = module.get_base_layer()
                plain = _unpacked(plain) if isinstance(plain, Linear4bit) else plain
                with torch.no_grad():
                    plain.weight += module.get_delta_weight(name)
                module.base_layer = plain
        base = model.get_base_model()
        for name, module in list(base.named_modules()):
            if isinstance(module, LoraLayer):
                _replace(base, name, module.base_layer)
        for name, module in list(base.named_modules()):
            if isinstance(module, Linear4bit):
                _replace(base, name, _unpacked(module))
        del base.is_loaded_in_4bit
        return base


def packed_weights(shape: Shape) -> int:
    """How many weights of a model of this shape are packed."""
    count = sum(layer.inputs * layer.outputs * layer.count for layer in shape.linear(ROLES))
    if KEPT in shape.family.linear["feed-forward"]:
        widths = shape.encoder_layers * shape.d_ff + shape.decoder_layers * (shape.decoder_d_ff or shape.d_ff)
        count -= widths * shape.d_model
    return count


def packed_bytes(numbers: float) -> float:
    """Bytes of so many weights in NF4 with double quantisation."""
    return numbers * (1 / 2 + 1 / BLOCK + FP32 / (BLOCK * SCALES))


def _packed(layer: Any) -> Any:
    import torch
    from bitsandbytes.nn import Linear4bit, Params4bit

    packed = Linear4bit(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        compute_dtype=torch.float32,
        compress_statistics=True,
        quant_type="nf4",
        device="meta",
    )
    packed.weight = Params4bit(layer.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4")
    packed.bias = layer.bias
    # Its kernel for CPUs with bf16 computes in bf16, and repacks the weights at the first prediction.
    packed.support_avx512bf16_for_cpu = False
    return packed.to("cpu")  # which packs


def _unpacked(layer: Any) -> Any:
    import torch
    from bitsandbytes.functional import dequantize_4bit

    plain = torch.nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
    weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(torch.float32)
    plain.weight, plain.bias = torch.nn.Parameter(weight, requires_grad=False), layer.bias
    return plain


def _replace(model: Any, name: str, module: Any) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)
