"""A study like the paper's, of which nothing is there yet."""

from pathlib import Path

import pytest

from tests.support.planned import PAPER
from tunegrid.study.load import load_study
from tunegrid.study.study import Study


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """Reads a study like the paper's, with changes laid over it; nothing of it is there."""
    monkeypatch.chdir(tmp_path)

    def load(changes: str = "{}") -> Study:
        Path("paper.yaml").write_text(PAPER)
        Path("changes.yaml").write_text(changes)
        return load_study("paper.yaml", "changes.yaml")

    return load
