"""Data sets of the Hub, or of a folder with the layout of one: writing, opening and reading them."""

from pathlib import Path

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.data.sources.hub import HubSource

SQUAD_SPLITS = {"train": "train", "test": "validation"}
WMT_SPLITS = {"train": "train", "validation": "validation", "test": "test"}


def source(path: str, **keys) -> HubSource:
    return HubSource.model_validate({"kind": "hub", "path": path, **keys})


def rows(source: HubSource, split: str) -> list[dict]:
    return [row.values for row in source.read(split, "any")]


def refused(call, *arguments) -> str:
    with pytest.raises(TuneGridError) as caught:
        call(*arguments)
    return str(caught.value)


def folder(files: dict[str, str | bytes], name: str = "own") -> None:
    for file, content in files.items():
        path = Path(name, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


CARD = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {path}\n{more}---\n"
