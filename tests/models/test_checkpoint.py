"""Files of a checkpoint: what is missing, incomplete or not to be trusted is named before anything is loaded."""

import json
import shutil
from pathlib import Path

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.models.checkpoint import check_checkpoint

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 891646390\n"
SHARDS = ("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors")


@pytest.fixture
def folder(checkpoints, tmp_path) -> Path:
    return Path(shutil.copytree(checkpoints / "t5", tmp_path / "t5"))


def change_json(file: Path, **values) -> None:
    file.write_text(json.dumps((json.loads(file.read_text()) if file.exists() else {}) | values))


def shard(folder: Path) -> dict[str, str]:
    """Splits the weights in three files with an index; returns its weight_map."""
    from safetensors.torch import load_file, save_file

    tensors, weight_map = load_file(folder / "model.safetensors"), {}
    for number, file in enumerate(SHARDS):
        part = {name: tensors[name] for name in sorted(tensors)[number::3]}
        save_file(part, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    (folder / "model.safetensors").unlink()
    change_json(folder / "model.safetensors.index.json", metadata={}, weight_map=weight_map)
    return weight_map


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def save(folder: Path, tensors, **metadata) -> None:
    from safetensors.torch import save_file

    save_file(tensors, folder / "model.safetensors", metadata=metadata or {"format": "pt"})


def integers(folder: Path) -> None:
    import torch

    save(folder, {"shared.weight": torch.ones(3, 3, dtype=torch.int8)})


def of_marian(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    for name in ("vocab.json", "source.spm", "target.spm"):
        (folder / name).write_text("{}")


def of_tensorflow(folder: Path) -> None:
    from safetensors.torch import load_file

    save(folder, load_file(folder / "model.safetensors"), format="tf")


def lose_a_shard(folder: Path) -> None:
    shard(folder)
    (folder / SHARDS[2]).unlink()


def name_a_shard_elsewhere(folder: Path) -> None:
    weight_map = shard(folder)
    shutil.move(folder / SHARDS[2], folder.parent / SHARDS[2])
    moved = {name: f"../{file}" if file == SHARDS[2] else file for name, file in weight_map.items()}
    change_json(folder / "model.safetensors.index.json", weight_map=moved)


def hold_a_tensor_twice(folder: Path) -> None:
    shard(folder)
    shutil.copy(folder / SHARDS[0], folder / SHARDS[1])


DAMAGES = {
    "no config": (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    "a cut config": (lambda f: cut(f / "config.json"), "config.json: not valid JSON"),
    "a config that is a list": (lambda f: (f / "config.json").write_text("[1]"), "config.json: expected a JSON object, found list"),
    "a config nested without end": (lambda f: (f / "config.json").write_text("[" * 100_000), "config.json: not valid JSON"),
    "a config in UTF-16": (lambda f: (f / "config.json").write_text("{}", encoding="utf-16"), "config.json: not valid JSON"),
    "half of the weights": (lambda f: cut(f / "model.safetensors"), "model.safetensors .* is cut off, damaged or not"),
    "no weights but their name": (lambda f: (f / "model.safetensors").write_bytes(b""), "model.safetensors is empty"),
    "a page instead of weights": (lambda f: (f / "model.safetensors").write_text("<html>" * 99), "is cut off, damaged"),
    "a pointer instead of weights": (lambda f: (f / "model.safetensors").write_bytes(POINTER),
                                     "model.safetensors is a pointer of Git LFS.*git lfs pull"),
    "a pointer instead of a tokenizer": (lambda f: (f / "tokenizer.json").write_bytes(POINTER), "tokenizer.json is a pointer"),
    "a dangling link": (lambda f: ((f / "model.safetensors").unlink(), (f / "tokenizer.json").unlink(),
                                   (f / "tokenizer.json").symlink_to("nowhere")), "no safetensors weights"),
    "a dangling tokenizer": (lambda f: ((f / "tokenizer.json").unlink(), (f / "tokenizer.json").symlink_to("nowhere")),
                             "tokenizer.json is a link to a file that is not there"),
    "a folder as weights": (lambda f: ((f / "model.safetensors").unlink(), (f / "model.safetensors").mkdir()),
                            "model.safetensors is not a file"),
    "weights under another name": (lambda f: (f / "model.safetensors").rename(f / "weights.safetensors"),
                                   "no model.safetensors .*but weights.safetensors. .*call it model.safetensors"),
    "pickled weights": (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
                        "no safetensors weights. Pickled ones .pytorch_model.bin. can run code.*safe_serialization"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no safetensors weights .model.safetensors."),
    "a lost shard": (lose_a_shard, f"1 of the 3 files that .* is missing: {SHARDS[2]}"),
    "a shard elsewhere": (name_a_shard_elsewhere, "names files outside the folder: ../model-00003"),
    "an index without a map": (lambda f: (shard(f), change_json(f / "model.safetensors.index.json", weight_map=[])),
                               "index.json: no weight_map"),
    "a tensor in two shards": (hold_a_tensor_twice, "two files of .* hold the same tensors: decoder.block"),
    "packed weights": (integers, r"shared.weight \(I8\): not fp32, fp16 or bf16"),
    "a packed model": (lambda f: change_json(f / "config.json", quantization_config={"load_in_8bit": True}),
                       "config.json has a quantization_config"),
    "weights of TensorFlow": (of_tensorflow, r"weights of another framework \(tf\)"),
    "an adapter": (lambda f: change_json(f / "adapter_config.json", base_model_name_or_path="x"), "holds an adapter.*Merge it"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer. Expected at least one of: tokenizer.json"),
    "the tokenizer of Marian": (of_marian, r"vocab.json is no tokenizer without merges.txt. .* \(source.spm and target.spm"),
    "a tokenizer from elsewhere": (lambda f: change_json(f / "tokenizer_config.json", vocab_file="../vocab.json"),
                                   r"tokenizer_config.json: vocab_file: names a file of its own \(../vocab.json\)"),
    "a switch that is a text": (lambda f: change_json(f / "tokenizer_config.json", clean_up_tokenization_spaces="false"),
                                "clean_up_tokenization_spaces: 'false', but true or false belongs there"),
    "more sentinels than anybody needs": (lambda f: change_json(f / "tokenizer_config.json", extra_ids=10**9),
                                          "tokenizer_config.json: extra_ids: 1000000000: expected at most 10,000"),
    "code in the model": (lambda f: change_json(f / "config.json", auto_map={"AutoConfig": "own.Config"}),
                          "config.json: auto_map names code of its own.*never run"),
    "code in the tokenizer": (lambda f: change_json(f / "tokenizer_config.json", auto_map=["own.Slow", None]),
                              "tokenizer_config.json: auto_map names code"),
    "code inside a part": (lambda f: change_json(f / "config.json", encoder={"auto_map": {"AutoModel": "a/b--own.Model"}}),
                           "config.json: auto_map names code"),
    "code for generation": (lambda f: change_json(f / "generation_config.json", custom_generate="a/b"),
                            "generation_config.json: custom_generate names code"),
    "code of another folder": (lambda f: (f / "custom_generate").mkdir(), "a folder custom_generate, code of its own"),
    "compiled code": (lambda f: change_json(f / "config.json", attn_implementation="a/kernel"),
                      "config.json: attn_implementation names code of the Hub"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "says"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_or_suspicious_checkpoint_is_refused_in_one_message(folder, damage, says):
    damage(folder)
    with pytest.raises(TuneGridError, match=f"^my model: .*{says}") as error:
        check_checkpoint(folder, "my model")
    assert "\n" not in str(error.value)


def test_whole_checkpoints_pass_in_one_file_in_shards_and_as_links(folder, checkpoints, tmp_path):
    for family in checkpoints.iterdir():
        assert check_checkpoint(family, family.name)["model_type"] in ("t5", "bart")
    (tmp_path / "links").mkdir()
    for file in folder.iterdir():
        (tmp_path / "links" / file.name).symlink_to(file)
    check_checkpoint(tmp_path / "links", "links, as in a snapshot of the Hub")
    shard(folder)
    check_checkpoint(folder, "in shards")


def test_what_names_no_code_and_no_file_elsewhere_passes(folder):
    change_json(folder / "config.json", auto_map=None, attn_implementation="eager")
    change_json(
        folder / "tokenizer_config.json", auto_map={}, tokenizer_file=None, special_tokens_map_file="/old/x.json"
    )
    change_json(folder / "vocab.json", auto_map=7)
    check_checkpoint(folder, "my model")
