"""Methods whose modules are those of the adapters library: how they are put in, saved and loaded."""

from __future__ import annotations

import logging
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import write_json
from tunegrid.common.words import listed
from tunegrid.methods.base import Method, MethodSettings
from tunegrid.models.families import Family
from tunegrid.models.flops import Stacks, counted

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NAME = "tuned"  # of the adapter in the model
# The encoder-decoders of text that the adapters library knows, by their `model_type`.
MODEL_TYPES = ("bart", "encoder-decoder", "mbart", "mt5", "plbart", "t5")


@contextmanager
def _without_false_alarm() -> Iterator[None]:
    """Drops the library's warning that no adapter is active, which it prints just before it activates one.

    Its layers also pass an argument to T5's blocks by a name that transformers is to drop, of which torch warns later.
    """
    warnings.filterwarnings("ignore", message="`past_key_value` is deprecated", category=FutureWarning)
    logger = logging.getLogger("adapters.model_mixin")
    logger.addFilter(_is_true)
    try:
        yield
    finally:
        logger.removeFilter(_is_true)


def _is_true(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("There are adapters available but none are activated")


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

    def has_prefixes(self) -> bool:
        """Whether keys and values stand in front of those of attention."""
        from adapters import PrefixTuningConfig

        config = self.config()
        return any(isinstance(part, PrefixTuningConfig) for part in getattr(config, "configs", [config]))

    @property
    def attention(self) -> Literal["eager"] | None:
        # Torch's fused kernel drops the mask where it takes the input for plainly causal; T5 does not have it.
        return "eager" if self.has_prefixes() and set(self.family.model_types) != {"t5"} else None

    def load_base(self, folder: Path) -> PreTrainedModel:
        model = super().load_base(folder)
        if self.attention:
            model.set_attn_implementation(self.attention)
        if self.has_prefixes():
            from tunegrid.models.encoder import encode_whole_batches

            encode_whole_batches(model)  # prefixes are made once, for all rows of a batch
        return model

    def inject(self, model: PreTrainedModel) -> PreTrainedModel:
        import adapters

        # The folder that the base was read from is no property of the weights, but the library would save it with them.
        model.name_or_path = model.config.name_or_path = ""
        adapters.init(model)
        model.add_adapter(NAME, config=self.config())
        with _without_false_alarm():
            model.train_adapter(NAME)
        return model

    def injected_modules(self, model: PreTrainedModel) -> list[str]:
        from adapters.methods.bottleneck import Adapter
        from adapters.methods.modeling import GLOWCouplingBlock, NICECouplingBlock

        def holds(module: Any) -> bool:
            parts = (getattr(module, attribute, None) for attribute in ("loras", "prefixes", "refts"))
            return isinstance(module, Adapter | GLOWCouplingBlock | NICECouplingBlock) or any(
                part is not None and NAME in part for part in parts
            )

        return [place for place, module in model.named_modules() if holds(module)]

    def counted(self, model: torch.nn.Module) -> Stacks:
        # Prefixes are made once a step, whatever the number of tokens.
        return counted(model, without=".prefix_tunings.")

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        from adapters.loading import AdapterLoader
        from safetensors.torch import save_file

        # As the library's `save_adapter`, which cannot write modules that layers share (prefixes) as safetensors.
        model.apply_to_adapter_layers(lambda _, layer: layer.pre_save_adapters())
        state, config = AdapterLoader(model).save_to_state_dict(NAME)
        # The library leaves out what all layers share where the model is its own base, as T5 is.
        shared = f"shared_parameters.{NAME}."
        state |= {name: tensor for name, tensor in model.state_dict().items() if name.startswith(shared)}
        state, config = _with_prefixes_made(model, state, config)
        write_json(folder / "adapter_config.json", config)
        save_file(_once(state), folder / "adapter.safetensors")

    def load(self, base: Path, weights: Path) -> PreTrainedModel:
        import adapters

        # A folder that is not there would be looked up on the Hub, with a misleading error.
        if not (weights / "adapter_config.json").is_file():
            raise TuneGridError(f"{weights}: holds no adapter (adapter_config.json is missing). Train this run again.")
        model = self.load_base(base)
        adapters.init(model)
        with _without_false_alarm():
            model.load_adapter(str(weights), with_head=False, load_as=NAME, set_active=True, use_safetensors=True)
        return model

    @staticmethod
    def merge_library(model: PreTrainedModel) -> PreTrainedModel:
        """A plain model with the weights that the library merges, be that exact or not.

        Raises:
            ValueError: something of the adapter is in no weight of the base.
        """
        from transformers import AutoModelForSeq2SeqLM

        model.merge_adapter(NAME)
        for module in model.modules():
            for attribute in ("adapters", "prefixes", "refts", "invertible_adapters"):
                if NAME in (getattr(module, attribute, None) or ()):
                    raise ValueError("its modules stay in the model")
        values = {key: value for key, value in model.config.to_dict().items() if key != "adapters"}
        plain = AutoModelForSeq2SeqLM.from_config(type(model.config).from_dict(values))
        state = model.state_dict()
        plain.load_state_dict({name: state[name] for name in plain.state_dict()})
        plain.generation_config = model.generation_config
        return plain.eval()


def _with_prefixes_made(
    model: PreTrainedModel, state: dict[str, torch.Tensor], config: dict[str, Any]
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """An adapter's tensors and configuration with the prefixes that networks make in place of those networks.

    (The library's own `eject_prefix_tuning` takes the width of the hidden state for that of the heads, which differ
    in Flan-T5, and leaves the saved configuration as it was.)
    """
    from adapters.methods.prefix_tuning import PrefixTuning

    # A network has a name in each of the layers that share it.
    names = [name for name, module in model.named_modules(remove_duplicate=False) if isinstance(module, PrefixTuning)]
    state = {key: tensor for key, tensor in state.items() if not key.startswith(tuple(f"{name}." for name in names))}
    for name, module in model.named_modules():
        if isinstance(module, PrefixTuning):
            state[f"{name}.control_trans"] = module.control_trans(module.wte.weight).detach().flatten()
    return state, config | {"config": _flat(config["config"])}


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    """A saved configuration in which prefixes are parameters themselves."""
    if "configs" in config:
        return config | {"configs": [_flat(part) for part in config["configs"]]}
    return config | {"flat": True} if config.get("architecture") == "prefix_tuning" else config


def _once(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each tensor under the first of its names."""
    first = {tensor.data_ptr(): name for name, tensor in reversed(state.items())}
    return {name: tensor.contiguous() for name, tensor in state.items() if first[tensor.data_ptr()] == name}
