"""`tunegrid export`: weights, tokenizers and forms in the folder, and folders that are refused or left as they are."""

import json
from pathlib import Path

import pytest

from tests.support.exporting import export, files
from tests.support.extras import needs_ctranslate2, needs_onnx
from tests.support.seals import seal_base, seal_run
from tests.support.winners import CELLS
from tunegrid.study.cells import Cell, Run


@needs_onnx
def test_what_does_not_merge_is_no_onnx(study, tmp_path, capsys):
    assert export(Cell("qa", "bart", "adapters"), tmp_path / "other", "--as", "onnx") == 1
    assert "what Adapters adds cannot be merged into the weights" in capsys.readouterr().err


def test_without_the_extra_there_is_a_sentence(study, tmp_path, capsys, monkeypatch):
    from tunegrid.study import engine

    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    assert export(CELLS[0], tmp_path / "other", "--as", "onnx") == 1
    assert "make setup EXTRAS=onnx" in capsys.readouterr().err


@needs_ctranslate2
def test_a_converted_model_may_have_int8_weights(study, tmp_path, capsys):
    cell = CELLS[0]
    sizes = {}
    for compute in ("float32", "int8"):
        assert export(cell, tmp_path / compute, "--as", "ctranslate2", "--compute-type", compute) == 0
        sizes[compute] = (tmp_path / compute / "model.bin").stat().st_size
    assert sizes["int8"] < sizes["float32"]
    assert export(cell, tmp_path / "other", "--compute-type", "int8") == 1
    assert "add --as ctranslate2" in capsys.readouterr().err
    assert export(Cell("qa", "bart", "adapters"), tmp_path / "other", "--as", "ctranslate2") == 1
    assert "what Adapters adds cannot be merged into the weights" in capsys.readouterr().err


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.method in ("full", "lora", "bitfit")], ids=str)
def test_weights_stay_tied_and_the_logits_are_those_of_the_run(study, tmp_path, cell):
    import torch
    from transformers import AutoModelForSeq2SeqLM

    from tunegrid.deploy.choose import choose
    from tunegrid.deploy.predict import load_model

    assert export(cell, tmp_path / "out") == 0
    base = study.paths.model(cell.model) / "model.safetensors"
    assert (tmp_path / "out/model.safetensors").stat().st_size == base.stat().st_size
    run = load_model(study, choose(study, cell.task, cell.model, cell.method), merged=False).eval()
    loaded, untuned = (AutoModelForSeq2SeqLM.from_pretrained(place).eval() for place in (tmp_path / "out", base.parent))
    assert loaded.config.tie_word_embeddings == (cell.model != "flan-t5")
    tied = loaded.get_input_embeddings().weight.data_ptr() == loaded.get_output_embeddings().weight.data_ptr()
    assert tied == (cell.model != "flan-t5")
    inputs = {"input_ids": torch.tensor([[5, 6, 7, 2]]), "labels": torch.tensor([[8, 9, 2]])}
    # In fp64, so that what differs is in the weights: LoRA's were rounded when they were merged.
    with torch.inference_mode():
        said, expected, before = (model.double()(**inputs).logits for model in (loaded, run, untuned))
    rounding = 5e-5 * expected.abs().max().item()
    torch.testing.assert_close(said, expected, rtol=0, atol=rounding if cell.method == "lora" else 0)
    assert (before - expected).abs().max() > 0.01, "the tuning altered something"


def test_what_the_tokenizer_returns_is_what_the_model_takes(own, tmp_path):
    """Those that the pipeline trains, and others of no particular class, return token types by default."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    file = own.paths.model("t5") / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["model_input_names"]
    file.write_text(json.dumps(config))
    assert "token_type_ids" in AutoTokenizer.from_pretrained(file.parent)("a dog")
    seal_base(own.paths.model("t5"))
    seal_run(own, Run(CELLS[0], 1))
    assert export(CELLS[0], tmp_path / "out") == 0
    load = {"pretrained_model_name_or_path": tmp_path / "out"}
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(**load), AutoTokenizer.from_pretrained(**load)
    row = json.loads(Path("rows/qa-test.jsonl").read_text().splitlines()[0])
    inputs = tokenizer(f"question: {row['question']} context: {row['context'][:20]}", return_tensors="pt")
    assert model.generate(**inputs).shape[1] <= 1 + 4 + 1


def test_a_length_penalty_without_beams_is_no_obstacle(own, tmp_path):
    changes = Path("changes.yaml").read_text()
    Path("changes.yaml").write_text(changes.replace("num_beams: 3", "num_beams: 1"))
    assert export(Cell("translation", "flan-t5", "full"), tmp_path / "out") == 0


def test_a_folder_in_use_stays_as_it_is(own, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.md").write_text("mine")
    assert export(CELLS[0], out) == 1
    assert "is not empty. Name another folder, or --force" in capsys.readouterr().err
    assert export(CELLS[0], out, "--force") == 1
    assert "`tunegrid export` did not write" in capsys.readouterr().err
    assert files(out) == {"notes.md"}
    (out / "notes.md").unlink()
    assert export(CELLS[0], out) == 0
    exported = files(out)
    assert export(CELLS[0], out) == 1
    assert export(CELLS[0], out, "--force") == 0
    assert files(out) == exported
    (out / "notes.md").write_text("mine")
    assert export(CELLS[0], out, "--force") == 1
    assert "holds notes.md, which `tunegrid export` did not write" in capsys.readouterr().err
    assert files(out) == {*exported, "notes.md"}
    before = files(Path())
    for folder in (".", "..", "results", "results/tiny", "results/tiny/runs"):
        assert export(CELLS[0], Path(folder), "--force") == 1
        assert "name one of its own" in capsys.readouterr().err
    assert export(CELLS[0], Path("tiny.yaml"), "--force") == 1
    assert files(Path()) == before


def test_a_failed_export_leaves_nothing(own, tmp_path, monkeypatch):
    from tunegrid.deploy import card

    def fail(*_: object) -> None:
        raise RuntimeError("no card")

    monkeypatch.setattr(card, "model_card", fail)
    with pytest.raises(RuntimeError):
        export(CELLS[0], tmp_path / "place" / "out")
    assert list((tmp_path / "place").iterdir()) == []


@pytest.mark.parametrize("cell", [Cell("qa", "t5", "full"), Cell("qa", "bart", "bitfit")], ids=str)
def test_what_makes_no_adapter_has_none_to_export(study, tmp_path, capsys, cell):
    assert export(cell, tmp_path / "out", "--as", "adapter") == 1
    assert "makes no adapter that a library loads; leave out `--as adapter`" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
