"""Fixtures of the tests of studies."""

from pathlib import Path

import pytest

from tunegrid.study.load import load_study
from tunegrid.study.study import Study


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a study from texts, each written to a file of the current folder: first.yaml, second.yaml, …"""
    monkeypatch.chdir(tmp_path)

    def load_texts(*texts: str) -> Study:
        names = ["first.yaml", "second.yaml", "third.yaml"][: len(texts)]
        for name, text in zip(names, texts, strict=True):
            Path(name).write_text(text, encoding="utf-8")
        return load_study(*names)

    return load_texts
