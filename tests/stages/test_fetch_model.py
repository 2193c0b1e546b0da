"""The model stage: what is copied of a local model, and which models are refused."""

import json
from pathlib import Path

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.stages.fetch_model import fetch_model


def test_a_local_model_is_copied_with_safetensors_only_and_carded(tiny_study):
    Path("checkpoints/t5/pytorch_model.bin").write_bytes(b"a pickle")
    study = tiny_study()
    fetch_model(study, "t5", Path("out"))
    names = {file.name for file in Path("out").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "card.json"} <= names
    assert "pytorch_model.bin" not in names
    card = json.loads(Path("out/card.json").read_text())
    assert (card["model"], card["family"]) == ("t5", "t5")
    assert card["source"] == "local folder checkpoints/t5"
    first = card["fingerprint"]
    weights = Path("checkpoints/t5/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    fetch_model(study, "t5", Path("out"))
    assert json.loads(Path("out/card.json").read_text())["fingerprint"] != first


def _pickle_only() -> None:
    Path("checkpoints/t5/model.safetensors").rename("checkpoints/t5/pytorch_model.bin")


def _other_family() -> None:
    Path("checkpoints/bart/config.json").replace("checkpoints/t5/config.json")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda: Path("checkpoints/t5/config.json").unlink(), r"checkpoints/t5: .*config\.json is missing"),
        (_pickle_only, r"checkpoints/t5: no safetensors weights.*safe_serialization"),
        (_other_family, r"models\.t5\.family: t5, but .*model_type 'bart'"),
        (lambda: Path("checkpoints/t5/config.json").write_text("{"), r"config\.json: not valid JSON"),
    ],
    ids=["no config", "pickled weights", "another family", "a broken config"],
)
def test_a_model_that_cannot_be_used_is_refused_and_nothing_is_written(tiny_study, spoil, says):
    study = tiny_study()
    spoil()
    with pytest.raises(TuneGridError, match=says):
        fetch_model(study, "t5", Path("out"))
    assert list(Path().glob("*out*")) == []
