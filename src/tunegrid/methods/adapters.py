"""Bottleneck adapters (Houlsby et al. 2019; the paper's section 5.2.2, equation 5.2), by the adapters library.

With `config:` any other configuration of that library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_serializer, model_validator

from tunegrid.common.citations import HOULSBY_2019, Formula
from tunegrid.methods import adapters_configs as configs
from tunegrid.methods.adapters_library import AdaptersLibrary
from tunegrid.methods.base import FP32, MethodSettings
from tunegrid.methods.inserted import inserted, misfit
from tunegrid.models.families import Family
from tunegrid.models.flops import Stacks

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape

OWN = {"reduction_factor", "non_linearity", "scaling", "dropout"}  # settings of the bottlenecks without `config`
WAYS = ("meta", "layers", None)  # of counting, the best first


class AdaptersSettings(MethodSettings):
    """Settings of bottleneck adapters."""

    kind: Literal["adapters"]
    reduction_factor: float = Field(
        16.0, ge=1, le=4_096, description="Width of the model divided by that of the bottleneck."
    )
    non_linearity: Literal["gelu", "relu", "swish"] = Field("swish", description="The f of equation 5.2.")
    scaling: float = Field(1.0, gt=0, le=1_000, description="The s of equation 5.2.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout inside the adapter.")
    config: str | None = Field(
        None,
        max_length=200,
        description="Another configuration of the library instead of these settings: `par_bn`, "
        "`compacter++[reduction_factor=8]`, `prefix_tuning_flat|par_bn`, … (docs/tuners.md).",
    )

    @field_validator("config")
    @classmethod
    def _known(cls, config: str | None) -> str | None:
        if config is not None:
            configs.read_config(config)
        return config

    @model_serializer(mode="wrap")
    def _without_what_has_no_effect(self, dump: Any) -> dict[str, Any]:
        # A run is known by its settings: those that do not go with it are no part of them.
        settings = dump(self)
        without = {"config"} if self.config is None else OWN
        return {key: value for key, value in settings.items() if key not in without}

    @model_validator(mode="after")
    def _one_way_to_set_them(self) -> AdaptersSettings:
        own = sorted(self.model_fields_set & OWN)
        if self.config is not None and own:
            raise ValueError(f"`config` has its settings in brackets: `{self.config.partition('[')[0]}[{own[0]}=…]`")
        return self

    @property
    def parts(self) -> tuple[configs.Part, ...]:
        """The configurations that `config` joins."""
        return configs.read_config(self.config) if self.config else ()

    @property
    def own_title(self) -> str | None:
        return self.config

    @property
    def described(self) -> bool:
        return self.config is None


class Adapters(AdaptersLibrary):
    """Trains a bottleneck after the self-attention and the feed-forward block of every layer, or what `config` says."""

    Settings = AdaptersSettings
    settings: AdaptersSettings
    title = "Adapters"
    tunes = "bottlenecks"
    about = Formula(
        title,
        r"\mathrm{Adapter}(h) = h + s\, (W_{\mathrm{up}}\, "
        r"f(W_{\mathrm{down}}\, h + b_{\mathrm{down}}) + b_{\mathrm{up}})",
        "the adapter of h is h plus s times: W up times f of W down times h plus b down, plus b up",
        "A bottleneck after the self-attention and after the feed-forward block of every layer, as wide as "
        "the model divided by the reduction factor; f is its non-linearity, s a scale. Only the bottlenecks are "
        "trained.",
        (HOULSBY_2019,),
    )

    @classmethod
    def why_not(cls, settings: AdaptersSettings, family: Family) -> str | None:
        refusals = (part.tuner.refusal(family) for part in settings.parts)
        return super().why_not(settings, family) or next((reason for reason in refusals if reason), None)

    def misfit(self, shape: Shape) -> str | None:
        return misfit(self, shape, on_meta=self._way == "meta") if self.settings.config else None

    @property
    def _way(self) -> str | None:
        """How the parameters of `config` are counted before a run: as the part that is the hardest to count."""
        return max((part.tuner.counted for part in self.settings.parts), key=WAYS.index)

    def config(self) -> Any:
        if self.settings.config:
            return configs.library_config(self.settings.config)
        import adapters

        return adapters.DoubleSeqBnConfig(**{name: getattr(self.settings, name) for name in OWN})

    def expected_modules(self, shape: Shape) -> int:
        if self.settings.config:
            return configs.expected_modules(self.config(), shape)
        # Two per layer in both stacks: the library puts none after the decoder's cross-attention.
        return 2 * (shape.encoder_layers + shape.decoder_layers)

    def trainable_count(self, shape: Shape) -> int | None:
        if self.settings.config:
            return inserted(self, shape, self._way)[0]
        # Down and up, each with a bias.
        bottleneck = max(1, int(shape.d_model // self.settings.reduction_factor))
        return self.expected_modules(shape) * (2 * shape.d_model * bottleneck + bottleneck + shape.d_model)

    def added_count(self, shape: Shape) -> int:
        if self.settings.config:
            return inserted(self, shape, self._way)[1]
        return self.trainable_count(shape)

    def stacks(self, shape: Shape) -> Stacks | None:
        if self.settings.config:
            return inserted(self, shape, self._way)[2]
        return super().stacks(shape)

    def activation_bytes(self, shape: Shape, source: float, target: float) -> tuple[float, float]:
        if self.settings.config:
            return configs.activation_bytes(self.config(), shape, source, target)
        # Input, inside and output of a bottleneck, with one for each block of a decoder layer: a little too much.
        bottleneck = 3 * FP32 * shape.d_model
        return shape.encoder_layers * source * 2 * bottleneck, shape.decoder_layers * target * 3 * bottleneck

    def why_unmerged(self) -> str | None:
        if len(self.settings.parts) != 1:
            return f"what {self.title} adds cannot be merged into the weights"
        (part,) = self.settings.parts
        return part.tuner.why_unmerged(part.name, self.family, part.settings)

    def merge(self, model: PreTrainedModel) -> PreTrainedModel | None:
        return self.merge_library(model) if self.why_unmerged() is None else None
