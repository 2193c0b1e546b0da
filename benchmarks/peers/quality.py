"""Whether both sides reach the same score: the mini study's models and rows, the same number of steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from peers import measure
from peers.work import Work


def quality(one: Work, method: str, beside: bool) -> Iterator[dict[str, Any]]:
    """Trains and predicts; `beside`: the script too, whose predictions the package scores, and whose training is timed.

    The script answers with free text where TuneGrid chooses a label: what is no label counts as wrong.
    """
    primary = one.loaded.task(one.task, one.model).primary
    about = {"size": "mini", "task": one.task, "model": one.model, "method": method}
    about["precision"] = one.loaded.hardware.precision
    trained = measure.train(one, method)
    predicted = measure.evaluate(one, method)
    record = json.loads((one.results / "runs" / one.task / one.model / method / "seed-1" / "metrics.json").read_text())
    yield {
        **about, "side": "tunegrid", "metric": primary, "score": record["metrics"][primary]["value"],
        "train_seconds": trained.seconds, "predict_seconds": predicted.seconds,
    }  # fmt: skip
    if not beside:
        return
    about["part"] = "training"
    yield {**about, "side": "tunegrid", "repeat": 0, **asdict(trained)}
    folder = one.folder / f"quality-{method}"
    report, wall = measure.script(one, method, train=True, predict=True, defaults=False, folder=folder)
    script = measure.Measured(report["train_seconds"], wall, report["train_peak_bytes"], trained.tokens, trained.rows)
    yield {**about, "side": "script, our batches", "repeat": 0, **asdict(script)}
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["prediction"] for line in lines]
    yield {
        **about, "part": "quality", "side": "script, our batches", "metric": primary, "score": score(one, texts),
        "train_seconds": report["train_seconds"], "predict_seconds": report["predict_seconds"],
    }  # fmt: skip


def score(one: Work, texts: list[str]) -> float:
    """The primary metric of free texts."""
    task = one.loaded.task(one.task, one.model)
    if (labels := task.labels()) is not None:
        known = {task.word(label): label for label in labels}
        texts = [known.get(text, text) for text in texts]
    return task.score(texts, one.rows("test")).metrics[task.primary]
