"""Rows of the table of compressed forms: what each costs in score, and what it saves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

import numpy as np

from tunegrid.results.read import Result
from tunegrid.results.records import FormFacts, MetricsRecord, Speed
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.tables.scores import Row, TaskScores, cell_status

COLUMNS = (
    "study task model method form metric seeds_ok score plain_score difference difference_low difference_high examples "
    "changed saved_bytes plain_bytes zeros parameters encoder_layers decoder_layers tuning_steps tuning_seconds "
    "prediction_peak_memory_bytes plain_peak_memory_bytes latency_seconds "
    "plain_latency_seconds batch_examples_per_second plain_batch_examples_per_second saves status reason"
)
RESAMPLES = 2_000

T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """A run with its weights as they were trained, and in another form."""

    plain: Result
    formed: Result


def form_rows(
    scores: TaskScores, pairs: Sequence[tuple[Result, dict[str, Result]]], resamples: int | None
) -> list[Row]:
    """A row for each cell and form of a task: means over the seeds of which both results are there.

    Args:
        pairs: the runs of the task, each with its results in other forms, by the form's name.
        resamples: of the bootstrap; None: RESAMPLES.
    """
    groups: dict[tuple, list[Pair]] = {}
    for plain, forms in pairs:
        for form, formed in forms.items():
            groups.setdefault((plain.key, form), []).append(Pair(plain, formed))
    rows = []
    for (key, form), of_seeds in groups.items():
        row: Row = {"task": key.task, "model": key.model, "method": key.method, "form": form}
        whole = [pair for pair in of_seeds if pair.plain.status == pair.formed.status == "ok"]
        row |= {"metric": scores.task.primary.name, "seeds_ok": len(whole), "status": "ok"}
        if not whole:
            row |= {"status": of_seeds[0].formed.status, "reason": of_seeds[0].formed.reason}
        else:
            row["reason"] = cell_status([pair.formed for pair in of_seeds])[1]
            row |= _scores(scores, whole, min(resamples or RESAMPLES, RESAMPLES)) | _costs(whole)
        rows.append(row)
    return rows


def _scores(scores: TaskScores, pairs: list[Pair], resamples: int) -> Row:
    """The difference in the primary metric, paired by example and seed; the seeds are taken as they are."""
    metric = scores.task.primary
    sides = [
        ExampleStatistics(
            np.stack([result.statistics(metric.name) for result in results]), metric.aggregate, seeded=False
        )
        for results in ([pair.formed for pair in pairs], [pair.plain for pair in pairs])
    ]
    resampled = resample_scores(sides, scores.units, resamples)
    low, high = resampled.difference_interval(0, 1)
    changed = [
        int((pair.formed.predictions["prediction"] != pair.plain.predictions["prediction"]).sum()) for pair in pairs
    ]
    return {
        "score": float(resampled.point[0]),
        "plain_score": float(resampled.point[1]),
        "difference": float(resampled.point[0] - resampled.point[1]),
        "difference_low": low,
        "difference_high": high,
        "examples": resampled.examples * len(pairs),
        "changed": sum(changed),
    }


def _costs(pairs: list[Pair]) -> Row:
    formed, plain = ([getattr(pair, side).metrics for pair in pairs] for side in ("formed", "plain"))
    facts = [record.form for record in formed]
    row: Row = {
        "saved_bytes": fmean(fact.saved_bytes for fact in facts),
        "plain_bytes": fmean(fact.plain_bytes for fact in facts),
        "zeros": _mean(facts, lambda fact: fact.zeros),
        "parameters": facts[0].parameters,
        "encoder_layers": facts[0].encoder_layers and len(facts[0].encoder_layers),
        "decoder_layers": facts[0].decoder_layers and len(facts[0].decoder_layers),
        "tuning_steps": _mean(facts, lambda fact: fact.tuning_steps),
        "tuning_seconds": _mean(facts, _tuning_seconds),
        "saves": facts[0].saves,
    }
    for prefix, records in (("prediction_", formed), ("plain_", plain)):
        row[f"{prefix}peak_memory_bytes"] = _mean(records, lambda record: record.cost.peak_memory_bytes)
    for prefix, records in (("", formed), ("plain_", plain)):
        for name in ("latency_seconds", "batch_examples_per_second"):
            row[f"{prefix}{name}"] = _mean(records, lambda record, name=name: getattr(_speed(record), name, None))
    return row


def _tuning_seconds(fact: FormFacts) -> float | None:
    """The tuning of a form's weights, its teacher's answers included."""
    return None if fact.recovery_seconds is None else fact.recovery_seconds + (fact.answering_seconds or 0.0)


def _speed(record: MetricsRecord) -> Speed | None:
    """The speed of the merged model where it was measured, else as it predicted."""
    inference = record.cost.inference
    return inference and (inference.merged or inference.unmerged)


def _mean(records: Sequence[T], value: Callable[[T], float | None]) -> float | None:
    values = [value(record) for record in records]
    return None if None in values else fmean(values)
