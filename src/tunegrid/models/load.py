"""Loads checkpoints, and refuses those whose tensors are not exactly the ones that the model has.

transformers leaves a parameter that a checkpoint lacks at its random initial values, ignores tensors that it does not
know, and only logs both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from tunegrid.common.errors import TuneGridError
from tunegrid.common.words import listed, plural
from tunegrid.models.checkpoint import check_code, weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MOST = 3  # names of tensors in a message
# Parts of the names of tensors that only a wrapped, an unmerged or a packed model has.
ADAPTED = (
    "lora_",
    ".base_layer.",
    ".adapters.",
    "_adapters.",
    ".modules_to_save.",
    ".original_module.",
    "prompt_",
    ".ia3_",
)


def load_model(folder: Path) -> PreTrainedModel:
    """The model of a checkpoint, on the CPU, in fp32. No code of the checkpoint is run.

    Raises:
        TuneGridError: the checkpoint's tensors do not fit the model that its config.json describes.
    """
    model = _load(folder, str(folder))
    _complete_tied(model, folder)
    return model


def check_fit(folder: Path, name: str) -> PreTrainedModel:
    """Compares the tensors of a checkpoint with the model that its config.json describes, without loading them.

    Args:
        name: what messages call the checkpoint.

    Returns:
        The model on the meta device: shapes without numbers.

    Raises:
        TuneGridError: a tensor is missing, unknown, or of another shape.
    """
    try:
        return _load(folder, name, device_map="meta")
    except TuneGridError:
        raise
    except Exception as error:  # of any kind, by what config.json holds
        raise TuneGridError(f"{name}: transformers cannot make a model from config.json: {_one_line(error)}") from None


def check_computes(model: PreTrainedModel, name: str) -> None:
    """Passes a few tokens through a model on the meta device, as training and evaluation do.

    A value in config.json that no layer can compute with (a probability above 1, a distance of 0) shows only then.

    Raises:
        TuneGridError: a layer raised an error.
    """
    tokens = torch.ones(2, 8, dtype=torch.long, device="meta")
    try:
        model.set_attn_implementation("eager")  # the others look at the numbers of a mask, and here are none
        for training in (True, False):
            model.train(training)(input_ids=tokens, attention_mask=tokens, decoder_input_ids=tokens)
    except Exception as error:  # of any kind, by what config.json holds
        raise TuneGridError(f"{name}: the model cannot compute with its config.json: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def check_numbers(folder: Path, name: str) -> None:
    """Checks that all weights of a checkpoint are finite, as fp32 too. Each tensor is read once.

    Raises:
        TuneGridError: a tensor holds NaN or an infinite number.
    """
    for tensor, values in _tensors(folder, name):
        if values.numel() and not torch.stack(torch.aminmax(values)).float().isfinite().all():
            count = int((~values.float().isfinite()).sum())
            raise TuneGridError(
                f"{name}: {plural(count, 'number')} of {tensor} {'is' if count == 1 else 'are'} NaN or infinite. The "
                "model was saved after its training had diverged, or the file is damaged."
            )


def check_tied(folder: Path, name: str, model: PreTrainedModel, head_is_tied: bool) -> None:
    """Checks that a checkpoint has the same numbers under all names of a tensor that the model has once.

    Args:
        model: that of the checkpoint, on the meta device.
        head_is_tied: whether a head with other numbers is known to be a remnant; else it is one of the model's own.

    Raises:
        TuneGridError: they differ, so that some would be lost without a word.
    """
    for names, same in _names_of_parameters(model):
        if len(names) == 1:
            continue
        present = [(tensor, values) for tensor, values in _tensors(folder, name) if tensor in same]
        for tensor, values in present[1:]:
            first, other = present[0]
            if (values.shape == other.shape and torch.equal(values.float(), other.float())) or (
                head_is_tied and any("lm_head" in either for either in (tensor, first))
            ):
                continue
            raise TuneGridError(
                f"{name}: {first} and {tensor} differ, but the model that config.json describes has one tensor for "
                "both. If it has a head of its own, as T5 v1.1 and Flan-T5 do, `tie_word_embeddings: false` is "
                "missing in config.json."
            )


def _tensors(folder: Path, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields the tensors of a checkpoint with their names. They are memory-mapped."""
    from safetensors import safe_open

    for file in weight_files(folder, name):
        with safe_open(file, framework="pt") as weights:
            for tensor in weights.keys():  # noqa: SIM118 (safe_open is no mapping)
                yield tensor, weights.get_tensor(tensor)


def _load(folder: Path, name: str, **options: Any) -> PreTrainedModel:
    """The model of a checkpoint. Raises TuneGridError if its tensors do not fit."""
    from transformers import AutoModelForSeq2SeqLM

    check_code(folder, name)
    with _without_warnings():  # pages of names, which are in the facts too
        model, facts = AutoModelForSeq2SeqLM.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    tensors = _tensors(folder, name) if facts["mismatched_keys"] else ()
    shapes = {tensor: values.shape for tensor, values in tensors}
    mismatched = [
        f"{tensor} ({_size(shapes.get(tensor, ()))}, not {_size(model.get_parameter_or_buffer(tensor).shape)})"
        for tensor in facts["mismatched_keys"]
    ]
    if problem := _misfit(model, facts["missing_keys"], facts["unexpected_keys"], mismatched):
        raise TuneGridError(f"{name}: {problem}")
    return model


@contextmanager
def _without_warnings() -> Iterator[None]:
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _size(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))


def _misfit(
    model: PreTrainedModel, missing: Collection[str], unknown: Collection[str], mismatched: Collection[str]
) -> str | None:
    """What does not fit, and the likely reason; None if all does."""
    kinds = {"missing": missing, "unknown": unknown, "of another shape": mismatched}
    parts = [
        f"{plural(len(names), 'tensor')} {'is' if len(names) == 1 else 'are'} {kind}: {listed(sorted(names), MOST)}"
        for kind, names in kinds.items()
        if names
    ]
    if not parts:
        return None
    reason = _likely_reason(set(model.state_dict()), missing, unknown, mismatched)
    return f"the weights do not fit the model that config.json describes. {'; '.join(parts)}. {reason}"


def _likely_reason(
    known: Collection[str], missing: Collection[str], unknown: Collection[str], mismatched: Collection[str]
) -> str:
    if adapted := sorted(name for name in unknown if any(part in name for part in ADAPTED)):
        return (
            f"Likely reason: an adapter is still in the model ({adapted[0]}). Merge it before saving "
            "(`model.merge_and_unload()`)."
        )
    for name in sorted(unknown):
        # The longest end of the name that is a tensor of the model: what precedes it is the prefix.
        starts = (place + 1 for place, letter in enumerate(name) if letter == ".")
        prefix = next((name[:start] for start in starts if name[start:] in known), "")
        if prefix and sum(name.startswith(prefix) for name in unknown) > len(unknown) / 2:
            return (
                f"Likely reason: its keys begin with `{prefix}`, as those of a compiled or wrapped model do. Save the "
                "model inside the wrapper, or rename the keys."
            )
    if mismatched:
        return "Likely reason: the weights are of a model of another size than config.json says."
    if unknown and missing:
        return "Likely reason: the checkpoint is of another class of model than config.json says."
    if unknown:
        return "Likely reason: the checkpoint has more layers, or another head, than config.json says."
    decoder = {name for name in known if "decoder." in name and "embed" not in name}
    if decoder and decoder <= set(missing):
        return "Likely reason: the checkpoint is an encoder without its decoder."
    return "Likely reason: the conversion or the copy of the checkpoint was cut off, or left out a part."


def _names_of_parameters(model: PreTrainedModel) -> Iterator[tuple[list[str], set[str]]]:
    """Yields (the names of a parameter, those and what a checkpoint without the head calls it) of each parameter."""
    groups: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        groups.setdefault(id(parameter), []).append(name)
    start = f"{model.base_model_prefix}."
    for names in groups.values():
        yield names, {*names, *(name.removeprefix(start) for name in names)}


def _complete_tied(model: PreTrainedModel, folder: Path) -> None:
    """Gives tied parameters without numbers those that the checkpoint has under another name of theirs.

    transformers 4.57 loads such a tensor and then ties it to the first of its names, which is still without numbers:
    BART or T5 with `lm_head.weight` alone, as safetensors' `save_model` writes it, or BART with the encoder's
    embedding alone.
    """
    if not any(parameter.is_meta for parameter in model.parameters()):
        return
    for names, same in _names_of_parameters(model):
        if not model.get_parameter(names[0]).is_meta:
            continue
        values = next(value for tensor, value in _tensors(folder, str(folder)) if tensor in same)
        tied = torch.nn.Parameter(values.float())
        for name in names:
            module, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(module), attribute, tied)
