"""A compressed form that is recommended answers; another, or the weights as they were trained, where it is asked for."""

import pandas as pd
import pytest

from tests.support.extras import needs_ctranslate2
from tests.support.predict_command import answers, cell_options, predict
from tests.support.winners import CONFIG, predictions, recommend
from tunegrid.cli import main
from tunegrid.stages.compress import evaluate_form
from tunegrid.study.cells import Cell, Run

CELL = Cell("translation", "bart", "lora")
ROWS = ["--input", "results/tiny/data/translation/test.parquet"]


def formed(study, name: str) -> list[str]:
    """The predictions of the evaluation of the cell's run in a form."""
    folder = study.paths.run(Run(CELL, 1, name))
    assert evaluate_form(study, Run(CELL, 1), name, folder).status == "ok"
    return pd.read_parquet(folder / "predictions.parquet")["prediction"].tolist()


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
    assert "the weights as they were trained, not as prune-70" in capsys.readouterr().out


@needs_ctranslate2
def test_int8_answers_as_it_was_evaluated(own, tmp_path):
    assert answered(tmp_path, *cell_options(CELL), "--form", "int8") == formed(own, "int8")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--form", "int9"], "--form: unknown: 'int9'. Available: int8, bf16"),
        (["--form", "prune-30-tuned"], "the weights of prune-30-tuned are tuned for its evaluation, and not kept"),
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
