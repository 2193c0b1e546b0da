"""The text of a status fits on a screen."""

import json

from tunegrid.results.records import read_any_record
from tunegrid.study.cells import Run
from tunegrid.study.status import format_status, read_status


def test_it_fits_on_a_screen_whatever_the_study(tiny_study):
    methods = "\n".join(f"  lora-{r}: {{kind: lora, r: {r}, alpha: 8}}" for r in range(1, 31))
    names = ", ".join(f"lora-{r}" for r in range(1, 31))
    study = tiny_study(f"grid: {{tasks: [qa, sentiment], models: [t5], methods: [{names}]}}\nmethods:\n{methods}")
    for seed in study.seeds:
        for cell in study.cells():
            folder = study.paths.run(Run(cell, seed))
            folder.mkdir(parents=True)
            (folder / "train.json").write_text(json.dumps({"status": "failed", "reason": "a reason\n" * 40}))
    lines = format_status(read_status(study, ["tiny.yaml", "changes.yaml"], read_any_record)).splitlines()
    assert len(lines) < 50
    assert max(map(len, lines)) <= 110
    assert "Failed: 120" in lines
    assert "  and 112 more" in lines
