"""Recommendations of the rule for the numbers that the paper printed."""

from __future__ import annotations

from tunegrid.results.expected import printed_metrics
from tunegrid.results.paper.numbers import published_rows
from tunegrid.results.statistics.recommend import Candidate, Recommendation, from_printed
from tunegrid.tasks import Metric


def published_recommendations() -> dict[str, Recommendation]:
    """Recommendations of the rule for the paper's numbers, in the order of its Table 6.4."""
    sizes = {(row["model"], row["method"]): row for row in published_rows("parameters")}
    recommendations = {}
    for kind in ("qa", "translation", "sentiment"):
        metric = printed_metrics(kind)[0]
        candidates = [
            Candidate(
                model=row["model"],
                method=row["method"],
                score=published_score(row, metric),
                printed=metric.text(published_score(row, metric)),
                trainable=int(sizes[row["model"], row["method"]]["trainable"]),
                total=int(sizes[row["model"], row["method"]]["total"]),
            )
            for row in published_rows(kind)
        ]
        recommendations[kind] = from_printed(candidates, metric.label)
    return recommendations


def published_score(row: dict[str, str], metric: Metric) -> float:
    """A published score from 0 to 1, as a float that prints the same."""
    return float(row[f"{metric.name}_percent"]) / 100 if metric.percent else float(row[metric.name])
