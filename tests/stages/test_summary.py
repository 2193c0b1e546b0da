"""`tunegrid summary`: what limits the scores, and which rows beside the runs have none."""

import json
from pathlib import Path

from tunegrid.stages.evaluate import evaluate_baseline
from tunegrid.stages.summary import summarise


def test_ceilings_below_099_and_failed_baselines_are_lines(tiny_study, monkeypatch):
    from tunegrid.tasks import translation

    study = tiny_study()
    for file in study.paths.root.glob("tokens/*/*/ceiling.json"):
        record = json.loads(file.read_text())
        scores = dict.fromkeys(record["references"], 1.0)
        high = {"references": scores, "written": scores, "within_lengths": scores}
        low = {"written": dict.fromkeys(scores, 0.5), "within_lengths": dict.fromkeys(scores, 0.5), "not_written": 7}
        lost = {"lost_characters": [{"character": "Ö", "rows": 7}]}
        changes = low | lost if file.parts[-3:-1] == ("translation", "t5") else {}
        file.write_text(json.dumps(record | high | changes))
    text, complete = summarise(study)
    (line,) = [line for line in text.splitlines() if "ceiling" in line]
    assert line == (
        "  ceiling: Translation: t5 can score at most BLEU 0.5000: 7 of 13 test references hold what the vocabulary "
        "cannot write (Ö)."
    )
    assert "baseline" not in text

    def fail(*_: object) -> list[str]:
        raise ValueError("no way")

    monkeypatch.setattr(translation, "copy_source", fail)
    evaluate_baseline(study, "translation", "copy", Path(study.paths.baseline("translation", "copy")))
    text, complete = summarise(study)
    assert "  failed: translation, baseline copy: ValueError: no way" in text.splitlines()
    assert not complete, "no run is done"
