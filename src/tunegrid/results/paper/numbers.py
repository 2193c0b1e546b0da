"""The numbers that the paper printed in its Tables 6.1 to 6.4, and what the rule recommends by them."""

from __future__ import annotations

import csv

from tunegrid.common.errors import TuneGridError
from tunegrid.common.package_data import published_folder
from tunegrid.results.expected import printed_metrics
from tunegrid.results.statistics.recommend import Candidate, Recommendation, from_printed
from tunegrid.tasks import Metric

TASKS: dict[str, str] = {  # in the order of the paper's tables
    "translation": "Translation",
    "qa": "Question Answering",
    "sentiment": "Sentiment Classification",
}
NUMBERS: dict[str, str] = {"translation": "6.1", "qa": "6.2", "sentiment": "6.3"}


def published_rows(name: str) -> list[dict[str, str]]:
    """Reads the rows of resources/published/<name>.csv. Raises TuneGridError if it cannot be read."""
    path = published_folder() / f"{name}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise TuneGridError(f"{path}: cannot be read ({error.strerror}).") from error


def published_text(row: dict[str, str], metric: Metric) -> str:
    """A published score as it is printed, without a percent sign."""
    return row[f"{metric.name}_percent" if metric.percent else metric.name]


def published_score(row: dict[str, str], metric: Metric) -> float:
    """A published score from 0 to 1, as a float that prints the same."""
    return float(published_text(row, metric)) / (100 if metric.percent else 1)


def published_recommendations() -> dict[str, Recommendation]:
    """Recommendations of the rule for the paper's numbers, in the order of its Table 6.4."""
    sizes = {(row["model"], row["method"]): row for row in published_rows("parameters")}
    recommendations = {}
    for kind in ("qa", "translation", "sentiment"):
        metric, candidates = printed_metrics(kind)[0], []
        for row in published_rows(kind):
            model, method, score = row["model"], row["method"], published_score(row, metric)
            trainable, total = (int(sizes[model, method][name]) for name in ("trainable", "total"))
            candidates.append(Candidate(model, method, score, metric.text(score), trainable, total))
        recommendations[kind] = from_printed(candidates, metric.label)
    return recommendations
