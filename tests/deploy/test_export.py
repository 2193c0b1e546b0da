"""`tunegrid export`: folders that a process without TuneGrid loads by their card's own code, with the same answers."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT, slow_except
from tests.support.extras import EXTRAS, ONNX_EXTRAS, needs_ctranslate2, needs_onnx
from tests.support.seals import seal_base, seal_run
from tests.support.winners import CELLS, CONFIG, predictions, recommend
from tunegrid.cli import main
from tunegrid.study.cells import Cell, Run
from tunegrid.study.load import load_study

RUNNER = ROOT / "tests/support/run_cards.py"
SUFFIXES = {".json", ".safetensors", ".md", ".txt", ".model"}  # nothing that is pickled


def export(cell: Cell, folder: Path, *options: str) -> int:
    names = ["--task", cell.task, "--model", cell.model, "--method", cell.method]
    return main(["export", *CONFIG, str(folder), *names, *options])


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def card_of(folder: Path) -> tuple[dict, str]:
    """(front matter, text)."""
    _, front, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), text


def rows_of(cell: Cell) -> list[list[str]]:
    """The fields of a task's test rows, in the order of the card's function; as they are before any cleaning."""
    rows = [json.loads(line) for line in Path(f"rows/{cell.task}-test.jsonl").read_text().splitlines()]
    if cell.task == "qa":
        return [[row["question"], row["context"]] for row in rows]
    return [[row["text"]] if cell.task == "sentiment" else [row["translation"]["en"]] for row in rows]


def answers_elsewhere(tmp_path: Path, exported: dict[Path, list[list[str]]], **environment: str) -> dict:
    """What the cards' code says in a new process, in which nothing of the repository can be imported."""
    (tmp_path / "tasks.json").write_text(json.dumps([[str(folder), rows] for folder, rows in exported.items()]))
    clean = {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"} | environment
    command = [sys.executable, "-W", "ignore", str(RUNNER), str(tmp_path / "tasks.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | clean, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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


# -- the card ---------------------------------------------------------------------------------------------------------


def test_the_card_says_what_the_records_say(own, tmp_path):
    """Of the whole study, with its tables, so that intervals and the recommendation are in it."""
    folder = own.paths.run(Run(Cell("qa", "bart", "adapters"), 1))
    assert main(["tables", *CONFIG]) == 0
    recommend(own, qa="bart adapters")
    assert main(["export", *CONFIG, str(tmp_path / "out"), "--task", "qa", "--language", "en"]) == 0
    front, text = card_of(tmp_path / "out")
    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    assert front["license"] == "unknown"
    assert front["language"] == ["en"]
    assert not front.keys() & {"base_model", "datasets"}, "neither is on the Hub"
    assert {"tunegrid", "qa", "adapters", "bart"} <= set(front["tags"])
    (result,) = front["model-index"][0]["results"]
    assert {m["type"]: m["value"] for m in result["metrics"]} == {name: m["value"] for name, m in metrics.items()}
    assert re.search(r"\| Exact Match \(EM\) \| [\d.]+% \| [\d.]+% \(1 of 1\) \| [\d.]+% to [\d.]+% \|", text)
    assert "Recommended: Best." in text
    assert "With one seed, the intervals hold the choice of the test rows only" in text
    train, data = (json.loads(path.read_text()) for path in (folder / "train.json", own.paths.data_card("qa")))
    size, cost = train["parameters"], train["cost"]
    assert f"{size['trainable']:,} of {size['total']:,}" in text
    assert f"{cost['steps']:,}, {cost['examples']:,} examples, {cost['tokens']:,} tokens" in text
    assert data["fingerprint"] in text
    assert all(f"| {split} | {rows:,} |" in text for split, rows in data["rows"].items())
    assert "````text\n<question> </s> <context>\n````" in text
    assert "At most 30 tokens: of a longer context windows are read that share 4 tokens" in text
    assert str(tmp_path) not in text
    assert "/root" not in text
    shutil.rmtree(tmp_path / "out" / "base")
    from huggingface_hub import ModelCard

    assert ModelCard.load(tmp_path / "out/README.md").data.eval_results[0].metric_type == "exact_match"


def test_tables_of_other_results_are_noticed(own, tmp_path, capsys):
    assert main(["tables", *CONFIG]) == 0
    file = own.paths.run(Run(Cell("qa", "t5", "full"), 1)) / "metrics.json"
    record = json.loads(file.read_text())
    record["metrics"]["f1"]["value"] = 0.123
    file.write_text(json.dumps(record))
    assert export(CELLS[0], tmp_path / "out") == 1
    assert "cells.csv: says f1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("CC BY-SA 4.0", {"license": "cc-by-sa-4.0"}),
        ("not stated by its authors", {"license": "unknown"}),
        ("see the paper", {"license": "other", "license_name": "see the paper"}),
    ],
)
def test_the_licence_is_the_hub_s_name_of_it_or_said_to_be_unknown(tiny_study, words, expected):
    from tunegrid.deploy.front_matter import base_licence

    study = tiny_study(f"models: {{t5: {{source: {{licence: '{words}'}}}}}}")
    assert base_licence(study, "t5") == expected


def test_languages_of_the_paper_s_data_are_known():
    from tunegrid.deploy.front_matter import languages_of

    paper, mini = load_study(ROOT / "config/paper.yaml"), load_study(ROOT / "config/mini.yaml")
    assert [languages_of(paper, task) for task in ("qa", "translation", "sentiment")] == [["en"], ["en", "de"], ["en"]]
    assert [languages_of(mini, task) for task in ("qa", "translation")] == [["en"], ["en", "de"]]


def test_a_prompt_is_shown_and_filled_in_as_it_is(tiny_study):
    from tunegrid.deploy.card import _prompt, _shown

    study = tiny_study('tasks: {sentiment: {prompts: {t5: "{{a}} `{text}` {options}"}, labels: ["{x}", positive]}}')
    task = study.task("sentiment", "t5")
    assert _prompt(task).format(text="film {y}") == task.source_text({"text": "film {y}"}, "t5")
    assert _shown(task) == "{a} `<text>` - {x}\n- positive"


# -- folders ----------------------------------------------------------------------------------------------------------


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
