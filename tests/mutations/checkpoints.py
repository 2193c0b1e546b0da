"""Mutations of a local checkpoint, which `tunegrid check` and `tunegrid fetch-model` read.

Sizes are never made so large that building the model would take the machine's memory: that the headers are compared
first is held by the tests of models/.
"""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from random import Random
from typing import Any

from tests.mutations.execute import Case
from tests.mutations.rows import study_text
from tests.mutations.values import ODD, mutated

FAMILIES = ("t5", "bart", "flan-t5")
ODD_IN_CONFIG = {
    name: value for name, value in ODD.items() if name not in ("a date", "a huge integer", "a huge number")
}
JSON_FILES = ("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json")


def prepare(folder: Path) -> None:
    """Writes a small checkpoint of each family, and a study for each."""
    from tests.support.checkpoints import make_checkpoint

    for family in FAMILIES:
        make_checkpoint(folder / "whole" / family, family)
        text = study_text("qa", "jsonl").replace("family: t5", f"family: {family}")
        text = text.replace("{kind: hub, id: google-t5/t5-base}", "{kind: directory, path: checkpoint}")
        (folder / f"{family}.yaml").write_text(text, encoding="utf-8")
    (folder / "train.jsonl").write_text("", encoding="utf-8")


def mutate(random: Random, folder: Path) -> Case:
    """A checkpoint with one file mutated."""
    family, checkpoint = random.choice(FAMILIES), folder / "checkpoint"
    shutil.rmtree(checkpoint, ignore_errors=True)
    shutil.copytree(folder / "whole" / family, checkpoint)
    files = sorted(file for file in checkpoint.iterdir())
    name = random.choice(["json", "json", "json", "tensors", "tensors", "tensors", "header", "header", "file"])
    if name == "json":
        file = random.choice([file for file in files if file.name in JSON_FILES])
        value, what = mutated(json.loads(file.read_text()), random, ODD_IN_CONFIG)
        file.write_text(json.dumps(value))
        name = f"{file.name}: {what}"
    elif name == "file":
        name = _mutated_file(random.choice(files), random)
    elif name == "header":
        name = _mutated_header(checkpoint / "model.safetensors", random)
    else:
        name = _mutated_tensors(checkpoint / "model.safetensors", random)
    study = f"{family}.yaml"
    return Case(f"{family}: {name}", (("check", study), ("fetch-model", study, "--model", "t5")))


def _mutated_file(file: Path, random: Random) -> str:
    name = random.choice(["lost", "empty", "a folder", "a link to nothing", "a pointer", "cut", "renamed"])
    data = file.read_bytes()
    file.unlink()
    match name:
        case "empty":
            file.write_bytes(b"")
        case "a folder":
            file.mkdir()
        case "a link to nothing":
            file.symlink_to("nowhere")
        case "a pointer":
            file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        case "cut":
            file.write_bytes(data[: random.randrange(1, len(data))])
        case "renamed":
            file.with_name(f"old-{file.name}").write_bytes(data)
    return f"{file.name}: {name}"


def _mutated_header(file: Path, random: Random) -> str:
    """Mutates the header's length or one value of its JSON; the file stays as it is behind it."""
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    if random.random() < 0.3:
        size = random.choice([0, 1, size - 1, size + 1, len(data), 2**40])
        file.write_bytes(struct.pack("<Q", size) + data[8:])
        return "header: another length"
    odd: dict[str, Any] = {"-1": -1, "0": 0, "null": None, "a list": [], "a word": "qwertz", "2**40": 2**40}
    header, what = mutated(header, random, odd)
    new = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(new)) + new + rest)
    # Names of tensors are many: what matters is which part of one was mutated.
    place, mutation = what.split(": ")
    if place.startswith("__metadata__"):
        return f"header: metadata: {mutation.split(' of ')[0]}"
    part = next((f".{part}" for part in ("dtype", "shape", "data_offsets") if f".{part}" in place), "")
    return f"header: tensor{part}: {mutation.split(' of ')[0]}"


def _mutated_tensors(file: Path, random: Random) -> str:
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(file)
    key = random.choice(sorted(tensors))
    name = random.choice(
        ["prefix", "prefix", "lost", "added", "renamed", "transposed", "a row more", "NaN", "infinity", "fp16", "int8",
         "zeros", "half of them", "exchanged"]
    )  # fmt: skip
    tensor = tensors[key]
    match name:
        case "prefix":
            prefix = random.choice(["_orig_mod.", "module.", "model.", "base_model.model.", "transformer."])
            tensors, name = {prefix + key: value for key, value in tensors.items()}, f"prefix {prefix}"
        case "lost":
            del tensors[key]
        case "added":
            tensors["more.weight"] = torch.zeros(2, 2)
        case "renamed":
            tensors[key + "_old"] = tensors.pop(key)
        case "transposed":
            tensors[key] = tensor.t().contiguous() if tensor.dim() == 2 else tensor[None]
        case "a row more":
            tensors[key] = torch.cat([tensor, tensor[:1]])
        case "NaN":
            tensors[key] = torch.full_like(tensor, float("nan"))
        case "infinity":
            tensors[key] = torch.full_like(tensor, float("inf"))
        case "fp16":
            tensors = {key: value.half() for key, value in tensors.items()}
        case "int8":
            tensors[key] = torch.zeros(tensor.shape, dtype=torch.int8)
        case "zeros":
            tensors[key] = torch.zeros_like(tensor)
        case "half of them":
            tensors = {key: tensors[key] for key in sorted(tensors)[::2]}
        case "exchanged":
            other = next((other for other in tensors if other != key and tensors[other].shape == tensor.shape), key)
            tensors[key], tensors[other] = tensors[other], tensors[key]
    save_file(tensors, file, metadata={"format": "pt"})
    return f"tensors: {name}"
