"""`tunegrid predict` gives the answers of the evaluation, and none with weights that are missing, changed or damaged."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.support.extras import needs_ctranslate2
from tests.support.predict_command import answers, cell_options, predict
from tests.support.seals import seal_run
from tests.support.winners import CELLS, CONFIG, predictions
from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.deploy.choose import choose
from tunegrid.study.cells import Cell, Run
from tunegrid.study.study import Study


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_test_rows_get_the_predictions_of_the_evaluation(study, tmp_path, cell):
    """Windows, cuts, beams and label words as there; the rows as the Hub has them, and as the data stage wrote them."""
    expected = predictions(study, cell)
    said = expected[[name for name in ("prediction", "score_positive", "window_score") if name in expected]]
    assert len(said.drop_duplicates()) > 3, "the model tells the rows apart"
    for source in (f"rows/{cell.task}-test.jsonl", f"results/tiny/data/{cell.task}/test.parquet"):
        output = str(tmp_path / "answers.jsonl")
        assert predict(*cell_options(cell), "--input", source, "--output", output, "--unmerged") == 0
        found = answers(output)
        assert [row["prediction"] for row in found] == expected["prediction"].tolist()
        for column in set(expected) & {"window", "window_score", "score_negative", "score_positive"}:
            kept = [value if value == value else None for value in expected[column].tolist()]
            assert [row.get(column) for row in found] == kept
    assert [row["id"] for row in found] == expected["id"].tolist()
    if cell.task == "qa":
        assert expected["window"].max() > 0, "some answers come from a later window"


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.method == "lora"], ids=str)
def test_merging_lora_and_answering_few_rows_at_once_alter_no_answer_here(study, tmp_path, cell):
    expected = predictions(study, cell)["prediction"].tolist()
    output = str(tmp_path / "answers.jsonl")
    source = ["--input", f"results/tiny/data/{cell.task}/test.parquet"]
    for more in ([], ["--at-once", "3"]):
        assert predict(*cell_options(cell), *source, "--output", output, *more) == 0
        assert [row["prediction"] for row in answers(output)] == expected


CONVERTED = ["--engine", "ctranslate2"]


@needs_ctranslate2
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.method in ("full", "lora")], ids=str)
def test_ctranslate2_gives_the_predictions_of_the_evaluation(study, tmp_path, monkeypatch, cell):
    """Windows, cuts, beams and label words too; a file is computed as is fastest for many rows."""
    from tunegrid.models.converted import Converted

    many = []
    monkeypatch.setattr(Converted, "answer_many", lambda self, asked: many.append(asked))
    expected = predictions(study, cell)
    source, output = f"results/tiny/data/{cell.task}/test.parquet", str(tmp_path / "answers.jsonl")
    assert predict(*cell_options(cell), "--input", source, "--output", output, *CONVERTED) == 0
    assert many == [True]
    found = answers(output)
    assert [row["prediction"] for row in found] == expected["prediction"].tolist()
    if "window" in expected:
        assert [row["window"] for row in found] == expected["window"].tolist()
    for column in set(expected) & {"score_negative", "score_positive"}:
        # Of scores of some tens, single precision holds the sum of their tokens to a few millionths.
        assert [row[column] for row in found] == pytest.approx(expected[column].tolist(), abs=1e-4, rel=1e-5)


@needs_ctranslate2
def test_what_ctranslate2_cannot_compute_is_refused(study, capsys):
    source = ["--input", "rows/qa-test.jsonl"]
    for cell, options, says in (
        (Cell("qa", "bart", "adapters"), CONVERTED, "what Adapters adds cannot be merged into the weights"),
        (Cell("qa", "flan-t5", "lora"), [*CONVERTED, "--unmerged"], "leave out --unmerged"),
        (Cell("qa", "t5", "full"), ["--compute-type", "int8"], "add --engine ctranslate2"),
        (Cell("qa", "t5", "full"), [*CONVERTED, "--compute-type", "float16"], "cannot compute in float16 here"),
    ):
        assert predict(*cell_options(cell), *source, *options) == 1
        assert says in capsys.readouterr().err


def test_without_ctranslate2_there_is_a_sentence(study, capsys, monkeypatch):
    from tunegrid.study import engine

    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    assert predict(*cell_options(CELLS[0]), "--input", "rows/qa-test.jsonl", *CONVERTED) == 1
    assert "CTranslate2 is not installed. Type: make setup EXTRAS=serve" in capsys.readouterr().err
    assert main(["export", *CONFIG, "exported", *cell_options(CELLS[0]), "--as", "ctranslate2"]) == 1
    assert "CTranslate2 is not installed. Type: make setup EXTRAS=serve" in capsys.readouterr().err


def test_merged_means_without_the_method_s_modules(study):
    from peft import PeftModel

    from tunegrid.deploy.predict import load_model

    winner = choose(study, "qa", "flan-t5", "lora")
    assert isinstance(load_model(study, winner, merged=False), PeftModel)
    merged = load_model(study, winner)
    assert not [name for name, _ in merged.named_modules() if "lora" in name]


def test_csv_and_plain_text_give_the_same_answers_and_standard_output_only_them(study, tmp_path, capsys):
    rows = [json.loads(line) for line in Path("rows/qa-test.jsonl").read_text().splitlines()]
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["context", "question"])
        writer.writeheader()
        writer.writerows({key: row[key] for key in ("context", "question")} for row in rows)
    (tmp_path / "rows.txt").write_text("".join(f"{row['question']}\t{row['context']}\n\n" for row in rows))
    cell = CELLS[0]
    for name in ("rows.csv", "rows.txt"):
        assert predict(*cell_options(cell), "--input", str(tmp_path / name)) == 0
        said = capsys.readouterr()
        assert said.out.splitlines() == predictions(study, cell)["prediction"].tolist()
        assert "qa: t5 with full, seed 1" in said.err


def test_what_is_gone_or_has_changed_is_said(own, capsys):
    options = [*cell_options(CELLS[0]), "--input", "rows/qa-test.jsonl"]

    def refused(says: str) -> None:
        assert predict(*options) == 1
        assert says in capsys.readouterr().err

    changes = Path("changes.yaml").read_text()
    Path("changes.yaml").write_text(changes.replace("window_overlap: 4", "window_overlap: 5"))
    refused("was trained with other settings than the study has now (window_overlap: 4 then, 5 now)")
    Path("changes.yaml").write_text(changes)

    card = own.paths.model_card("t5")
    text = card.read_text()
    card.write_text(json.dumps(json.loads(text) | {"fingerprint": "another"}))
    refused("is another model (fingerprint another)")
    card.write_text(text)

    weights = own.paths.run(Run(Cell("qa", "t5", "full"), 1)) / "weights"
    shutil.move(weights, "weights")
    refused("`tunegrid clean --weights` removes them. Train it again: snakemake … --forcerun train_qa_t5_full")
    shutil.move("weights", weights)

    shutil.rmtree(own.paths.model("t5"))
    refused("the base model, which has the tokenizer too, is not there; `tunegrid clean` removes it")


@pytest.mark.parametrize("cell", [Cell("qa", "t5", "full"), Cell("sentiment", "bart", "full")], ids=str)
def test_weights_that_give_no_finite_logits_end_with_a_message(own, capsys, cell):
    from safetensors.torch import load_file, save_file

    (file,) = own.paths.run(Run(cell, 1)).glob("weights/*.safetensors")
    tensors = {name: tensor * float("nan") for name, tensor in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    seal_run(own, Run(cell, 1))
    assert predict(*cell_options(cell), "--input", f"rows/{cell.task}-test.jsonl") == 1
    assert "the model's logits are not finite" in capsys.readouterr().err


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)


def _weights(study: Study, cell: Cell) -> Path:
    return study.paths.run(Run(cell, 1)) / "weights" / ("biases" if cell.method == "bitfit" else "adapter_model")


def _exchange_weights(study: Study, cell: Cell) -> None:
    """Puts the weights of another task's run, of the same model and method, in the place of a run's."""
    mine, other = (
        _weights(study, each).with_suffix(".safetensors") for each in (cell, Cell("sentiment", cell.model, cell.method))
    )
    shutil.copy(other, mine)


DAMAGES = {
    "a byte of the weights": (
        Cell("sentiment", "t5", "lora"), lambda study, cell: _flip(_weights(study, cell).with_suffix(".safetensors"))
    ),
    "a setting of the adapter": (
        Cell("sentiment", "t5", "lora"), lambda study, cell: _flip(_weights(study, cell).with_name("adapter_config.json"))
    ),
    "a byte of the base": (
        Cell("translation", "bart", "lora"), lambda study, _: _flip(study.paths.model("bart") / "model.safetensors")
    ),
    "another tokenizer": (
        Cell("qa", "bart", "adapters"),
        lambda study, _: shutil.copy(study.paths.model("t5") / "tokenizer.json", study.paths.model("bart")),
    ),
    "weights of another run": (Cell("qa", "bart", "bitfit"), _exchange_weights),
}  # fmt: skip


@pytest.mark.parametrize(("cell", "damage"), DAMAGES.values(), ids=DAMAGES.keys())
def test_what_was_damaged_or_exchanged_answers_nothing(own, capsys, tmp_path, cell, damage):
    """Neither predicted, exported nor evaluated: each would go on with wrong numbers, without a word."""
    from tunegrid.stages.evaluate import evaluate_run

    damage(own, cell)
    commands = [
        ["predict", *CONFIG, *cell_options(cell), "--input", f"rows/{cell.task}-test.jsonl"],
        ["export", *CONFIG, str(tmp_path / "out"), *cell_options(cell)],
    ]
    for command in commands:
        assert main(command) == 1, command
        printed = capsys.readouterr()
        assert "is damaged, or another file than the one that was saved" in printed.err
        assert not printed.out
    with pytest.raises(TuneGridError, match="is damaged, or another file"):
        evaluate_run(own, Run(cell, 1), own.paths.run(Run(cell, 1)))
    assert not (tmp_path / "out").exists()


def test_input_that_the_vocabulary_cannot_read_is_warned_of_once(study, tmp_path, capsys):
    file = tmp_path / "rows.txt"
    file.write_text("a good film\nein ☃ film\n☃ ☂\n", encoding="utf-8")
    cell = Cell("sentiment", "t5", "lora")
    assert predict(*cell_options(cell), "--input", str(file), "--at-once", "1") == 0
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == 3
    (line,) = [line for line in output.err.splitlines() if "vocabulary" in line]
    assert line == (
        "tunegrid: 2 of 3 rows hold characters that the model's vocabulary does not have (☃, ☂): it answers as if they "
        "were not there."
    )
    assert predict(*cell_options(Cell("sentiment", "bart", "full")), "--input", str(file)) == 0
    assert "vocabulary" not in capsys.readouterr().err, "bytes have every character"
