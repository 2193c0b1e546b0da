"""Which processes work on a study."""

from pathlib import Path

import pytest

from tunegrid.study.status.alive import command_of


@pytest.mark.parametrize(("line", "command"), [
    ("/venv/bin/python /venv/bin/tunegrid train a.yaml b.yaml --task qa --model t5 --method lora --seed 3 --settings x",
     ("train", "qa", "t5", "lora", "3")),
    ("python -m tunegrid evaluate a.yaml --method untuned --task qa --model t5", ("evaluate", "qa", "t5", "untuned")),
    ("python -m tunegrid baseline a.yaml --task qa --name copy", ("baseline", "qa", "copy")),
    ("tunegrid report a.yaml --no-pdf", ("report",)),
    ("tunegrid status a.yaml", None),
    ("tunegrid train other.yaml --task qa --model t5 --method lora --seed 3", None),
    ("bash -c tunegrid train a.yaml --task qa", None),
    ("vim tunegrid train", None),
    ("tunegrid", None),
])  # fmt: skip
def test_a_command_is_known_by_its_words(line, command):
    assert command_of(line.split(), {Path("a.yaml").resolve(), Path("b.yaml").resolve()}) == command
