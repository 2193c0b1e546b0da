"""BitFit (Ben Zaken et al. 2021): only the bias terms are trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tunegrid.common.citations import ZAKEN_2021, Formula
from tunegrid.methods.base import Method, MethodSettings
from tunegrid.models.families import ROLES, Family

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape

WEIGHTS = "biases.safetensors"


class BitFitSettings(MethodSettings):
    """BitFit has no settings of its own."""

    kind: Literal["bitfit"]


class BitFit(Method):
    """Trains the biases of linear layers and layer normalisations."""

    Settings = BitFitSettings
    title = "BitFit"
    tunes = "biases"
    about = Formula(
        title,
        r"b^{*} = \arg\min_{b} \sum_{(x, y)} -\log\, p_{W_0, b}(y \mid x)",
        "b star is the b that minimises the sum over all pairs of source x and target y of minus log p of y given x",
        "Only the biases b of linear layers and layer normalisations are trained; the weights W₀ stay as they are.",
        (ZAKEN_2021,),
    )

    @classmethod
    def why_not(cls, settings: MethodSettings, family: Family) -> str | None:
        return None if family.has_biases else f"models of the family {family.name} have no bias terms to train"

    def inject(self, model: PreTrainedModel) -> PreTrainedModel:
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.endswith(".bias")
        return model

    def injected_modules(self, model: PreTrainedModel) -> list[str]:
        return [name.removesuffix(".bias") for name, _ in _biases(model)]

    def expected_modules(self, shape: Shape) -> int:
        return shape.linear_count(ROLES) + shape.normalisations

    def trainable_count(self, shape: Shape) -> int:
        return shape.biases

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        from safetensors.torch import save_file

        save_file({name: parameter.detach().contiguous() for name, parameter in _biases(model)}, folder / WEIGHTS)

    def load(self, base: Path, weights: Path) -> PreTrainedModel:
        from safetensors.torch import load_file

        model = self.load_base(base)
        _, unexpected = model.load_state_dict(load_file(weights / WEIGHTS), strict=False)
        if unexpected:
            raise ValueError(f"{weights / WEIGHTS}: the base model has no {', '.join(unexpected)}")
        return model

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        return model


def _biases(model: PreTrainedModel) -> list[tuple[str, Any]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if name.endswith(".bias")]
