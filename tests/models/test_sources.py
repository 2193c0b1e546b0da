"""Sources of models: local folders and the Hub."""

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.models.sources import HubModel


def test_a_local_model_depends_on_each_of_its_files(tiny_study):
    names = {file.name for file in tiny_study().models["t5"].source.files()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names


def test_a_hub_model_that_cannot_be_had_is_one_message(tmp_path):
    source = HubModel(kind="hub", id="nobody/nothing", revision="v1")
    with pytest.raises(TuneGridError, match=r"model nobody/nothing \(revision v1\): cannot be fetched: HF_HUB_OFFLINE"):
        source.fetch(tmp_path)
