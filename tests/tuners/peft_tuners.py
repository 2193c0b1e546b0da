"""The tuners of peft: which settings a study may give, and what is found with each."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_type_hints

from tests.tuners.trial import MODELS, judge, way_of_counting
from tunegrid.methods import tuners as catalogue
from tunegrid.methods.peft import Peft, PeftSettings
from tunegrid.methods.tuners import Setting, Tuner, Tuners, Verdict
from tunegrid.models import FAMILIES

# Settings for models of width 32 (24 between the heads of Flan-T5's), where the defaults do not fit.
TRIED = {
    "ADAPTION_PROMPT": {"adapter_len": 4, "adapter_layers": 2},
    "C3A": {"block_size": 4},
    "CARTRIDGE": {"num_virtual_tokens": 4},
    "CPT": {"num_virtual_tokens": 4},
    "FOURIERFT": {"n_frequency": 64},
    "GRALORA": {"r": 4, "alpha": 8},
    "MISS": {"r": 4},
    "MULTITASK_PROMPT_TUNING": {"num_virtual_tokens": 4},
    "OFT": {"oft_block_size": 4},
    "P_TUNING": {"num_virtual_tokens": 4, "encoder_hidden_size": 8},
    "PREFIX_TUNING": {"num_virtual_tokens": 4},
    "PROMPT_TUNING": {"num_virtual_tokens": 4},
    "PSOFT": {"r": 4},
    "ROAD": {"group_size": 4},
    "SHIRA": {"r": 2},
    "VBLORA": {"vector_length": 4},
    "WAVEFT": {"n_frequency": 64},
}
# Not for a study: places, which `targets` name; starts that need data or change the base; what is saved with the
# adapter and what is beside it; sizes that peft reads from the model; the Hub; calls between the steps of a training;
# chance in answers.
WITHHELD = {
    "asa_importance_beta", "asa_schedule_exponent", "asa_target_subspaces", "asa_uncertainty_beta", "bias",
    "ensure_weight_tying", "fan_in_fan_out", "final_warmup", "generator_seed", "init_ia3_weights", "init_lora_weights",
    "init_warmup", "init_weights", "layers_to_transform", "mask_interval", "n_tasks", "num_attention_heads", "num_layers",
    "num_tasks", "num_transformer_submodules", "progressbar", "prompt_tuning_init", "prompt_tuning_init_state_dict_path",
    "prompt_tuning_init_text", "qalora_group_size", "runtime_offload_base_weight", "sample_at_inference",
    "save_embedding_layers", "save_indices", "save_only_topk_weights", "save_precomputed_indices", "save_projection",
    "svd_threshold", "token_dim", "tokenizer_name_or_path", "use_asa", "use_dynamic_rank", "use_effective_conv2d",
    "use_qalora",
}  # fmt: skip
FREE_TEXTS = {"wavelet_family", "variant"}  # names in a table of the library: its constructor knows which
# Tuners that work only with what a training of TuneGrid does not do or give.
NEEDS = {
    "ADALORA": "its ranks are chosen by calls between the steps of a training, which this one does not make",
    "MULTITASK_PROMPT_TUNING": "it needs a task id with each row",
    "POLY": "it needs a task id with each row",
    "TRAINABLE_TOKENS": "it trains single rows of the embedding by their numbers, which differ by vocabulary",
    "XLORA": "it mixes adapters that were trained before",
}
BY_WEIGHTS = {"ADAMSS"}  # how many parameters they have depends on the weights that they are put into


def find(models: Path) -> dict[str, Any]:
    """The content of `resources/tuners/peft.json`."""
    import peft
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    found = {str(name.value): describe(cls) for name, cls in sorted(PEFT_TYPE_TO_CONFIG_MAPPING.items())}
    known = Tuners(library="peft", version=peft.__version__, tuners=found)
    before, catalogue.tuners = catalogue.tuners, lambda library: known
    import tunegrid.methods.peft as module

    module.tuners = catalogue.tuners
    try:
        for name, tuner in found.items():
            found[name] = known.tuners[name] = tried(name, tuner, models)
    finally:
        module.tuners = catalogue.tuners = before
    return known.model_dump(exclude_defaults=True, mode="json") | {"library": "peft"}


def describe(cls: type) -> Tuner:
    """The settings of a tuner's configuration class that a study may give."""
    from peft import PeftConfig
    from pydantic import TypeAdapter

    ignored = {field.name for field in fields(PeftConfig)} | WITHHELD
    hints, settings = get_type_hints(cls), {}
    names = {field.name for field in fields(cls)}
    for field in fields(cls):
        if field.name in ignored or field.name.endswith("_pattern"):
            continue
        schema = TypeAdapter(hints[field.name]).json_schema()
        branches = schema.get("anyOf", [schema])
        kinds = [branch.get("type", "object") for branch in branches]
        values = [
            str(value) for branch in branches for value in branch.get("enum", filter(None, [branch.get("const")]))
        ]
        if {"object", "array"} & {*kinds}:
            kinds, values = [kind for kind in kinds if kind not in ("object", "array")], values
        if not {*kinds} - {"null"} or ("string" in kinds and not values and field.name not in FREE_TEXTS):
            continue
        default = None if field.default is MISSING else field.default
        settings[field.name] = Setting(
            types=tuple(dict.fromkeys(kinds)), values=tuple(values), default=getattr(default, "value", default),
            required=default is None and "null" not in kinds and field.name != "encoder_hidden_size",
        )  # fmt: skip
    targets = None
    if "target_modules" in names and cls.__name__ != "LNTuningConfig":
        targets = ("key", "value", "feed-forward") if cls.__name__ == "IA3Config" else ("query", "value")
    return Tuner(settings=settings, targets=targets)


def tried(name: str, tuner: Tuner, models: Path) -> Tuner:
    settings = TRIED.get(name, {})
    if name in NEEDS:
        verdict = Verdict(failed="train", reason=NEEDS[name])
        return tuner.model_copy(update={"families": dict.fromkeys(MODELS, verdict)})
    try:
        asked = PeftSettings(kind="peft", tuner=name, settings=settings)
    except ValueError as error:
        text = str(error).splitlines()[2].strip().partition(" [type")[0]
        verdict = Verdict(failed="inject", reason=text)
        return tuner.model_copy(update={"families": dict.fromkeys(MODELS, verdict)})
    methods = {family: Peft(asked, FAMILIES[family]) for family in MODELS}
    verdicts = {family: judge(method, models) for family, method in methods.items()}
    works = [methods[family] for family, verdict in verdicts.items() if not verdict.failed]
    counted = None if name in BY_WEIGHTS else way_of_counting(works, models)
    return tuner.model_copy(update={"tried": settings, "families": verdicts, "counted": counted})
