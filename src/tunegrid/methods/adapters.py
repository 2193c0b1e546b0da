"""Bottleneck adapters (Houlsby et al. 2019; the paper's section 5.2.2, equation 5.2), by the adapters library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunegrid.common.citations import HOULSBY_2019, Formula
from tunegrid.methods.adapters_library import AdaptersLibrary
from tunegrid.methods.base import FP32, MethodSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape


class AdaptersSettings(MethodSettings):
    """Settings of bottleneck adapters."""

    kind: Literal["adapters"]
    reduction_factor: float = Field(
        16, ge=1, le=4_096, description="Width of the model divided by that of the bottleneck."
    )
    non_linearity: Literal["gelu", "relu", "swish"] = Field("swish", description="The f of equation 5.2.")
    scaling: float = Field(1.0, gt=0, le=1_000, description="The s of equation 5.2.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout inside the adapter.")


class Adapters(AdaptersLibrary):
    """Trains a bottleneck after the self-attention and the feed-forward block of every layer."""

    Settings = AdaptersSettings
    settings: AdaptersSettings
    title = "Adapters"
    about = Formula(
        title,
        r"\mathrm{Adapter}(h) = h + s\, (W_{\mathrm{up}}\, "
        r"f(W_{\mathrm{down}}\, h + b_{\mathrm{down}}) + b_{\mathrm{up}})",
        "the adapter of h is h plus s times: W up times f of W down times h plus b down, plus b up",
        "A bottleneck after the self-attention and after the feed-forward block of every layer, narrower than the "
        "model by the reduction factor; f is its non-linearity, s a scale. Only the bottlenecks are trained.",
        (HOULSBY_2019,),
    )

    def config(self) -> Any:
        import adapters

        return adapters.DoubleSeqBnConfig(
            reduction_factor=self.settings.reduction_factor,
            non_linearity=self.settings.non_linearity,
            scaling=self.settings.scaling,
            dropout=self.settings.dropout,
        )

    def injected_modules(self, model: PreTrainedModel) -> list[str]:
        from adapters.methods.bottleneck import Adapter

        return [name for name, module in model.named_modules() if isinstance(module, Adapter)]

    def expected_modules(self, shape: Shape) -> int:
        # Two per layer in both stacks: the library puts none after the decoder's cross-attention.
        return 2 * (shape.encoder_layers + shape.decoder_layers)

    def trainable_count(self, shape: Shape) -> int:
        # Down and up, each with a bias.
        bottleneck = max(1, int(shape.d_model // self.settings.reduction_factor))
        return self.expected_modules(shape) * (2 * shape.d_model * bottleneck + bottleneck + shape.d_model)

    def added_count(self, shape: Shape) -> int:
        return self.trainable_count(shape)

    def activation_bytes(self, shape: Shape, source: float, target: float) -> tuple[float, float]:
        # Input, inside and output of a bottleneck, with one for each block of a decoder layer: a little too much.
        bottleneck = 3 * FP32 * shape.d_model
        return shape.encoder_layers * source * 2 * bottleneck, shape.decoder_layers * target * 3 * bottleneck
