"""A small study of instruction tuning, whose stages ran once: fixtures that make its folder the current one."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.made_once import made_once
from tunegrid.study.cells import Cell, MixtureCell, Run
from tunegrid.study.load import load_study
from tunegrid.study.study import Study

ROOT = Path(__file__).parents[2]
CONFIG = (ROOT / "config" / "mini.yaml", ROOT / "tests" / "support" / "instructed.yaml")
MIXTURE = MixtureCell.of("t5", "instruct")


def cell(task: str) -> Cell:
    return Cell(task, "t5", "instruct")


def run_all() -> Study:
    """Runs every stage of the study in the current folder, but tables and report."""
    from tunegrid.stages.evaluate import evaluate_baseline, evaluate_run, evaluate_untuned
    from tunegrid.stages.evaluate_wordings import evaluate_untuned_wordings, evaluate_wordings
    from tunegrid.stages.fetch_data import fetch_data
    from tunegrid.stages.fetch_model import fetch_model
    from tunegrid.stages.share_training import share_training
    from tunegrid.stages.tokenise import tokenise
    from tunegrid.stages.tokenise_mixture import tokenise_mixture
    from tunegrid.stages.tokenise_wordings import tokenise_wordings
    from tunegrid.stages.train import train

    study = load_study(*CONFIG)
    paths = study.paths
    fetch_model(study, "t5", paths.model("t5"))
    for task in study.grid.tasks:
        fetch_data(task, study.task(task), paths.data(task))
        tokenise(study.task(task, "t5"), "t5", paths.data(task), paths.model("t5"), paths.tokens(task, "t5"))
        evaluate_untuned(study, task, "t5", paths.untuned(task, "t5"))
        for name in study.task(task).baselines():
            evaluate_baseline(study, task, name, paths.baseline(task, name))
    tokenise_mixture(study, MIXTURE, paths.mixture_tokens("t5", "instruct"))
    train(study, Run(MIXTURE, 1), paths.run(Run(MIXTURE, 1)))
    for task in study.grid.tasks:
        tokenise_wordings(study, cell(task), paths.wording_tokens(task, "t5", "instruct"))
        evaluate_untuned_wordings(study, cell(task), paths.untuned_wordings(task, "t5", "instruct"))
        folder = paths.run(Run(cell(task), 1))
        share_training(study, Run(cell(task), 1), folder)
        evaluate_run(study, Run(cell(task), 1), folder)
        evaluate_wordings(study, Run(cell(task), 1), folder)
    return study


@pytest.fixture(scope="session")
def instructed_folder(tmp_path_factory) -> Path:
    def make(folder: Path) -> None:
        before, environment = Path.cwd(), os.environ.copy()
        os.chdir(folder)
        try:
            run_all()
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(environment)

    return made_once(tmp_path_factory, "instructed", make)


@pytest.fixture
def instructed(instructed_folder, monkeypatch) -> Study:
    """The study itself, which a test must not change."""
    monkeypatch.chdir(instructed_folder)
    return load_study(*CONFIG)


@pytest.fixture
def own_instructed(instructed_folder, tmp_path, monkeypatch) -> Study:
    """A copy of the study, which a test may change."""
    shutil.copytree(instructed_folder, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return load_study(*CONFIG)
