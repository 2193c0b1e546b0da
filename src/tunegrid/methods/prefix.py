"""Prefix tuning (Li and Liang 2021; the paper's section 5.2.4), by the adapters library.

peft's prefixes differ between training and generation on encoder-decoders, and do not fit Flan-T5, whose heads together
are not as wide as its hidden state. The prefixes of the adapters library are the same in both. On BART they need
attention without torch's fused kernel, with which the mask is dropped where the input is taken for plainly causal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunegrid.common.citations import LI_2021, Formula
from tunegrid.methods.adapters_configs import prefix_activation_bytes
from tunegrid.methods.adapters_library import AdaptersLibrary
from tunegrid.methods.base import MethodSettings

if TYPE_CHECKING:
    from tunegrid.models.shape import Shape


class PrefixSettings(MethodSettings):
    """Settings of prefix tuning."""

    kind: Literal["prefix"]
    length: int = Field(30, ge=1, le=512, description="Vectors in front of the keys and values of each attention.")
    bottleneck: int | None = Field(
        512,
        ge=1,
        le=8192,
        description="Width inside the network that makes the prefixes while they are trained; null: none, they are "
        "trained themselves.",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the prefixes.")


class Prefix(AdaptersLibrary):
    """Trains keys and values that stand in front of those of every attention block, in both stacks."""

    Settings = PrefixSettings
    settings: PrefixSettings
    title = "Prefix Tuning"
    tunes = "keys and values in front"
    trains = "prompt"
    about = Formula(
        title,
        r"\mathrm{Attention}(Q, [P_K; K], [P_V; V]), \quad [P_K, P_V] = \mathrm{MLP}_{\theta}(P')",
        "attention of Q with P K in front of K and P V in front of V, where P K and P V are a network with the "
        "parameters theta, of P prime",
        "Every attention block sees trained keys and values in front of its own. A small network makes them from "
        "vectors P' while they are trained, which makes the training more stable; what is saved is what it made.",
        (LI_2021,),
    )

    def config(self) -> Any:
        from adapters import PrefixTuningConfig

        return PrefixTuningConfig(
            flat=self.settings.bottleneck is None,
            prefix_length=self.settings.length,
            bottleneck_size=self.settings.bottleneck or 1,
            dropout=self.settings.dropout,
        )

    def expected_modules(self, shape: Shape) -> int:
        return shape.encoder_layers + 2 * shape.decoder_layers

    def trainable_count(self, shape: Shape) -> int:
        inner, length = shape.heads * shape.d_kv, self.settings.length
        count = 0
        # One set of prefixes for the encoder, one for the decoder's own attention, one for its attention to the source.
        for layers in filter(None, (shape.encoder_layers, shape.decoder_layers, shape.decoder_layers)):
            if (bottleneck := self.settings.bottleneck) is None:
                count += length * layers * 2 * inner
            else:  # vectors, then two linear layers with their biases
                count += length * shape.d_model + (shape.d_model + 1) * bottleneck
                count += (bottleneck + 1) * layers * 2 * inner
        return count

    def saved_count(self, shape: Shape) -> int:
        # The prefixes that the networks have made.
        layers = shape.encoder_layers + 2 * shape.decoder_layers
        return self.settings.length * layers * 2 * shape.heads * shape.d_kv

    def added_count(self, shape: Shape) -> int:
        return self.trainable_count(shape)

    def activation_bytes(self, shape: Shape, source: float, target: float) -> tuple[float, float]:
        return prefix_activation_bytes(shape, self.settings.length, source, target)
