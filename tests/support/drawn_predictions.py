"""Predictions of each kind of task and their metrics, drawn at random for a given skill."""

from typing import Any

import numpy as np

from tunegrid.tasks.metrics.bleu import Bleu
from tunegrid.tasks.metrics.chrf import ChrF


def _frame(right: np.ndarray, **columns: Any) -> Any:
    import pandas as pd

    rows = len(right)
    labels = np.where(np.arange(rows) % 2 == 0, "positive", "negative")
    other = np.where(labels == "positive", "negative", "positive")
    return pd.DataFrame(
        {
            "id": [f"{i}" for i in range(rows)],
            "prediction": np.where(right, labels, other),
            "references": [[label] for label in labels],
            **columns,
        }
    )


def _answers(skill: float, generator: np.random.Generator, examples: int) -> tuple[Any, dict[str, float]]:
    exact = (generator.random(examples) < skill).astype(float)
    f1 = np.maximum(exact, generator.random(examples) * 0.5)
    return _frame(exact > 0, exact_match=exact, f1=f1), {"exact_match": exact.mean(), "f1": f1.mean()}


def _translations(skill: float, generator: np.random.Generator, examples: int) -> tuple[Any, dict[str, float]]:
    length = generator.integers(6, 14, examples)
    total = np.stack([length - order for order in range(4)], axis=1)
    correct = generator.binomial(total, np.array([max(skill, 0.01) ** (order + 1) for order in range(4)]))
    statistics = np.concatenate([np.stack([length, length], axis=1), correct, total], axis=1)
    cosine = np.clip(generator.normal(skill, 0.1, examples), 0, 1)
    frame = _frame(cosine > 0.5, bleu_statistics=statistics.tolist(), cosine_similarity=cosine, chrf=cosine)
    metrics = {
        "bleu": float(Bleu().aggregate(statistics.sum(axis=0))),
        "chrf": ChrF().score(frame),
        "cosine_similarity": cosine.mean(),
    }
    return frame, metrics


def _labels(skill: float, generator: np.random.Generator, examples: int) -> tuple[Any, dict[str, float]]:
    from sklearn.metrics import precision_recall_fscore_support

    correct = generator.random(examples) < skill
    frame = _frame(correct, correct=correct.astype(int))
    sure = np.where(frame["prediction"] == "positive", 0.9, 0.2)
    frame = frame.assign(score_negative=np.log(1 - sure), score_positive=np.log(sure))
    gold = [references[0] for references in frame["references"]]
    precision, recall, f1, _ = precision_recall_fscore_support(
        gold, frame["prediction"], pos_label="positive", average="binary", zero_division=0
    )
    metrics = {"accuracy": correct.mean(), "precision": precision, "recall": recall, "f1": f1}
    return frame, {name: float(value) for name, value in metrics.items()}


PREDICT = {"qa": _answers, "translation": _translations, "sentiment": _labels}
