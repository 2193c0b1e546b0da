"""Fixtures that make the study of `winners`, trained once, the current folder."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.made_once import made_once, unchanged
from tests.support.winners import CONFIG, train_all
from tunegrid.study.load import load_study
from tunegrid.study.study import Study


@pytest.fixture(scope="session")
def trained(_prepared, tmp_path_factory) -> Path:
    """The folder of the study."""

    def make(folder: Path) -> None:
        before = Path.cwd()
        os.chdir(folder)
        try:
            train_all(_prepared, folder)
        finally:
            os.chdir(before)

    return made_once(tmp_path_factory, "trained", make)


@pytest.fixture
def study(trained, monkeypatch) -> Iterator[Study]:
    """The trained study itself, which a test must not change: other tests read it, also while this one runs."""
    monkeypatch.chdir(trained)
    monkeypatch.setattr(os, "environ", os.environ.copy())  # commands set the environment of their own process
    with unchanged(trained):
        yield load_study(*CONFIG)


@pytest.fixture
def own(trained, tmp_path, monkeypatch) -> Study:
    """A copy of the trained study, which a test may change."""
    shutil.copytree(trained, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return load_study(*CONFIG)
