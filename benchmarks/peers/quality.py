"""Whether both sides reach the same score: the mini study's models and rows, the same number of steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from peers import measure
from peers.work import Work


def quality(one: Work, method: str, repeats: int) -> Iterator[dict[str, Any]]:
    """Pairs of trainings and predictions, and the scores of both, which every pair has again.

    The package scores the script's predictions too. The script answers with free text where TuneGrid chooses a label:
    what is no label counts as wrong.
    """
    primary = one.loaded.task(one.task, one.model).primary
    about = {"size": "mini", "task": one.task, "model": one.model, "method": method}
    about["precision"] = one.loaded.hardware.precision
    record = one.results / "runs" / one.task / one.model / method / "seed-1" / "metrics.json"
    folder = one.folder / f"quality-{method}"
    for repeat in range(repeats):
        trained, predicted = measure.train(one, method), measure.evaluate(one, method)
        script_trained, script_predicted = measure.script_both(one, method, trained, folder)
        for side, training, prediction in (
            ("tunegrid", trained, predicted),
            ("script, our batches", script_trained, script_predicted),
        ):
            yield {**about, "part": "training", "side": side, "repeat": repeat, **asdict(training)}
            yield {**about, "part": "evaluation", "side": side, "repeat": repeat, **asdict(prediction)}
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    scores = {
        "tunegrid": json.loads(record.read_text())["metrics"][primary]["value"],
        "script, our batches": score(one, [json.loads(line)["prediction"] for line in lines]),
    }
    for side, value in scores.items():
        yield {**about, "side": side, "metric": primary, "score": value}


def score(one: Work, texts: list[str]) -> float:
    """The primary metric of free texts."""
    task = one.loaded.task(one.task, one.model)
    if (labels := task.labels()) is not None:
        known = {task.word(label): label for label in labels}
        texts = [known.get(text, text) for text in texts]
    return task.score(texts, one.rows("test")).metrics[task.primary]
