"""Methods that start from the run of another one: its tuned model is their base, and their update goes on top of it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tunegrid.common.fields import Name
from tunegrid.methods.base import Method, MethodSettings
from tunegrid.methods.full import Full, FullSettings
from tunegrid.methods.lora import Lora, LoraSettings
from tunegrid.methods.needs import OtherRun
from tunegrid.models.families import Family
from tunegrid.models.flops import Stacks

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape


class StartedSettings(MethodSettings):
    """Settings of a method that starts from the run of another one."""

    sft: Name = Field(
        description="A method of the grid: its run of the same task, model and seed is the start, and the reference."
    )
    update: Annotated[FullSettings | LoraSettings, Field(discriminator="kind")] = Field(
        default_factory=lambda: FullSettings(kind="full"),
        description="What is trained of that model: `{kind: full}` or `{kind: lora, …}`; default: full.",
    )


class StartedMethod(Method):
    """Trains an update of the model that another run has tuned. What is saved is a whole model, the update merged."""

    Settings = StartedSettings
    settings: StartedSettings
    trains = "all"

    def __init__(self, settings: StartedSettings, family: Family) -> None:
        super().__init__(settings, family)
        update = Full if isinstance(settings.update, FullSettings) else Lora
        self.update: Method = update(settings.update, family)
        self.trains = self.update.trains

    def needs(self) -> list:
        return [OtherRun(self.settings.sft)]

    def start(self, base: Path) -> PreTrainedModel:
        """The tuned model that this method starts from, as a plain one."""
        return self.inputs[OtherRun(self.settings.sft)].load(base)

    def load_base(self, folder: Path) -> PreTrainedModel:
        self._base = folder
        return self.start(folder)

    def reference(self) -> PreTrainedModel:
        """The model at the start once more, in evaluation mode: what the tuned one is compared with."""
        return self.start(self._base).eval()

    def inject(self, model: PreTrainedModel) -> torch.nn.Module:
        from tunegrid.models.likelihood import without_dropout

        without_dropout(model)
        return self.update.inject(model)

    def injected_modules(self, model: torch.nn.Module) -> list[str]:
        return self.update.injected_modules(model)

    def expected_modules(self, shape: Shape) -> int:
        return self.update.expected_modules(shape)

    def trainable_count(self, shape: Shape) -> int | None:
        return self.update.trainable_count(shape)

    def added_count(self, shape: Shape) -> int:
        return self.update.added_count(shape)

    def stacks(self, shape: Shape) -> Stacks | None:
        return self.update.stacks(shape)

    def saved_count(self, shape: Shape) -> int:
        return shape.parameters

    def activation_bytes(self, shape: Shape, source: float, target: float) -> tuple[float, float]:
        return self.update.activation_bytes(shape, source, target)

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        # A copy: merging takes the update out of the model, whose parameters are counted afterwards.
        merged = model if isinstance(self.update, Full) else self.update.merge(deepcopy(model))
        merged.save_pretrained(folder, safe_serialization=True)

    def load(self, base: Path, weights: Path) -> PreTrainedModel:
        from tunegrid.models.load import load_model

        return load_model(weights)

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        return model
