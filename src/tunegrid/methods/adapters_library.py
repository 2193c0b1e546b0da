"""Methods whose modules are those of the adapters library: how they are put in, saved and loaded."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import write_json
from tunegrid.common.words import listed
from tunegrid.methods.base import Method, MethodSettings
from tunegrid.models.families import Family

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NAME = "tuned"  # of the adapter in the model
# The encoder-decoders of text that the adapters library knows, by their `model_type`.
MODEL_TYPES = ("bart", "encoder-decoder", "mbart", "mt5", "plbart", "t5")


class AdaptersLibrary(Method):
    """A method of the adapters library: an adapter with a configuration of the library."""

    library = "adapters"

    @classmethod
    def why_not(cls, settings: MethodSettings, family: Family) -> str | None:
        if unknown := [name for name in family.model_types if name not in MODEL_TYPES]:
            return (
                f"the adapters library knows no models of the type {listed(unknown)}; of encoder-decoders it knows "
                f"{listed(MODEL_TYPES)}"
            )
        return None

    @abstractmethod
    def config(self) -> Any:
        """The library's configuration of the adapter."""

    def inject(self, model: PreTrainedModel) -> PreTrainedModel:
        import adapters

        # The folder that the base was read from is no property of the weights, but the library would save it with them.
        model.name_or_path = model.config.name_or_path = ""
        adapters.init(model)
        model.add_adapter(NAME, config=self.config())
        model.train_adapter(NAME)
        return model

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        from adapters.loading import AdapterLoader
        from safetensors.torch import save_file

        # As the library's `save_adapter`, which cannot write modules that layers share (prefixes) as safetensors.
        model.apply_to_adapter_layers(lambda _, layer: layer.pre_save_adapters())
        state, config = AdapterLoader(model).save_to_state_dict(NAME)
        state, config = self.saved(model, state, config)
        write_json(folder / "adapter_config.json", config)
        save_file(_once(state), folder / "adapter.safetensors")

    def saved(
        self, model: PreTrainedModel, state: dict[str, torch.Tensor], config: dict[str, Any]
    ) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """The adapter's tensors and configuration as they are saved, from those in the model: the same, by default."""
        return state, config

    def load(self, base: Path, weights: Path) -> PreTrainedModel:
        import adapters

        # A folder that is not there would be looked up on the Hub, with a misleading error.
        if not (weights / "adapter_config.json").is_file():
            raise TuneGridError(f"{weights}: holds no adapter (adapter_config.json is missing). Train this run again.")
        model = self.load_base(base)
        adapters.init(model)
        model.load_adapter(str(weights), with_head=False, load_as=NAME, set_active=True, use_safetensors=True)
        return model


def _once(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each tensor under the first of its names."""
    first = {tensor.data_ptr(): name for name, tensor in reversed(state.items())}
    return {name: tensor.contiguous() for name, tensor in state.items() if first[tensor.data_ptr()] == name}
