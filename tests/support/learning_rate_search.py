"""The tiny study with a search for learning rates."""

import json

from tunegrid.stages.search import run_trial
from tunegrid.study.cells import Cell

CELL = Cell("qa", "t5", "lora")
SEARCH = "search: {factors: [0.33, 1.0, 3.0]}"


def searched_study(tiny_study, scores: dict[str, float | None], changes: str = "training: {max_steps: 3}"):
    """A study whose trials have been run, and then been given these scores (None: failed)."""
    study = tiny_study(f"search: {{factors: [{', '.join(scores)}]}}\n{changes}")
    for name, score in scores.items():
        run_trial(study, CELL, name)
        file = study.paths.trial(CELL, name)
        status = {"status": "ok", "reason": None} if score is not None else {"status": "failed", "reason": "of itself"}
        file.write_text(json.dumps(json.loads(file.read_text()) | status | {"score": score}))
    return study
