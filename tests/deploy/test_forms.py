"""A compressed form that is recommended answers; another, or the weights as they were trained, where it is asked for."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.support.extras import needs_ctranslate2
from tests.support.predict_command import answers, cell_options, predict
from tests.support.winners import CONFIG, predictions, recommend
from tunegrid.cli import main
from tunegrid.data.parquet import read_parquet
from tunegrid.deploy.exported import Exported
from tunegrid.stages.compress import evaluate_form
from tunegrid.study.cells import Cell, Run
from tunegrid.study.evaluation_settings import Distillation

CELL = Cell("translation", "bart", "lora")
ROWS = ["--input", "results/tiny/data/translation/test.parquet"]


def formed(study, name: str) -> list[str]:
    """The predictions of the evaluation of the cell's run in a form."""
    folder = study.paths.run(Run(CELL, 1, name))
    assert evaluate_form(study, Run(CELL, 1), name, folder).status == "ok"
    return pd.read_parquet(folder / "predictions.parquet")["prediction"].tolist()


def zeros_of(folder: str) -> float:
    """Share of the weights of the linear layers of an exported model that are 0."""
    from transformers import AutoModelForSeq2SeqLM

    from tunegrid.models.forms.pruned import linear_weights

    weights = linear_weights(AutoModelForSeq2SeqLM.from_pretrained(folder))
    return sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)


def answered(tmp_path, *options: str) -> list[str]:
    output = str(tmp_path / "answers.jsonl")
    assert predict(*ROWS, "--output", output, *options) == 0
    return [row["prediction"] for row in answers(output)]


def test_the_recommended_form_answers_as_it_was_evaluated(own, tmp_path, capsys):
    pruned, plain = formed(own, "prune-70"), predictions(own, CELL)["prediction"].tolist()
    assert pruned != plain
    recommend(own, translation="bart lora prune-70")
    assert answered(tmp_path, "--task", "translation") == pruned
    assert "translation: bart with lora as prune-70, seed 1." in capsys.readouterr().err
    assert answered(tmp_path, "--task", "translation", "--form", "plain") == plain
    assert answered(tmp_path, "--task", "translation", "--engine", "transformers") == plain
    assert answered(tmp_path, *cell_options(CELL)) == plain
    assert answered(tmp_path, *cell_options(CELL), "--form", "prune-70") == pruned
    assert main(["export", *CONFIG, "exported", "--task", "translation"]) == 0
    assert "translation: bart with lora as prune-70, seed 1." in capsys.readouterr().out
    card = (Path("exported") / "README.md").read_text(encoding="utf-8")
    assert "The weights are in the form prune-70" in card
    assert zeros_of("exported") == pytest.approx(0.7, abs=0.01)
    assert main(["export", *CONFIG, "plain", "--task", "translation", "--form", "plain"]) == 0
    assert zeros_of("plain") < 0.01


def test_a_student_answers_and_is_exported_as_it_was_evaluated(own, tmp_path, capsys):
    study = own.model_copy(update={"distillation": Distillation(steps=3, learning_rate=0.01)})
    expected = formed(study, "distil-1")
    plain = predictions(own, CELL)["prediction"].tolist()
    assert expected != plain
    recommend(own, translation="bart lora distil-1")
    assert answered(tmp_path, "--task", "translation") == expected
    assert answered(tmp_path, *cell_options(CELL), "--form", "distil-1") == expected
    assert answered(tmp_path, "--task", "translation", "--form", "plain") == plain
    assert main(["export", *CONFIG, "exported", "--task", "translation"]) == 0
    assert json.loads(Path("exported/config.json").read_text())["decoder_layers"] == 1
    rows = read_parquet(own.paths.split("translation", "test"))
    exported = Exported(own, "translation", "bart", Path("exported"))
    assert [answer["prediction"] for answer in exported.answer(rows)] == expected
    assert main(["export", *CONFIG, "adapter", *cell_options(CELL), "--form", "distil-1", "--as", "adapter"]) == 1
    assert "distil-1 is a whole model" in capsys.readouterr().err


def test_the_weights_of_a_student_are_sealed(own, tmp_path, capsys):
    study = own.model_copy(update={"distillation": Distillation(steps=1, learning_rate=0.01)})
    formed(study, "distil-1")
    weights = own.paths.run(Run(CELL, 1, "distil-1")) / "weights" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert predict(*cell_options(CELL), *ROWS, "--form", "distil-1") == 1
    assert "model.safetensors: is damaged" in capsys.readouterr().err
    weights.unlink()
    assert predict(*cell_options(CELL), *ROWS, "--form", "distil-1") == 1
    assert "model.safetensors: is missing" in capsys.readouterr().err


@needs_ctranslate2
def test_int8_answers_as_it_was_evaluated(own, tmp_path):
    assert answered(tmp_path, *cell_options(CELL), "--form", "int8") == formed(own, "int8")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--form", "int9"], "--form: unknown: 'int9'. Available: int8, bf16"),
        (["--form", "distil-1"], "there are no weights of translation_bart_lora as distil-1. Make them: tunegrid"),
        (["--form", "bf16", "--unmerged"], "leave out --engine, --compute-type and --unmerged"),
        (["--form", "bf16", "--engine", "transformers"], "leave out --engine, --compute-type and --unmerged"),
    ],
)
def test_what_is_no_form_is_refused(study, capsys, options, says):
    assert predict(*cell_options(CELL), *ROWS, *options) == 1
    assert says in capsys.readouterr().err


def test_weights_that_do_not_merge_have_no_form(study, capsys):
    adapters = Cell("qa", "bart", "adapters")
    assert predict(*cell_options(adapters), "--input", "rows/qa-test.jsonl", "--form", "bf16") == 1
    assert "qa_bart_adapters as bf16: what Adapters adds cannot be merged" in capsys.readouterr().err
