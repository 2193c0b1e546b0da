"""The configurations of the adapters library: which settings a study may give, and what is found with each."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from tests.tuners.trial import MODELS, judge, way_of_counting
from tunegrid.methods import tuners as catalogue
from tunegrid.methods.adapters import Adapters, AdaptersSettings
from tunegrid.methods.tuners import Setting, Tuner, Tuners, Verdict
from tunegrid.models import FAMILIES

# Settings for models of width 32, where the defaults do not fit: a bottleneck that `phm_dim` divides.
TRIED = {
    "compacter": {"reduction_factor": 8},
    "compacter++": {"reduction_factor": 8},
}
# Not for a study: what the name of the configuration stands for; places by the layer's number; seeds beside the run's;
# gates, which average over the tokens that there are; what is for images.
WITHHELD = {
    "architecture", "composition_mode", "dtype", "init_weights_seed", "is_parallel", "layers", "leave_out", "phm_layer",
    "prompt_init", "prompt_init_text", "shared_gating", "stochastic_depth", "task_specific_matrix_type", "use_gating",
}  # fmt: skip
# Texts that the library takes, which its classes do not say.
VALUES = {
    "attn_matrices": ("q", "k", "v"),
    "combine": ("prefix", "prefix_after_bos"),
    "hypercomplex_nonlinearity": ("glorot-normal", "glorot-uniform", "normal"),
    "init_weights": ("bert", "mam_adapter", "houlsby"),
    "inv_adapter": ("nice", "glow"),
    "non_linearity": ("gelu", "gelu_new", "leakyrelu", "relu", "sigmoid", "silu", "swish", "tanh"),
    "phm_c_init": ("normal", "uniform"),
    "residual_before_ln": ("post_add",),
    "scaling": ("learned", "channel"),
}
LEAST = {
    "alpha": 0, "bottleneck_size": 1, "dropout": 0, "inv_adapter_reduction_factor": 1, "n_up_projection": 1, "phm_dim": 1,
    "phm_init_range": 0, "phm_rank": 1, "prefix_length": 1, "prefix_positions": 0, "prompt_length": 1, "r": 1,
    "reduction_factor": 0.01, "suffix_positions": 0,
}  # fmt: skip
BELOW = {"dropout": 1}
NEEDS = {"mtl_lora": "it needs a task id with each row"}


def find(models: Path) -> dict[str, Any]:
    """The content of `resources/tuners/adapters.json`."""
    import adapters
    from adapters.configuration.adapter_config import ADAPTER_CONFIG_MAP

    found = {name: describe(config) for name, config in sorted(ADAPTER_CONFIG_MAP.items())}
    known = Tuners(library="adapters", version=adapters.__version__, tuners=found)
    import tunegrid.methods.adapters_configs as module

    before, catalogue.tuners = catalogue.tuners, lambda library: known
    module.tuners = catalogue.tuners
    module.read_config.cache_clear()
    try:
        for name, tuner in found.items():
            found[name] = known.tuners[name] = tried(name, tuner, models)
    finally:
        module.tuners = catalogue.tuners = before
        module.read_config.cache_clear()
    return known.model_dump(exclude_defaults=True, mode="json") | {"library": "adapters"}


def describe(config: Any) -> Tuner:
    """The settings of a named configuration that a study may give; of a joined one, those that all of its parts have."""
    from adapters import BnConfig, ConfigUnion

    if isinstance(config, ConfigUnion):
        parts = [describe(part).settings for part in config.configs]
        common = set.intersection(*(set(part) for part in parts))
        return Tuner(settings={key: value for key, value in parts[0].items() if key in common})
    from pydantic import TypeAdapter

    hints, settings = get_type_hints(type(config)), {}
    for field in fields(config):
        if field.name in WITHHELD or (field.name == "init_weights" and not isinstance(config, BnConfig)):
            continue
        schema = TypeAdapter(hints[field.name]).json_schema()
        kinds = [branch.get("type", "object") for branch in schema.get("anyOf", [schema])]
        kinds = [
            kind for kind in dict.fromkeys(kinds) if kind != "object" and (kind != "array" or field.name in VALUES)
        ]
        default = getattr(config, field.name)
        settings[field.name] = Setting(
            types=tuple(kinds), values=VALUES.get(field.name, ()), least=LEAST.get(field.name),
            below=BELOW.get(field.name), default=default,
        )  # fmt: skip
        assert settings[field.name].problem(field.name, default) is None, field.name
        assert "string" not in kinds or settings[field.name].values, field.name
    return Tuner(settings=settings)


def tried(name: str, tuner: Tuner, models: Path) -> Tuner:
    settings = TRIED.get(name, {})
    if name in NEEDS:
        verdict = Verdict(failed="train", reason=NEEDS[name])
        return tuner.model_copy(update={"families": dict.fromkeys(MODELS, verdict)})
    text = f"[{', '.join(f'{key}={value!r}' for key, value in settings.items())}]" if settings else ""
    asked = AdaptersSettings(kind="adapters", config=name + text)
    methods = {family: Adapters(asked, FAMILIES[family]) for family in MODELS}
    verdicts = {family: judge(method, models) for family, method in methods.items()}
    works = [methods[family] for family, verdict in verdicts.items() if not verdict.failed]
    return tuner.model_copy(update={"tried": settings, "families": verdicts, "counted": way_of_counting(works, models)})
