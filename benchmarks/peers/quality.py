"""Whether both sides reach the same score: the mini study's models and rows, the same number of steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from peers import measure
from peers.work import Work


def quality(one: Work, method: str, repeats: int) -> Iterator[dict[str, Any]]:
    """Pairs of trainings and predictions, and the scores of both, which are the same in every pair.

    The package scores the script's predictions too. The script answers with free text where TuneGrid chooses a label:
    what is no label counts as wrong.
    """
    about = _about(one, method)
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
    yield _own_score(one, method)
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    value = score(one, [json.loads(line)["prediction"] for line in lines])
    yield {**about, "side": "script, our batches", "metric": _primary(one), "score": value}


def own_quality(one: Work, method: str) -> dict[str, Any]:
    """TuneGrid's score alone."""
    measure.train(one, method)
    measure.evaluate(one, method)
    return _own_score(one, method)


def _own_score(one: Work, method: str) -> dict[str, Any]:
    record = one.results / "runs" / one.task / one.model / method / "seed-1" / "metrics.json"
    value = json.loads(record.read_text())["metrics"][_primary(one)]["value"]
    return {**_about(one, method), "side": "tunegrid", "metric": _primary(one), "score": value}


def _about(one: Work, method: str) -> dict[str, Any]:
    cell = {"size": "mini", "task": one.task, "model": one.model, "method": method}
    return {**cell, "precision": one.loaded.hardware.precision}


def _primary(one: Work) -> str:
    return one.loaded.task(one.task, one.model).primary


def score(one: Work, texts: list[str]) -> float:
    """The primary metric of free texts."""
    task = one.loaded.task(one.task, one.model)
    if (labels := task.labels()) is not None:
        known = {task.word(label): label for label in labels}
        texts = [known.get(text, text) for text in texts]
    return task.score(texts, one.rows("test")).metrics[task.primary]
