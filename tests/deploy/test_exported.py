"""An exported folder answers as the run that it was made of, where nothing of the study's results is."""

import shutil
from pathlib import Path

import pytest

from tests.support.extras import needs_ctranslate2, needs_server
from tests.support.predict_command import cell_options
from tests.support.winners import CONFIG, predictions
from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.data.parquet import read_parquet
from tunegrid.deploy.exported import Exported, engine_of, served
from tunegrid.study.cells import Cell

CELLS = [Cell("qa", "t5", "full"), Cell("translation", "bart", "lora"), Cell("sentiment", "t5", "lora")]


def exported(cell: Cell, folder: Path, *options: str) -> Path:
    assert main(["export", *CONFIG, str(folder), *cell_options(cell), *options]) == 0
    return folder


@pytest.mark.parametrize("form", ["model", pytest.param("ctranslate2", marks=needs_ctranslate2)])
def test_a_folder_answers_as_its_run(own, tmp_path, form):
    folders = {cell: exported(cell, tmp_path / str(cell), "--as", form) for cell in CELLS}
    rows = {cell: read_parquet(own.paths.split(cell.task, "test")) for cell in CELLS}
    expected = {cell: predictions(own, cell)["prediction"].tolist() for cell in CELLS}
    shutil.move("results", tmp_path / "results")
    for cell, folder in folders.items():
        answerer = Exported(own, cell.task, cell.model, folder)
        assert [row["prediction"] for row in answerer.answer(rows[cell])] == expected[cell]
        what = served(own, cell.task, cell.model, answerer)
        assert what.run["engine"].lower() == {"model": "transformers"}.get(form, form)
        assert what.card.startswith("#")


def test_what_is_no_model_in_one_piece_is_refused(study, tmp_path):
    folder = exported(Cell("qa", "bart", "adapters"), tmp_path / "adapters")
    with pytest.raises(TuneGridError, match="holds no model in one piece"):
        engine_of(folder)
    (folder / ".tunegrid.json").unlink()
    with pytest.raises(TuneGridError, match="is no folder of `tunegrid export`"):
        engine_of(folder)


@needs_server
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "--exported goes with --model"),
        (["--model", "t5", "--seed", "1"], "without --method, --seed, --form and --engine"),
        (["--model", "t5"], "is no folder of `tunegrid export`"),
    ],
)
def test_options_that_do_not_fit_a_folder_are_refused(study, tmp_path, capsys, options, says):
    assert main(["serve-model", *CONFIG, "--task", "qa", "--exported", str(tmp_path), *options]) == 1
    assert says in capsys.readouterr().err
