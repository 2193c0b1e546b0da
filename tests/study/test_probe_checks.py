"""Checks of the bias probes of a study."""

from pathlib import Path

import pytest

from tests.support.small_study import BASE, refusal
from tunegrid.study.stage_settings import evaluation_settings, probes_settings, report_settings, run_settings

OWN = """\
kind: labels
title: Mine
label: positive
sides: [a, b]
pairs: [[Anna, Ben]]
templates: ["{word} came.", "{word} went."]
shows: It.
blind: The rest.
"""


@pytest.mark.parametrize(
    ("probes", "key", "says"),
    [
        ("{task: sentimant, set: sentiment-names}", "probes.own.task", "Did you mean sentiment?"),
        ("{task: sentiment, set: sentiment-name}", "probes.own.set", "Did you mean sentiment-names?"),
        ("{task: sentiment}", "probes.own", "give `set`"),
        ("{task: sentiment, set: sentiment-names, file: own.yaml}", "probes.own", "give `set`"),
        ("{task: qa, set: sentiment-names}", "probes.own.set", "for tasks that choose a label"),
        ("{task: sentiment, set: qa-age}", "probes.own.set", "read a context and a question"),
        ("{task: sentiment, set: translation-gender}", "probes.own.set", "tasks that write a text"),
        ("{task: sentiment, file: nowhere.yaml}", "probes.own.file", "nowhere.yaml: no such file"),
        ("{task: sentiment, file: bad.yaml}", "probes.own.file", "bad.yaml, line 3"),
        ("{task: sentiment, file: other.yaml}", "probes.own.file", "'good' is no label of the task"),
        ("{tsk: sentiment, set: sentiment-names}", "probes.own.tsk", "Did you mean task?"),
    ],
)
def test_a_probe_that_does_not_work_is_refused_when_the_study_is_read(load, probes, key, says):
    Path("bad.yaml").write_text(OWN.replace("label: positive", "lable: positive"))
    Path("other.yaml").write_text(OWN.replace("label: positive", "label: good"))
    message = refusal(load, BASE + f"probes: {{own: {probes}}}\n")
    assert message.startswith(f"first.yaml, line {BASE.count(chr(10)) + 1}: {key}: ")
    assert says in message


def test_another_template_runs_the_probes_again_and_nothing_else(load):
    study = BASE + "probes: {own: {task: sentiment, file: own.yaml}}\n"
    Path("own.yaml").write_text(OWN)
    loaded = load(study)
    before = probes_settings(loaded, "sentiment", "t5"), report_settings(loaded)
    Path("own.yaml").write_text(OWN.replace("Mine", "Yours"))
    assert probes_settings(loaded, "sentiment", "t5") == before[0]  # a title alters what the report says
    assert report_settings(loaded) != before[1]
    Path("own.yaml").write_text(OWN.replace("came", "left"))
    assert probes_settings(loaded, "sentiment", "t5") != before[0]
    assert probes_settings(loaded, "qa", "t5")["probes"] == {}
    plain = load(BASE)
    assert [run_settings(loaded, cell) for cell in loaded.cells()] == [run_settings(plain, c) for c in plain.cells()]
    assert evaluation_settings(loaded, "sentiment") == evaluation_settings(plain, "sentiment")
    assert "probes" not in report_settings(plain)
