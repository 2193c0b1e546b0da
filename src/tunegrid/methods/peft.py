"""Any tuner of the peft library, by its name and its settings."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from tunegrid.methods.base import FP32, MethodSettings
from tunegrid.methods.inserted import inserted, misfit
from tunegrid.methods.peft_library import PeftLibrary
from tunegrid.methods.tuners import Tuner, tuners
from tunegrid.models.families import Family, Role
from tunegrid.models.flops import Stacks, counted

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape

# What tuners always get: without it, peft makes as many vectors for the decoder, which nothing uses or trains.
FIXED = {
    "FROD": {"progressbar": False},
    "PROMPT_TUNING": {"num_transformer_submodules": 1},
    "P_TUNING": {"num_transformer_submodules": 1},
}


class PeftSettings(MethodSettings):
    """Settings of a tuner of the peft library."""

    kind: Literal["peft"]
    tuner: str = Field(max_length=64, description="Its name in peft: `IA3`, `OFT`, `LOHA`, … (docs/tuners.md).")
    settings: dict[str, Any] = Field(
        default_factory=dict,
        validate_default=True,
        description="Settings of the tuner's configuration class; default: the class's own.",
    )
    targets: list[Role] | None = Field(
        None,
        min_length=1,
        validate_default=True,
        description="Roles of the linear layers that are tuned; default: `query` and `value`, of IA3 `key`, `value` "
        "and `feed-forward`.",
    )

    @field_validator("tuner")
    @classmethod
    def _known(cls, name: str) -> str:
        return tuners("peft").name(name)

    @field_validator("settings")
    @classmethod
    def _of_the_tuner(cls, settings: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if name := info.data.get("tuner"):
            tuners("peft").tuners[name].check(name, settings)
        return settings

    @field_validator("targets")
    @classmethod
    def _own_targets(cls, targets: list[Role] | None, info: ValidationInfo) -> list[Role] | None:
        if (name := info.data.get("tuner")) is None:
            return targets
        own = tuners("peft").tuners[name].targets
        if own is None and targets is not None:
            raise ValueError(f"{name} chooses its places by itself: leave `targets` out")
        return targets or (list(own) if own else None)

    @property
    def own_title(self) -> str:
        return self.tuner


class Peft(PeftLibrary):
    """Trains what a tuner of peft puts into the model."""

    Settings = PeftSettings
    settings: PeftSettings
    title = "PEFT"
    tunes = "the tuner's modules"

    @classmethod
    def why_not(cls, settings: PeftSettings, family: Family) -> str | None:
        return tuners("peft").tuners[settings.tuner].refusal(family)

    @property
    def added_tokens(self) -> int:
        return self.settings.settings.get("num_virtual_tokens", 0)

    @property
    def tuner(self) -> Tuner:
        return tuners("peft").tuners[self.settings.tuner]

    def misfit(self, shape: Shape) -> str | None:
        return misfit(self, shape, on_meta=self.tuner.counted == "meta")

    def inject(self, model: PreTrainedModel) -> PeftModel:
        config = self._config(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tuned = self.put_into(model, config)
        _check_sizes(tuned, config)
        return tuned

    def _config(self, model: PreTrainedModel) -> Any:
        from peft import TaskType
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

        cls = PEFT_TYPE_TO_CONFIG_MAPPING[self.settings.tuner]
        values = FIXED.get(self.settings.tuner, {}) | self.settings.settings
        if self.settings.targets:
            values["target_modules"] = self._names(self.settings.targets)
            if self.settings.tuner == "IA3":
                values["feedforward_modules"] = self._names([t for t in self.settings.targets if t == "feed-forward"])
        elif self.settings.tuner == "LN_TUNING":
            values["target_modules"] = [name for name, module in model.named_modules() if _is_normalisation(module)]
        return cls(task_type=TaskType.SEQ_2_SEQ_LM, **values)

    def _names(self, roles: list[Role]) -> list[str]:
        """Names of the linear layers with these roles; of IA3 the feed-forward one is that whose input it scales."""
        if self.settings.tuner != "IA3":
            return self.family.linear_names(roles)
        return [name for role in roles for name in self.family.linear[role][-1 if role == "feed-forward" else 0 :]]

    def injected_modules(self, model: PeftModel) -> list[str]:
        return ["prompt_encoder.default"] if self.added_tokens else super().injected_modules(model)

    def expected_modules(self, shape: Shape) -> int:
        if self.added_tokens:
            return 1
        if self.settings.targets is None:
            return shape.normalisations
        count = shape.linear_count(self.settings.targets)
        if self.settings.tuner == "IA3" and "feed-forward" in self.settings.targets:
            more = len(shape.family.linear["feed-forward"]) - 1
            count -= more * (shape.encoder_layers + shape.decoder_layers)
        return count

    def trainable_count(self, shape: Shape) -> int | None:
        return inserted(self, shape, self.tuner.counted)[0]

    def added_count(self, shape: Shape) -> int:
        return inserted(self, shape, self.tuner.counted)[1]

    def stacks(self, shape: Shape) -> Stacks | None:
        return inserted(self, shape, self.tuner.counted)[2]

    def counted(self, model: PeftModel) -> Stacks:
        # A prompt is made once a step, whatever the number of tokens.
        return counted(model, without="prompt_encoder.")

    def activation_bytes(self, shape: Shape, source: float, target: float) -> tuple[float, float]:
        # Each tuned layer keeps its input.
        roles = self.settings.targets or []
        inputs = sum(layer.inputs * layer.count for layer in shape.linear(roles))
        in_decoder = sum(layer.inputs * layer.count for layer in replace(shape, encoder_layers=0).linear(roles))
        prompt = FP32 * self.added_tokens * shape.d_model
        return prompt + FP32 * source * (inputs - in_decoder), FP32 * max(source, target) * in_decoder

    def why_unmerged(self) -> str | None:
        return self.tuner.why_unmerged(self.settings.tuner, self.family, self.settings.settings)

    def merge(self, model: PeftModel) -> PreTrainedModel | None:
        return self.merge_library(model) if self.why_unmerged() is None else None


def _check_sizes(model: PeftModel, config: Any) -> None:
    """Compares the numbers that each tuned layer keeps with those of the configuration that it was made from.

    Some tuners take another size than the given one where that does not divide a layer's, and only warn. 0 stands for
    a size that the library chooses.

    Raises:
        ValueError: a layer took another number.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    given = {key: value for key, value in vars(config).items() if _is_number(value) and value}
    patterns = [value for key, value in vars(config).items() if key.endswith("_pattern") and isinstance(value, dict)]
    of_single_layers = {number for pattern in patterns for number in pattern.values()}
    for name, module in model.named_modules():
        if not isinstance(module, BaseTunerLayer):
            continue
        for key, value in given.items():
            kept = getattr(module, key, None)
            taken = kept["default"] if isinstance(kept, Mapping) and "default" in kept else value
            if _is_number(taken) and taken not in (value, *of_single_layers):
                raise ValueError(f"`{key}` ({value}) does not fit {name}: the library would take {taken}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_normalisation(module: Any) -> bool:
    return type(module).__name__.endswith(("LayerNorm", "RMSNorm"))
