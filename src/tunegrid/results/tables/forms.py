"""Rows of the table of compressed forms: what each costs in score, and what it saves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np

from tunegrid.results.expected import Row
from tunegrid.results.read import Result
from tunegrid.results.records.evaluation import FormFacts
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.tables.frames import with_interval
from tunegrid.results.tables.scores import TaskScores, cell_status

COLUMNS = (
    "study task model method form metric seeds_ok score plain_score difference difference_low difference_high examples "
    "changed saved_bytes plain_bytes zeros parameters encoder_layers decoder_layers tuning_steps tuning_seconds "
    "prediction_peak_memory_bytes plain_peak_memory_bytes latency_seconds "
    "plain_latency_seconds batch_examples_per_second plain_batch_examples_per_second saves status reason"
)
RESAMPLES = 2_000


def form_rows(
    scores: TaskScores, pairs: Sequence[tuple[Result, dict[str, Result]]], resamples: int | None
) -> list[Row]:
    """A row for each cell and form of a task: means over the seeds of which both results are there.

    Args:
        pairs: the runs of the task, each with its results in other forms, by the form's name.
        resamples: of the bootstrap; None: RESAMPLES.
    """
    groups: dict[tuple, list[tuple[Result, Result]]] = {}
    for plain, forms in pairs:
        for form, formed in forms.items():
            groups.setdefault((plain.key, form), []).append((plain, formed))
    rows = []
    for (key, form), of_seeds in groups.items():
        whole = [pair for pair in of_seeds if all(result.status == "ok" for result in pair)]
        row: Row = key._asdict() | {"form": form, "metric": scores.task.primary.name, "seeds_ok": len(whole)}
        if whole:
            row |= {"status": "ok", "reason": cell_status([formed for _, formed in of_seeds])[1]}
            row |= _scores(scores, whole, min(resamples or RESAMPLES, RESAMPLES)) | _costs(whole)
        else:
            row |= {"status": of_seeds[0][1].status, "reason": of_seeds[0][1].reason}
        rows.append(row)
    return rows


def _scores(scores: TaskScores, pairs: Sequence[tuple[Result, Result]], resamples: int) -> Row:
    """The difference in the primary metric, paired by example and seed; the seeds are taken as they are."""
    metric, sides = scores.task.primary, []
    for results in reversed(list(zip(*pairs, strict=True))):  # the form first
        blocks = np.stack([result.statistics(metric.name) for result in results])
        sides.append(ExampleStatistics(blocks, metric.aggregate, seeded=False))
    resampled = resample_scores(sides, scores.units, resamples)
    score, plain_score = map(float, resampled.point)
    changed = [(plain.predictions["prediction"] != formed.predictions["prediction"]).sum() for plain, formed in pairs]
    row = {"score": score, "plain_score": plain_score, "examples": resampled.examples * len(pairs)}
    row["changed"] = int(sum(changed))
    return row | with_interval("difference", score - plain_score, resampled.difference_interval(0, 1))


def _costs(pairs: Sequence[tuple[Result, Result]]) -> Row:
    plain, formed = ([result.metrics for result in side] for side in zip(*pairs, strict=True))
    facts = [record.form for record in formed]
    row: Row = {"parameters": facts[0].parameters, "saves": facts[0].saves}
    for name in ("encoder_layers", "decoder_layers"):
        kept = getattr(facts[0], name)
        row[name] = kept and len(kept)
    for name in ("saved_bytes", "plain_bytes", "zeros", "tuning_steps"):
        row[name] = _mean(getattr(fact, name) for fact in facts)
    row["tuning_seconds"] = _mean(map(_tuning_seconds, facts))
    for prefix, records in (("prediction_", formed), ("plain_", plain)):
        row[f"{prefix}peak_memory_bytes"] = _mean(record.cost.peak_memory_bytes for record in records)
    for prefix, records in (("", formed), ("plain_", plain)):
        speeds = [record.cost.inference and record.cost.inference.deployed for record in records]
        for name in ("latency_seconds", "batch_examples_per_second"):
            row[f"{prefix}{name}"] = _mean(getattr(speed, name, None) for speed in speeds)
    return row


def _tuning_seconds(fact: FormFacts) -> float | None:
    """The tuning of a form's weights, its teacher's answers included."""
    return None if fact.recovery_seconds is None else fact.recovery_seconds + (fact.answering_seconds or 0.0)


def _mean(values: Iterable[float | None]) -> float | None:
    values = list(values)
    return None if None in values else fmean(values)
