"""Seals: every change of a file that a model is loaded from is named, with what was expected and what to do."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.seals import seal_base
from tunegrid.common.errors import TuneGridError
from tunegrid.models.seal import check_base, check_trained_from, check_weights, digests, fingerprint
from tunegrid.runtime.provenance import file_digest


@pytest.fixture
def base(checkpoints, tmp_path) -> Path:
    folder = Path(shutil.copytree(checkpoints / "bart", tmp_path / "bart"))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "card.json").write_text("{}")
    seal_base(folder)
    return folder


def flip(file: Path, place: int = -9) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def exchange(folder: Path) -> None:
    """Two tensors of one shape change places: names, shapes and size stay as they are."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    one, other = (f"model.encoder.layers.{layer}.fc1.weight" for layer in (0, 1))
    tensors[one], tensors[other] = tensors[other].clone(), tensors[one].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def edit(file: Path, **values) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


CHANGES = {
    "a byte of a tensor": (lambda f: flip(f / "model.safetensors"), "model.safetensors: is damaged, or another file"),
    "exchanged tensors": (exchange, "model.safetensors: is damaged, or another file"),
    "half a file": (lambda f: (f / "model.safetensors").write_bytes(b"half"), "model.safetensors: is damaged"),
    "another tokenizer": (lambda f: edit(f / "tokenizer.json", version="2"), "tokenizer.json: is damaged, or another file"),
    "other merges": (lambda f: (f / "merges.txt").write_text("a b\n"), "merges.txt: is damaged, or another file"),
    "another configuration": (lambda f: edit(f / "config.json", d_model=8), "config.json: is damaged, or another file"),
    "a lost file": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json: is missing, but .*card.json lists it"),
    "one more file": (lambda f: (f / "adapter_config.json").write_text("{}"), "adapter_config.json: does not belong there"),
    "one more folder": (lambda f: ((f / "own").mkdir(), (f / "own/x.json").write_text("{}")), "own/x.json: does not belong"),
    "another fingerprint": (lambda f: edit(f / "card.json", fingerprint="0" * 16), "its fingerprint .0000000000000000. is not"),
    "no digests but others": (lambda f: edit(f / "card.json", files={"model.safetensors": "no"}), "its fingerprint .* is not"),
    "a card that is a list": (lambda f: (f / "card.json").write_text("[]"), "card.json: expected a JSON object"),
    "no card": (lambda f: (f / "card.json").unlink(), "card.json: cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "says"), CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_base_model_is_refused_in_one_message(base, change, says):
    check_base(base)
    change(base)
    with pytest.raises(TuneGridError, match=says) as error:
        check_base(base)
    assert "\n" not in str(error.value)


def test_the_fingerprint_is_what_earlier_versions_recorded(base):
    """Records of finished runs name their base by it."""
    files = sorted(file for file in base.iterdir() if file.suffix in (".safetensors", ".json", ".model"))
    files.remove(base / "card.json")
    assert (
        fingerprint(digests(base)) == file_digest(*files) == json.loads((base / "card.json").read_text())["fingerprint"]
    )


def test_a_card_without_digests_is_refused(base):
    card = json.loads((base / "card.json").read_text())
    del card["files"]
    (base / "card.json").write_text(json.dumps(card))
    with pytest.raises(
        TuneGridError, match=r"its fingerprint .* is not that of the files that it lists. Get the model"
    ):
        check_base(base)


def test_weights_are_compared_with_the_record_of_their_run(tmp_path):
    weights, record = tmp_path / "weights", tmp_path / "train.json"
    weights.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors", "README.md"):
        (weights / name).write_text(name * 9)
    seal = digests(weights)
    assert sorted(seal) == ["adapter_config.json", "adapter_model.safetensors"]
    (weights / "README.md").write_text("a note")
    check_weights(weights, seal, record, "Train it again.")
    flip(weights / "adapter_model.safetensors")
    with pytest.raises(
        TuneGridError, match=r"adapter_model.safetensors: is damaged.*train.json says .*Train it again\."
    ):
        check_weights(weights, seal, record, "Train it again.")
    with pytest.raises(TuneGridError, match=r"train.json: has no digests of the weights. Train it again\."):
        check_weights(weights, None, record, "Train it again.")


def test_a_run_answers_only_with_the_base_that_it_was_tuned_from(base, tmp_path):
    own = json.loads((base / "card.json").read_text())["fingerprint"]
    check_trained_from(base, tmp_path, own)
    with pytest.raises(TuneGridError, match=f"is another model .fingerprint {own}. than the one that .* .1234."):
        check_trained_from(base, tmp_path, "1234")


def test_an_unchanged_file_is_read_once(base, monkeypatch):
    digests(base)
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
    digests(base)
