"""Of tasks with entities: the scores of each type, and the answers that are malformed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np

from tunegrid.results.examples.read import TaskExamples
from tunegrid.results.read import Result, ResultKey
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.tasks.entities import read_mentions
from tunegrid.tasks.metrics.entities import EntityF1

COLUMNS = {
    "entities": "study kind task model method type expected predicted right precision recall f1 ci_low ci_high "
    "seeds_ok",
    "malformed": "study kind task model method seed rows answers parts",
}
RESAMPLES = 1_000  # of each type
FEWEST = 10  # test rows with an entity of a type, below which its F1 has no interval


def entity_tables(
    examples: TaskExamples,
    units: np.ndarray | None,
    resamples: int | None = None,
    collapsed: Collection[ResultKey] = (),
) -> dict[str, list[dict[str, Any]]]:
    """Rows of `entities` and `malformed` of a task; none where it has no entities. Arguments as for `slice_rows`.

    Of a cell the numbers of predicted and right entities are means over its seeds; its F1 is the mean of their F1.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    metric = next((metric for metric in examples.task.all_metrics if isinstance(metric, EntityF1)), None)
    if metric is None:
        return rows
    for result in examples.answered:
        parts = np.asarray(result.predictions["entities_malformed"])
        row = result.names | {"rows": len(parts), "answers": int((parts > 0).sum()), "parts": int(parts.sum())}
        rows["malformed"].append(row)
    counts = {key: np.stack([_counts(result, metric) for result in ok]) for key, ok in examples.groups.items()}
    for number, name in enumerate(metric.types) if counts else ():
        samples = [
            ExampleStatistics(values[:, :, number], metric.aggregate, key.kind == "run", key in collapsed)
            for key, values in counts.items()
        ]
        resampled = resample_scores(samples, units, min(resamples or RESAMPLES, RESAMPLES))
        with_type = (samples[0].values[0][:, 2] > 0).sum()
        for index, (key, sample) in enumerate(zip(counts, samples, strict=True)):
            right, predicted, expected = sample.values.sum(axis=1).mean(axis=0)
            low, high = resampled.interval(index) if with_type >= FEWEST else (None, None)
            row = key._asdict() | {"type": name, "expected": expected, "predicted": predicted, "right": right}
            row |= {"precision": right / predicted if predicted else None}
            row |= {"recall": right / expected if expected else None, "f1": float(resampled.point[index])}
            rows["entities"].append(row | {"ci_low": low, "ci_high": high, "seeds_ok": len(sample.values)})
    return rows


def _counts(result: Result, metric: EntityF1) -> np.ndarray:
    """Right, predicted and expected entities of each type, [rows, types, 3]."""
    types = metric.types
    places = {name: number for number, name in enumerate(types)}
    frame = result.predictions
    counts = np.zeros((len(frame), len(types), 3))
    for row, (answer, references) in enumerate(zip(frame["prediction"], frame["references"], strict=True)):
        texts = (answer, references[0])
        predicted, expected = (Counter(read_mentions(text, types, metric.separator)[0]) for text in texts)
        for column, mentions in enumerate((predicted & expected, predicted, expected)):
            for (_, name), count in mentions.items():
                counts[row, places[name], column] += count
    return counts
