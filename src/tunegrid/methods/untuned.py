"""No tuning: the pretrained model as it is, so that a reader sees what tuning added."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tunegrid.methods.base import Method, MethodSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape


class UntunedSettings(MethodSettings):
    """The untuned model has no settings."""

    kind: Literal["untuned"] = "untuned"


class Untuned(Method):
    """Evaluated, never trained: a row in every table, not a cell."""

    Settings = UntunedSettings
    title = "Untuned"
    trains = None

    def inject(self, model: PreTrainedModel) -> PreTrainedModel:
        return model.requires_grad_(False)

    def trainable_count(self, shape: Shape) -> int:
        return 0

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        raise NotImplementedError("an untuned model has nothing to save")

    def load(self, base: Path, weights: Path) -> PreTrainedModel:
        return self.load_base(base)

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        return model
