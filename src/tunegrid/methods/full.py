"""Full fine-tuning: every parameter is trained (the paper's section 5.2.1, equation 5.1)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tunegrid.common.citations import RAFFEL_2020, Formula
from tunegrid.methods.base import Method, MethodSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape


class FullSettings(MethodSettings):
    """Settings of full fine-tuning: it has none of its own."""

    kind: Literal["full"]


class Full(Method):
    """Trains all parameters; what is saved is a whole model."""

    Settings = FullSettings
    title = "Full Finetuning"
    tunes = "everything"
    trains = "all"
    about = Formula(
        title,
        r"\theta^{*} = \arg\min_{\theta} \sum_{(x, y)} -\log\, p_{\theta}(y \mid x)",
        "theta star is the theta that minimises the sum over all pairs of source x and target y of minus log p of y "
        "given x",
        "All parameters θ of the model are trained, from the checkpoint's values, on the cross-entropy of the target's "
        "tokens. The other methods have the same objective and train fewer parameters.",
        (RAFFEL_2020,),
    )

    def inject(self, model: PreTrainedModel) -> PreTrainedModel:
        return model

    def trainable_count(self, shape: Shape) -> int:
        return shape.parameters

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        model.save_pretrained(folder, safe_serialization=True)

    def load(self, base: Path, weights: Path) -> PreTrainedModel:
        return self.load_base(weights)

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        return model
