"""Methods whose modules are those of the peft library: how they are put in, saved, loaded and merged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tunegrid.common.files import write_json
from tunegrid.methods.base import Method

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape


class PeftLibrary(Method):
    """A method of the peft library: modules by a configuration of the library."""

    library = "peft"

    @staticmethod
    def put_into(model: PreTrainedModel, config: PeftConfig) -> PeftModel:
        """The model with the modules that a configuration of the library says."""
        from peft import get_peft_model

        # The folder that the base was read from is no property of the weights, but peft would save it with them.
        model.name_or_path = model.config.name_or_path = ""
        return get_peft_model(model, config)

    def injected_modules(self, model: PeftModel) -> list[str]:
        from peft.tuners.tuners_utils import BaseTunerLayer

        return [name for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]

    def added_count(self, shape: Shape) -> int | None:
        return self.trainable_count(shape)

    def save(self, model: PeftModel, folder: Path) -> None:
        # Without "auto", peft asks the Hub whether the base's vocabulary was resized.
        model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
        # peft keeps names of modules in sets, whose order differs from process to process.
        file = folder / "adapter_config.json"
        config = json.loads(file.read_text())
        for name in ("target_modules", "feedforward_modules"):
            if isinstance(config.get(name), list):
                config[name] = sorted(config[name])
        write_json(file, config)

    def load(self, base: Path, weights: Path) -> PeftModel:
        from peft import PeftModel

        return PeftModel.from_pretrained(self.load_base(base), weights, local_files_only=True)

    @staticmethod
    def merge_library(model: PeftModel) -> PreTrainedModel:
        """The model as the library merges it, be that exact or not."""
        return model.merge_and_unload(safe_merge=True)
