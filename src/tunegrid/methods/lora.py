"""LoRA (Hu et al. 2021; the paper's section 5.2.3): W = W0 + (alpha / r) B A, by the peft library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tunegrid.common.citations import HU_2021, Formula
from tunegrid.methods.base import FP32, MethodSettings
from tunegrid.methods.peft_library import PeftLibrary
from tunegrid.models.families import ROLES, Role
from tunegrid.runtime import cpu_tricks

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape


class LoraSettings(MethodSettings):
    """Settings of LoRA."""

    kind: Literal["lora"]
    r: int = Field(16, gt=0, le=4_096, description="Rank of the update.")
    alpha: float = Field(32.0, gt=0, le=65_536, description="The update is scaled by alpha / r.")
    dropout: float = Field(0.05, ge=0, lt=1, description="Dropout on the input of A.")
    targets: list[Role] = Field(
        default_factory=lambda: list(ROLES), min_length=1, description="Roles of the linear layers that get an update."
    )


class Lora(PeftLibrary):
    """Trains a low-rank update of linear layers; the base stays as it is."""

    Settings = LoraSettings
    settings: LoraSettings
    title = "LoRA"
    tunes = "low-rank updates"
    about = Formula(
        title,
        r"W = W_0 + \dfrac{\alpha}{r}\, B A, \quad B \in \mathbb{R}^{d \times r},\quad A \in \mathbb{R}^{r \times k}",
        "W is W zero plus alpha over r times B A, where B is d by r and A is r by k",
        "To each chosen linear layer W₀, which stays as it is, an update of rank r is added. Only A (drawn at random "
        "at first) and B (zero at first) are trained; α scales the update. It can be merged into the layer "
        "afterwards.",
        (HU_2021,),
    )

    def inject(self, model: PreTrainedModel) -> PeftModel:
        from peft import LoraConfig, TaskType

        config = LoraConfig(
            task_type=TaskType.SEQ_2_SEQ_LM,
            r=self.settings.r,
            lora_alpha=self.settings.alpha,
            lora_dropout=self.settings.dropout,
            target_modules=self.family.linear_names(self.settings.targets),
        )
        tuned = self.put_into(model, config)
        if cpu_tricks.are_on():
            self.lighten(tuned)
        return tuned

    def lighten(self, model: PeftModel) -> None:
        """Replaces the modules of each update by those of `training.fast.lora`, which take less time and memory."""
        import torch
        from peft.tuners.lora import LoraLayer

        from tunegrid.training.fast.lora import Added, DroppedLinear, multiply_at_once

        for module in model.modules():
            if isinstance(module, LoraLayer):
                for name, layer in module.lora_A.items():
                    module.lora_variant[name] = Added()
                    if self.settings.dropout:
                        module.lora_A[name] = DroppedLinear(layer, self.settings.dropout)
                        module.lora_dropout[name] = torch.nn.Identity()
                    else:
                        multiply_at_once(module, name)

    def expected_modules(self, shape: Shape) -> int:
        return shape.linear_count(self.settings.targets)

    def trainable_count(self, shape: Shape) -> int:
        # A is inputs x r, B is r x outputs.
        layers = shape.linear(self.settings.targets)
        return sum(self.settings.r * (layer.inputs + layer.outputs) * layer.count for layer in layers)

    def activation_bytes(self, shape: Shape, source: float, target: float) -> tuple[float, float]:
        # A layer with an update keeps its input, which layers that share it keep once, and a byte per number for its
        # dropout's mask (training/fast/lora.py). All decoder layers share the encoder's output.
        width, inner, targets = shape.d_model, shape.heads * shape.d_kv, self.settings.targets

        def block(*inputs: tuple[int, int]) -> int:  # (width of an input, updated layers that share it)
            return sum(size * (FP32 + layers) for size, layers in inputs if layers)

        def feed_forward(d_ff: int) -> int:
            hit = int("feed-forward" in targets)
            return block((width, hit * (len(shape.family.linear["feed-forward"]) - 1)), (d_ff, hit))

        query, key, value, output = (int(role in targets) for role in ("query", "key", "value", "output"))
        attention = block((width, query + key + value), (inner, output))
        encoder = shape.encoder_layers * source * (attention + feed_forward(shape.d_ff))
        own = target * (2 * attention + feed_forward(shape.decoder_d_ff or shape.d_ff))
        return encoder, shape.decoder_layers * (own + source * width * (key + value))

    def merge(self, model: PeftModel) -> PreTrainedModel:
        return self.merge_library(model)
