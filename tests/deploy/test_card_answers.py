"""A card's own code, run in a process without TuneGrid, gives the predictions of the evaluation."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support import slow_except
from tests.support.exporting import answers_elsewhere, card_of, export, files, rows_of
from tests.support.extras import EXTRAS, ONNX_EXTRAS, needs_ctranslate2, needs_onnx
from tests.support.seals import seal_base, seal_run
from tests.support.winners import CELLS, predictions
from tunegrid.study.cells import Cell, Run

SUFFIXES = {".json", ".safetensors", ".md", ".txt", ".model"}  # nothing that is pickled
# library -> (cell, options); each family with each method that it can have
FOLDERS = {
    "transformers": [(cell, []) for cell in CELLS if cell.method != "adapters"],
    "peft": [(cell, ["--as", "adapter"]) for cell in CELLS if cell.method == "lora"],
    "adapters": [(cell, []) for cell in CELLS if cell.method == "adapters"],
}
CONVERTED = [(cell, ["--as", "ctranslate2"]) for cell in CELLS if cell.method in ("full", "lora")]


@pytest.mark.parametrize("library", slow_except("adapters", FOLDERS))
def test_the_card_s_own_code_gives_the_predictions_in_a_process_without_tunegrid(study, tmp_path, library):
    exported, expected = {}, []
    for cell, options in FOLDERS[library]:
        folder = tmp_path / "first" / str(cell)
        assert export(cell, folder, *options) == 0
        assert {Path(file).suffix for file in files(folder)} <= SUFFIXES
        assert card_of(folder)[0]["library_name"] == library
        exported[tmp_path / "moved" / str(cell)] = rows_of(cell)
        expected.append(predictions(study, cell)["prediction"].tolist())
    (tmp_path / "first").rename(tmp_path / "moved")  # nothing in it depends on where it was made
    found = answers_elsewhere(tmp_path, exported)
    assert found["answers"] == expected
    assert found["modules"] == ([library] if library != "transformers" else found["modules"])
    assert "adapters" not in found["modules"] or library == "adapters"


@needs_ctranslate2
def test_a_converted_model_s_card_gives_the_predictions_without_torch(study, tmp_path):
    exported, expected = {}, []
    for cell, options in CONVERTED:
        folder = tmp_path / str(cell)
        assert export(cell, folder, *options) == 0
        assert {"model.bin", "config.json", "shared_vocabulary.json", "tokenizer.json", "README.md"} <= files(folder)
        assert not list(folder.glob("*.safetensors"))
        front, text = card_of(folder)
        assert front["library_name"] == "ctranslate2"
        assert "import torch" not in text
        exported[folder] = rows_of(cell)
        expected.append(predictions(study, cell)["prediction"].tolist())
    assert answers_elsewhere(tmp_path, exported, PYTHONPATH=EXTRAS)["answers"] == expected


@needs_onnx
def test_the_card_of_onnx_graphs_gives_the_predictions(study, tmp_path):
    """Windows, beams and label words, of a T5 and a BART."""
    exported, expected = {}, []
    for cell in (Cell("qa", "t5", "full"), Cell("translation", "bart", "lora"), Cell("sentiment", "bart", "full")):
        folder = tmp_path / str(cell)
        assert export(cell, folder, "--as", "onnx") == 0
        graphs = {"encoder_model.onnx", "decoder_model_merged.onnx"}
        assert {file for file in files(folder) if file.endswith(".onnx")} == graphs
        assert not list(folder.glob("*.safetensors"))
        assert card_of(folder)[0]["library_name"] == "optimum"
        exported[folder] = rows_of(cell)
        expected.append(predictions(study, cell)["prediction"].tolist())
    assert answers_elsewhere(tmp_path, exported, PYTHONPATH=ONNX_EXTRAS)["answers"] == expected


@pytest.mark.slow
def test_an_adapter_of_a_base_on_the_hub_names_it_and_its_commit(own, tmp_path, monkeypatch):
    """The process that loads it finds the base in the Hub's cache, at that commit."""
    commit = "a" * 40
    text = Path("tiny.yaml").read_text()
    for family in ("t5", "bart"):
        text = text.replace(
            f"{{kind: directory, path: checkpoints/{family}}}", f"{{kind: hub, id: someone/{family}, licence: MIT}}"
        )
        card = own.paths.model_card(family)
        card.write_text(json.dumps(json.loads(card.read_text()) | {"commit": commit}))
        snapshot = tmp_path / f"cache/hub/models--someone--{family}/snapshots/{commit}"
        shutil.copytree(own.paths.model(family), snapshot)
        (snapshot / "card.json").unlink()
    Path("tiny.yaml").write_text(text)
    exported, expected = {}, []
    for cell in (Cell("sentiment", "t5", "lora"), Cell("qa", "bart", "adapters")):
        folder = tmp_path / str(cell)
        assert export(cell, folder, "--as", "adapter") == 0
        assert max(file.stat().st_size for file in folder.rglob("*.safetensors")) < 40_000, "the base is not in it"
        front, _ = card_of(folder)
        assert (front["base_model"], front["base_model_relation"]) == (f"someone/{cell.model}", "adapter")
        assert front["license"] == "mit"
        exported[folder] = rows_of(cell)
        expected.append(predictions(own, cell)["prediction"].tolist())
    peft = json.loads((tmp_path / "sentiment_t5_lora/adapter_config.json").read_text())
    assert (peft["base_model_name_or_path"], peft["revision"]) == ("someone/t5", commit)
    for folder, rows in exported.items():  # one library a process
        found = answers_elsewhere(tmp_path, {folder: rows}, HF_HOME=str(tmp_path / "cache"))
        assert found["answers"] == [expected.pop(0)]


@pytest.mark.slow
def test_what_a_checkpoint_says_about_generation_does_not_come_along(own, tmp_path):
    """BART's checkpoints bring beams, lengths and forced tokens, in config.json or in generation_config.json."""
    from transformers import AutoModelForSeq2SeqLM

    config = own.paths.model("bart") / "config.json"
    shipped = {
        "num_beams": 4,
        "no_repeat_ngram_size": 3,
        "min_length": 5,
        "forced_eos_token_id": 2,
        "early_stopping": True,
    }
    config.write_text(json.dumps(json.loads(config.read_text()) | shipped))
    (own.paths.model("bart") / "generation_config.json").unlink()
    cell = Cell("translation", "bart", "lora")
    seal_base(own.paths.model("bart"))
    seal_run(own, Run(cell, 1))
    assert export(cell, tmp_path / "out") == 0
    settings = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out").generation_config
    assert (settings.num_beams, settings.length_penalty, settings.max_new_tokens) == (3, 0.6, 6 + 2)
    assert (settings.no_repeat_ngram_size, settings.min_length, settings.forced_eos_token_id) == (0, 0, None)
    found = answers_elsewhere(tmp_path, {tmp_path / "out": rows_of(cell)})
    assert found["answers"] == [predictions(own, cell)["prediction"].tolist()]
