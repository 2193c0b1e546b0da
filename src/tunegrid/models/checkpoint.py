"""Checks of a checkpoint's files without torch: all are there and whole, and none names code or files from elsewhere.

A checkpoint is a folder in the Hub's layout: config.json, safetensors weights, a tokenizer. What it holds comes from
outside and is not trusted.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.words import listed
from tunegrid.data.formats.lines import LFS_POINTER

WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
# A tokenizer has at least one of the first: the whole of it, a SentencePiece model, or a vocabulary.
TOKENIZERS, MERGES = ("tokenizer.json", "*.model", "vocab.json", "vocab.txt"), "merges.txt"
# Keys of tokenizer_config.json that alter texts, and that anything but an empty value turns on.
SWITCHES = ("clean_up_tokenization_spaces", "add_prefix_space", "do_lower_case", "split_special_tokens")
MOST = 4  # names in a message
MOST_SENTINELS = 10_000  # T5 has 100; each is made before anything can be compared with the vocabulary
FLOATS = ("F64", "F32", "F16", "BF16")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def check_checkpoint(folder: Path, name: str) -> dict[str, Any]:
    """Checks everything of a checkpoint that can be known without loading it.

    Args:
        name: what messages call the checkpoint: "local folder checkpoints/t5".

    Returns:
        The content of config.json.

    Raises:
        TuneGridError: a file is missing, incomplete or not what its name says, or the folder names code of its own or
            files outside of it.
    """
    try:
        config = read_object(folder / "config.json", name)
        _check_files(folder, name, config)
    except OSError as error:
        raise TuneGridError(f"{name}: {error.filename or folder}: cannot be read: {error.strerror or error}.") from None
    return config


def _check_files(folder: Path, name: str, config: dict[str, Any]) -> None:
    check_code(folder, name)
    if "quantization_config" in config:
        raise TuneGridError(
            f"{name}: config.json has a quantization_config: its weights are packed. Only fp32, fp16 and bf16 weights "
            "are read: use the checkpoint that it was made from."
        )
    if (folder / "adapter_config.json").exists():
        raise TuneGridError(
            f"{name}: holds an adapter (adapter_config.json), not a whole model. Merge it into its base model "
            "(`model.merge_and_unload().save_pretrained(folder)`), and use that folder."
        )
    tensors = tensor_names(folder, name)
    if twice := [tensor for tensor, count in Counter(tensors).items() if count > 1]:
        raise TuneGridError(
            f"{name}: two files of {WEIGHTS_INDEX} hold the same tensors: {listed(sorted(twice), MOST)}."
        )
    _check_tokenizer(folder, name)


def read_object(file: Path, name: str) -> dict[str, Any]:
    """The mapping in a JSON file of a checkpoint. Raises TuneGridError if there is none."""
    _check_content(file, name)
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise TuneGridError(f"{name}: {file.name}: not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise TuneGridError(f"{name}: {file.name}: expected a JSON object, found {type(value).__name__}.")
    return value


def weight_files(folder: Path, name: str) -> list[Path]:
    """The files that hold the weights: model.safetensors, or all that model.safetensors.index.json names.

    Raises:
        TuneGridError: there are no weights, or the index names files that are missing or outside the folder.
    """
    if os.path.lexists(folder / WEIGHTS):  # a link to nothing is no reason to look for shards
        return [folder / WEIGHTS]
    if not (folder / WEIGHTS_INDEX).exists():
        raise TuneGridError(f"{name}: {_no_weights(folder)}")
    shards = read_object(folder / WEIGHTS_INDEX, name).get("weight_map")
    if not isinstance(shards, dict) or not shards or not all(isinstance(shard, str) for shard in shards.values()):
        raise TuneGridError(f"{name}: {WEIGHTS_INDEX}: no weight_map from the names of tensors to files.")
    names = sorted(set(shards.values()))
    if outside := [shard for shard in names if Path(shard).name != shard or shard in ("", ".", "..")]:
        raise TuneGridError(f"{name}: {WEIGHTS_INDEX}: names files outside the folder: {listed(outside, MOST)}.")
    if missing := [shard for shard in names if not os.path.lexists(folder / shard)]:
        raise TuneGridError(
            f"{name}: {len(missing)} of the {len(names)} files that {WEIGHTS_INDEX} names "
            f"{'is' if len(missing) == 1 else 'are'} missing: {listed(missing, MOST)}. Copy or download it again."
        )
    return [folder / shard for shard in names]


def tensor_names(folder: Path, name: str) -> list[str]:
    """The names of all tensors of a checkpoint, of files with the same ones repeatedly.

    Raises:
        TuneGridError: a file of weights is missing, not whole, or not of floats.
    """
    return [tensor for file in weight_files(folder, name) for tensor in _header(file, name)]


def count_numbers(folder: Path, name: str) -> int:
    """How many numbers the tensors of a checkpoint have, by their headers. They have to be readable."""
    from safetensors import safe_open

    total = 0
    for file in weight_files(folder, name):
        with safe_open(file, framework="np") as weights:
            total += sum(prod(weights.get_slice(tensor).get_shape()) for tensor in weights.keys())  # noqa: SIM118
    return total


def _no_weights(folder: Path) -> str:
    """Why a folder has no weights that are read."""
    if others := sorted(file.name for file in folder.glob("*.safetensors")):
        return (
            f"no {WEIGHTS} and no {WEIGHTS_INDEX}, but {listed(others, MOST)}. If that is the whole model, call it "
            f"{WEIGHTS}; if it is a part, the others and the index are missing."
        )
    if pickles := sorted(file.name for pattern in PICKLES for file in folder.glob(pattern)):
        return (
            f"no safetensors weights. Pickled ones ({listed(pickles, MOST)}) can run code and are not loaded; convert "
            "them with `model.save_pretrained(folder, safe_serialization=True)`."
        )
    return f"no safetensors weights ({WEIGHTS})."


def _header(file: Path, name: str) -> list[str]:
    """The names of the tensors in a file of weights. Raises TuneGridError if it is not whole or not of floats."""
    from safetensors import SafetensorError, safe_open

    _check_content(file, name)
    try:
        with safe_open(file, framework="np") as weights:
            tensors = list(weights.keys())
            types = {tensor: weights.get_slice(tensor).get_dtype() for tensor in tensors}
            framework = (weights.metadata() or {}).get("format", "pt")
    except (SafetensorError, OSError, ValueError) as error:
        raise TuneGridError(
            f"{name}: {file.name} ({file.stat().st_size} bytes) is cut off, damaged or not a safetensors file "
            f"({error}). Copy or download it again."
        ) from None
    if framework != "pt":
        raise TuneGridError(f"{name}: {file.name}: holds weights of another framework ({framework}), not of PyTorch.")
    if packed := sorted(tensor for tensor, kind in types.items() if kind not in FLOATS):
        raise TuneGridError(
            f"{name}: {file.name}: {listed([f'{tensor} ({types[tensor]})' for tensor in packed], MOST)}: not "
            "fp32, fp16 or bf16 numbers. Quantised weights are not read."
        )
    return tensors


def _check_content(file: Path, name: str) -> None:
    """Raises TuneGridError if a file is missing, cannot be read, is empty, or stands for one that Git LFS has."""
    if not file.is_file():
        what = (
            "a link to a file that is not there" if file.is_symlink() else "not a file" if file.exists() else "missing"
        )
        raise TuneGridError(f"{name}: {file.name} is {what}.")
    try:
        with file.open("rb") as stream:
            start = stream.read(len(LFS_POINTER))
    except OSError as error:
        raise TuneGridError(f"{name}: {file.name} cannot be read: {error.strerror}.") from None
    if start == LFS_POINTER:
        raise TuneGridError(
            f"{name}: {file.name} is a pointer of Git LFS, not the file itself. Run `git lfs pull` in the repository "
            "that it is from."
        )
    if not start:
        raise TuneGridError(f"{name}: {file.name} is empty.")


def _check_tokenizer(folder: Path, name: str) -> None:
    """Raises TuneGridError if there is no tokenizer, or one that reads files from elsewhere."""
    files = sorted(folder.iterdir())
    present = [pattern for pattern in TOKENIZERS if any(file.match(pattern) for file in files)]
    if not present:
        raise TuneGridError(f"{name}: no tokenizer. Expected at least one of: {', '.join(TOKENIZERS)}.")
    if present == ["vocab.json"] and not (folder / MERGES).exists():
        raise TuneGridError(
            f"{name}: vocab.json is no tokenizer without {MERGES}. A vocabulary with a SentencePiece model for each "
            "language (source.spm and target.spm, as Marian's) is not read."
        )
    for file in files:
        if any(file.match(pattern) for pattern in (*TOKENIZERS, MERGES)):
            _check_content(file, name)
    settings = folder / "tokenizer_config.json"
    if not settings.exists():
        return
    content = read_object(settings, name)
    if isinstance(extra := content.get("extra_ids"), int) and extra > MOST_SENTINELS:
        raise TuneGridError(f"{name}: tokenizer_config.json: extra_ids: {extra}: expected at most {MOST_SENTINELS:,}.")
    for key, value in content.items():
        if key in SWITCHES and not isinstance(value, bool | None):
            raise TuneGridError(f"{name}: tokenizer_config.json: {key}: {value!r}, but true or false belongs there.")
        # transformers opens these, relative to the current folder, instead of the checkpoint's own.
        if key.endswith("_file") and key != "special_tokens_map_file" and isinstance(value, str):
            raise TuneGridError(
                f"{name}: tokenizer_config.json: {key}: names a file of its own ({value}), which may be outside the "
                "folder. Remove the key: the tokenizer's files are found by their names."
            )


def check_code(folder: Path, name: str) -> None:
    """Raises TuneGridError if a checkpoint brings or names code, which is never run."""
    reason = "Code that comes with a checkpoint is never run: use a checkpoint that transformers reads without it."
    if (folder / "custom_generate").exists():
        raise TuneGridError(f"{name}: has a folder custom_generate, code of its own. {reason}")
    for file in sorted(folder.glob("*config.json")):
        for key, value in _walk(read_object(file, name)):
            if key in ("auto_map", "custom_pipelines", "custom_generate") and value:
                raise TuneGridError(f"{name}: {file.name}: {key} names code of its own ({value}). {reason}")
            # A name with a slash is a repository of compiled code.
            if key.endswith("attn_implementation") and re.search("/", str(value)):
                raise TuneGridError(f"{name}: {file.name}: {key} names code of the Hub ({value}). {reason}")


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields all keys of nested mappings with their values."""
    if isinstance(value, dict):
        yield from value.items()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk(inner)
