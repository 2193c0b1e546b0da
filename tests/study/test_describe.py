"""`tunegrid check` describes a study in words, whatever its methods' settings are made of."""

import pytest

from tests.support import ROOT
from tunegrid.study.describe import describe
from tunegrid.study.load import load_study


@pytest.mark.parametrize("name", ["mini", "techniques", "tasks", "paper", "paper-techniques"])
def test_settings_are_words_and_those_that_are_not_set_are_left_out(name):
    cells = describe(load_study(ROOT / f"config/{name}.yaml")).partition("\ncells\n")[2]
    assert cells
    for sign in ("{", "}", "None", "''", "[", ", ,"):
        assert sign not in cells, sign


def test_settings_within_settings_are_named_once():
    cells = describe(load_study(ROOT / "config/techniques.yaml")).splitlines()
    (dpo,) = [line for line in cells if "translation_bart_dpo" in line]
    assert "update full, " in dpo
    assert "title" not in dpo


def test_a_whole_number_is_written_alike_whether_an_override_set_it_or_not(tmp_path):
    file = tmp_path / "study.yaml"
    override = "  - {where: {task: qa, method: lora}, method: {dropout: 0.1}}"
    text = (ROOT / "config/mini.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("overrides:\n", f"overrides:\n{override}\n", 1), encoding="utf-8")
    lines = [line for line in describe(load_study(file)).splitlines() if "_lora " in line]
    assert len({"dropout 0.1" in line for line in lines}) == 2
    assert all("alpha 32," in line for line in lines)
