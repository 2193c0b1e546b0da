"""Checkpoints with seeded random damages: each is refused in one message, or is a model that answers with numbers.

By hand, with any number of cases: `python -m tests.models.test_mutated_checkpoints 2000 [SEED]` prints what was
accepted, by kind of damage, and every exception that is no message.
"""

import json
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

import pytest

from tests.support.checkpoints import FAMILIES, make_checkpoint
from tunegrid.common.errors import TuneGridError

ODD = [
    None,
    True,
    -1,
    0,
    1,
    3,
    10**6,
    10**30,
    0.5,
    1e300,
    float("nan"),
    "",
    "x",
    "../x",
    "a/b",
    [],
    [1],
    {},
    {"x": [1]},
]
SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "special_tokens_map.json",
)


def _places(value, place=()):
    """Yields the place of every value in nested JSON."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*place, key))


def _change_value(folder: Path, chance: random.Random) -> str:
    file = folder / chance.choice(SETTINGS)
    value = json.loads(file.read_text())
    *way, key = chance.choice([place for place in _places(value) if place and len(place) < 4])
    inner = value
    for step in way:
        inner = inner[step]
    if chance.random() < 0.3:
        del inner[key]
    else:
        inner[key] = chance.choice(ODD)
    file.write_text(json.dumps(value))
    return f"a value of {file.name}"


def _change_bytes(folder: Path, chance: random.Random) -> str:
    file = chance.choice(sorted(folder.iterdir()))
    content = bytearray(file.read_bytes())
    match chance.randrange(4):
        case 0:
            del content[chance.randrange(len(content)) :]
        case 1:
            start = chance.randrange(len(content))
            content[start : start + chance.randrange(1, 64)] = chance.randbytes(chance.randrange(64))
        case 2:
            content[chance.randrange(min(len(content), 4000))] = chance.randrange(256)
        case 3:
            content += chance.randbytes(chance.randrange(1, 99))
    file.write_bytes(content)
    return f"bytes of {file.name}"


def _change_tensors(folder: Path, chance: random.Random) -> str:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    name = chance.choice(sorted(tensors))
    match kind := chance.choice(["renamed", "lost", "cut", "transposed", "more", "integers", "NaN", "prefixed"]):
        case "renamed":
            place = chance.randrange(len(name))
            tensors[name[:place] + chance.choice("x._0") + name[place + 1 :]] = tensors.pop(name)
        case "lost":
            del tensors[name]
        case "cut":
            tensors[name] = tensors[name][:-1]
        case "transposed":
            tensors[name] = tensors[name].unsqueeze(0)
        case "more":
            tensors[f"{name}.{chance.choice(['lora_A', 'absmax', 'weight'])}"] = tensors[name].clone()
        case "integers":
            tensors[name] = tensors[name].char()
        case "NaN":
            tensors[name].view(-1)[0] = float(chance.choice(["nan", "inf"]))
        case "prefixed":
            prefix = chance.choice(["module.", "_orig_mod.", "model.", "base_model.model."])
            tensors = {prefix + name: values for name, values in tensors.items()}
    save_file(
        {name: values.contiguous() for name, values in tensors.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    return f"tensors: {kind}"


def _change_files(folder: Path, chance: random.Random) -> str:
    files = sorted(folder.iterdir())
    match kind := chance.choice(["lost", "exchanged", "of another family", "a folder", "a link to nothing", "empty"]):
        case "lost":
            chance.choice(files).unlink()
        case "exchanged":
            one, other = chance.sample(files, 2)
            one.write_bytes(other.read_bytes())
        case "of another family":
            other = chance.choice([name for name in FAMILIES if not folder.name.startswith(name)])
            shutil.copy(folder.parent / other / chance.choice(files).name, folder)
        case _:
            file = chance.choice(files)
            file.unlink()
            if kind == "a folder":
                file.mkdir()
            elif kind == "empty":
                file.touch()
            else:
                file.symlink_to("nowhere")
    return f"files: {kind}"


CHANGES = (_change_value, _change_value, _change_bytes, _change_tensors, _change_files)


def damage(originals: Path, number: int, seed: int) -> tuple[Path, str, str]:
    """(a damaged copy of a checkpoint, its family, what was damaged)."""
    chance = random.Random(f"{seed} {number}")
    family = chance.choice(FAMILIES)
    folder = originals / f"{family}-damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(originals / family, folder)
    return folder, family, chance.choice(CHANGES)(folder, chance)


def outcome(folder: Path, family: str, configuration) -> str:
    """refused, or whether the model that was accepted answers with numbers."""
    import torch

    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.load import load_model
    from tunegrid.stages.fetch_model import fetch_model

    study, out = configuration(folder, family), folder.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    try:
        fetch_model(study, "m", out)
    except TuneGridError as error:
        return "refused" if "\n" not in str(error) and not out.exists() else "refused in several lines, or half"
    model, tokenizer = load_model(out).eval(), load_tokenizer(out)
    inputs = tokenizer(["a clever film", "Anna"], padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = model(
            **{key: inputs[key] for key in ("input_ids", "attention_mask")}, labels=inputs["input_ids"]
        ).logits
    return "numbers" if logits.isfinite().all() else "no numbers"


def _configuration(folder: Path, family: str):
    from tunegrid.study.load import load_study

    file = folder.parent / "study.yaml"
    source = {"kind": "generated", "rows": {"train": 8, "validation": 4, "test": 4}}
    task = {"kind": "sentiment", "source": source, "max_source_length": 16, "max_target_length": 4}
    file.write_text(json.dumps({
        "study": "mutated", "title": "m", "description": "m", "seeds": [1],
        "grid": {"tasks": ["s"], "models": ["m"], "methods": ["full"]},
        "tasks": {"s": task | {"generation": {"max_new_tokens": 2}}},
        "models": {"m": {"family": family, "source": {"kind": "directory", "path": str(folder)}}},
        "methods": {"full": {"kind": "full"}}, "training": {"learning_rate": 1e-3, "max_steps": 2, "batch_size": 2},
    }))  # fmt: skip
    return load_study(file)


def run(originals: Path, numbers: range, seed: int) -> tuple[Counter, list[str]]:
    """(how often each damage had each outcome, what raised an exception that is no message)."""
    counts, bad = Counter(), []
    for number in numbers:
        folder, family, kind = damage(originals, number, seed)
        try:
            result = outcome(folder, family, _configuration)
        except Exception:
            bad.append(f"case {number} of seed {seed} ({family}, {kind}):\n{traceback.format_exc()}")
        else:
            counts[kind, result] += 1
            if result not in ("refused", "numbers"):
                bad.append(f"case {number} of seed {seed} ({family}, {kind}): {result}")
    return counts, bad


def _make(folder: Path) -> Path:
    for family in FAMILIES:
        make_checkpoint(folder / family, family)
    return folder


@pytest.mark.parametrize("cases", [30, pytest.param(600, marks=pytest.mark.slow)])
def test_a_damaged_checkpoint_is_refused_in_one_message_or_works(checkpoints, tmp_path, cases):
    shutil.copytree(checkpoints, tmp_path / "checkpoints")
    counts, bad = run(tmp_path / "checkpoints", range(cases), seed=7)
    assert not bad, "\n".join(bad[:3])
    refused = sum(count for (_, result), count in counts.items() if result == "refused")
    assert refused > cases / 3, "most damages matter"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        found, problems = run(_make(Path(place)), range(int(sys.argv[1])), int(sys.argv[2]) if len(sys.argv) > 2 else 7)
    for (kind, result), count in sorted(found.items()):
        print(f"{count:6} {result:10} {kind}")
    print(*problems, sep="\n\n")
    sys.exit(1 if problems else 0)
