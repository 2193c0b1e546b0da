"""The small pretrained models that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from tunegrid.common.package_data import models_folder
from tunegrid.common.records import ModelCard, read_card
from tunegrid.models.seal import CARD, check_base
from tunegrid.models.sources import LocalModel


class PackagedModel(LocalModel):
    """A model of resources/models/, pretrained by config/pretrain-mini.yaml on the generated language world."""

    kind: Literal["packaged"]
    licence: str = Field(
        "Apache-2.0 (pretrained by this package on generated text)",
        description="The model's licence, as the report prints it.",
    )
    name: Literal["t5", "bart", "flan-t5"] = Field(description="The model's folder in resources/models/.")
    families: ClassVar = ("t5", "bart", "flan-t5")
    text: ClassVar = "miniworld"  # as of `PretrainSource`

    @property
    def place(self) -> str:
        return str(models_folder() / self.name)

    def fetch(self, folder: Path) -> dict[str, Any]:
        """Copies the model; returns its card, which says how it was pretrained.

        Raises:
            TuneGridError: files are missing, or are not those that the card was written for.
        """
        super().fetch(folder)
        check_base(folder)
        return {"name": self.name, "pretraining": read_card(folder / CARD, ModelCard)}

    def describe(self) -> str:
        return f"packaged model {self.name}, pretrained on the generated language world"
