"""What models may have seen of the test rows: in the task's training rows, and before this study.

| table | one row per |
| --- | --- |
| contamination | task: test rows whose text occurs in its training rows (`data.overlap`) |
| pretraining | task and model: what is published about the model's training on this data set |
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tunegrid.common.package_data import pretraining_file
from tunegrid.data.overlap import NGRAM
from tunegrid.results.examples.read import read_overlap
from tunegrid.results.expected import Expected, ExpectedTask, Named, Row

COLUMNS = {
    "contamination": "study task ngram test_rows same too_short overlapping mostly_overlapping ngrams ngrams_seen",
    "pretraining": "study task model relation text remark reference",
}
MOSTLY = 0.5  # share of a row's n-grams


def contamination_rows(folder: Path, expected: Expected) -> list[Row]:
    """The counts of each task whose overlap.parquet is there; the columns are explained in docs/metrics.md."""
    rows = []
    for task in expected.tasks:
        table = read_overlap(folder, task.name)
        if table is not None:
            ngrams, seen = table["ngrams"], table["seen"]
            counts = {
                "test_rows": len(ngrams),
                "same": table["same"].sum(),
                "too_short": (ngrams == 0).sum(),
                "overlapping": (seen > 0).sum(),
                "mostly_overlapping": ((ngrams > 0) & (seen >= MOSTLY * ngrams)).sum(),
                "ngrams": ngrams.sum(),
                "ngrams_seen": seen.sum(),
            }
            rows.append({"task": task.name, "ngram": NGRAM} | {name: int(count) for name, count in counts.items()})
    return rows


def pretraining_rows(expected: Expected) -> list[Row]:
    """What is published about each model of the study and the data of each of its tasks."""
    return [
        {"task": task.name, "model": model.name} | _relation(task, model)
        for task in expected.tasks
        for model in expected.models
    ]


def _relation(task: ExpectedTask, model: Named) -> Row:
    known = next((entry for entry in _published().values() if model.hub_id in entry["models"]), None)
    if known is None:
        return {"relation": "not known"}
    facts = {"text": known["text"], "reference": known["source"]}
    if task.hub_id is None:
        return {"relation": "not known"} | facts
    for relation, key in (("trained on it", "tasks"), ("read its texts", "texts")):
        if task.hub_id in known.get(key, {}):
            return {"relation": relation, "remark": known[key][task.hub_id]} | facts
    return {"relation": "not named"} | facts


@cache
def _published() -> dict[str, Any]:
    return yaml.safe_load(pretraining_file().read_text(encoding="utf-8"))
