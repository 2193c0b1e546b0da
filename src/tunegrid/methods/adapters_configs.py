"""Configurations of the adapters library as a text: `par_bn[reduction_factor=4]`, `prefix_tuning_flat|par_bn`.

A study is checked without the library, which takes seconds to import: the text is read here by the library's own
grammar. Before any model is touched the library's own parser reads it too, and has to find the same.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tunegrid.methods.base import FP32
from tunegrid.methods.tuners import Tuner, tuners

if TYPE_CHECKING:
    from tunegrid.models.shape import Shape

PART = re.compile(r"(?P<name>[^\[\]|\n]+)(?:\[(?P<settings>.*)\])?")


@dataclass(frozen=True)
class Part:
    """One of the configurations that a text joins with `|`: its name in the library and the settings in brackets."""

    name: str
    settings: dict[str, Any]

    @property
    def tuner(self) -> Tuner:
        return tuners("adapters").tuners[self.name]


@lru_cache(maxsize=1_000)
def read_config(text: str) -> tuple[Part, ...]:
    """The configurations in a text, checked against the table of the library.

    Raises:
        ValueError: it is no configuration, or its name, a setting or a value is unknown.
    """
    known, parts = tuners("adapters"), []
    for chunk in text.split("|"):
        match = PART.fullmatch(chunk.strip())
        if not match:
            raise ValueError(f"{chunk.strip()!r} is no configuration: NAME, or NAME[SETTING=VALUE, ...] expected")
        name = known.exact_name(match["name"])
        settings = _settings(name, match["settings"] or "")
        if problem := known.tuners[name].problem(name, settings):
            raise ValueError(f"`{problem[0]}`: {problem[1]}")
        parts.append(Part(name, settings))
    return tuple(parts)


def _settings(name: str, text: str) -> dict[str, Any]:
    """`r=4, use_dora=True` -> the settings. The library makes a Python dictionary of them in the same way."""
    pairs = re.sub(r"(\w+)=", r"'\1':", text)
    try:
        node = ast.parse("{" + pairs + "}", mode="eval").body
        settings = ast.literal_eval(node)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        settings = node = None
    if not isinstance(settings, dict) or not all(isinstance(key, str) for key in settings):
        raise ValueError(
            f"{name}[{text}]: settings are written as in Python: [r=8, use_dora=True, init_weights='bert']"
        )
    if len(settings) < len(node.keys):
        raise ValueError(f"{name}[{text}]: a setting stands there twice")
    return settings


def library_config(text: str) -> Any:
    """The library's configuration object, by the library's own parser.

    Raises:
        ValueError, TypeError: the library refuses a value, or to join the configurations.
    """
    from adapters import ConfigUnion
    from adapters.configuration.adapter_config import ADAPTER_CONFIG_MAP
    from adapters.utils import parse_adapter_config_string

    # `AdapterConfig.load` would first look for a file, or a model of the Hub, with the text as its name.
    parts = parse_adapter_config_string(text)
    if parts != [(part.name, part.settings) for part in read_config(text)]:
        raise ValueError(f"{text!r} is read by the adapters library as {parts}")
    configs = [ADAPTER_CONFIG_MAP[name].replace(**settings) for name, settings in parts]
    return configs[0] if len(configs) == 1 else ConfigUnion(*configs)


def expected_modules(config: Any, shape: Shape) -> int:
    """How many modules the library has to put into a model for a configuration object, by the architecture alone."""
    from adapters import BnConfig, ConfigUnion, LoRAConfig, PrefixTuningConfig

    encoder, decoder = shape.encoder_layers, shape.decoder_layers
    layers = encoder + decoder
    if isinstance(config, ConfigUnion):
        return sum(expected_modules(part, shape) for part in config.configs)
    if isinstance(config, BnConfig):
        # An invertible block stands behind the embedded source.
        blocks = layers * (config.mh_adapter + config.output_adapter) + decoder * config.cross_adapter
        return blocks + bool(config.inv_adapter)
    if isinstance(config, LoRAConfig):
        attentions = (layers + decoder) * len(config.attn_matrices) * config.selfattn_lora
        return attentions + layers * (config.intermediate_lora + config.output_lora)
    if isinstance(config, PrefixTuningConfig):
        return encoder * config.encoder_prefix + decoder * (1 + config.cross_prefix)
    return layers  # interventions, one after each layer


def activation_bytes(config: Any, shape: Shape, source: float, target: float) -> tuple[float, float]:
    """What the modules of a configuration object keep for the backward pass of one example: (encoder's, decoder's)."""
    from adapters import BnConfig, ConfigUnion, LoRAConfig, PrefixTuningConfig

    encoder, decoder, width = shape.encoder_layers * source, shape.decoder_layers * target, shape.d_model
    if isinstance(config, ConfigUnion):
        parts = [activation_bytes(part, shape, source, target) for part in config.configs]
        return sum(part[0] for part in parts), sum(part[1] for part in parts)
    if isinstance(config, BnConfig):
        # Input, inside (before and after the non-linearity) and output.
        inside = int(width // config.reduction_factor) * (2 if not config.phm_layer else 4)
        block = FP32 * (2 * width + inside)
        own, cross = config.mh_adapter + config.output_adapter, int(config.cross_adapter)
        return encoder * block * (own + bool(config.inv_adapter)), decoder * block * (own + cross)
    if isinstance(config, LoRAConfig):
        # Each layer keeps its input, what A makes of it, and the update.
        attention = FP32 * len(config.attn_matrices) * config.selfattn_lora * (2 * width + config.r)
        wide = FP32 * (config.intermediate_lora + config.output_lora) * (width + shape.d_ff + config.r)
        return encoder * (attention + wide), decoder * (2 * attention + wide)
    if isinstance(config, PrefixTuningConfig):
        return prefix_activation_bytes(shape, config.prefix_length, source, target)
    return FP32 * width * encoder, FP32 * width * decoder


def prefix_activation_bytes(shape: Shape, length: int, source: float, target: float) -> tuple[float, float]:
    """Of each attention: the prefix of each row, its keys and values with the prefix in front, its wider scores."""
    inner = shape.heads * shape.d_kv

    def attention(queries: float, keys: float) -> float:
        return FP32 * (2 * inner * (2 * length + keys) + 2 * shape.heads * queries * length)

    decoder = attention(target, target) + attention(target, source)
    return shape.encoder_layers * attention(source, source), shape.decoder_layers * decoder
