"""The row of a task's recommendation: its candidates with their costs, and what the rule says of them."""

from collections.abc import Callable, Iterable

import numpy as np

from tunegrid.results.expected import Row, title
from tunegrid.results.read import Result, ResultKey
from tunegrid.results.statistics import recommend
from tunegrid.results.tables.frames import with_interval
from tunegrid.results.tables.scores import TaskScores, cell_key, cell_status
from tunegrid.study.limits import PLAIN, Measured

COLUMNS = (
    "study task model method form metric score stability tied rationale left_out about best_model best_method "
    "best_form loss loss_low loss_high margin collapsed"
)
RUNS_ONLY = "By one run of each cell, which tells of these runs and not of methods: "


def recommendation_row(scores: TaskScores) -> Row:
    """The recommendation among the candidates whose size is known and that keep within the study's limits."""
    metric, settings = scores.task.primary, scores.expected.recommend
    sized, left_out = _sized(scores)
    keys = [candidate for key in sized for candidate in _candidates(scores, key, settings.forms)]
    costs = {key: _measured(scores, key) for key in keys}
    against = {key: settings.reason_against(cost) for key, cost in costs.items()}
    left_out += [f"{_title(scores, key)} ({reason})" for key, reason in against.items() if reason]
    keys = [key for key in keys if not against[key]]
    candidates = [_candidate(scores, key, costs[key]) for key in keys]
    if candidates:
        rows, resampled = scores.resampled[metric.name]
        recommended = recommend.from_tests(
            candidates,
            resampled.rows([rows.index(key) for key in keys]),
            metric.label,
            left_out,
            percent=metric.percent,
            margin=settings.margin,
            seeds_known=any(len(scores.ok[key]) > 1 for key in scores.cells),
        )
    else:
        recommended = recommend.from_printed([], metric.label, left_out)
    row: Row = {
        "task": scores.task.name,
        "metric": metric.name,
        "stability": recommended.stability,
        "tied": "; ".join(candidate.title for candidate in recommended.tied),
        "rationale": ("" if scores.about == "methods" else RUNS_ONLY) + recommended.rationale,
        "about": scores.about,
        "left_out": "; ".join(recommended.notes),
    }
    if recommended.chosen:
        chosen, best = (keys[candidates.index(one)] for one in (recommended.chosen, recommended.tied[0]))
        row |= {"model": chosen.model, "method": chosen.method, "form": chosen.form}
        row |= {"best_model": best.model, "best_method": best.method, "best_form": best.form}
        row |= {"score": recommended.chosen.score, "collapsed": recommended.chosen.collapsed}
        row["margin"] = settings.margin
        if lost := recommended.loss:
            row |= with_interval("loss", lost.value, (lost.low, lost.high))
    return row


def _sized(scores: TaskScores) -> tuple[list[ResultKey], list[str]]:
    """(cells with a result and a known size, what is left out of the recommendation, each with the reason)."""
    left_out = []
    for key, group in scores.groups.items():
        status, reason = cell_status(group)
        if key.kind == "run" and key not in scores.cells:
            left_out.append(f"{_title(scores, key)} ({status}: {reason})")
    for key, group in scores.forms.items():
        if key not in scores.formed and cell_key(key) in scores.cells:
            left_out.append(f"{_title(scores, key)} ({_why_not_formed(group)})")
    sized = [key for key in scores.cells if any(r.training and r.training.parameters for r in scores.ok[key])]
    left_out += [f"{_title(scores, key)} (no train.json)" for key in scores.cells if key not in sized]
    if PLAIN not in scores.expected.recommend.forms:
        merging = {cell_key(key) for key in scores.forms}
        why = "its weights do not merge, so they have no other form"
        left_out += [f"{_title(scores, key)} ({why})" for key in sized if key not in merging]
    return sized, left_out


def _candidates(scores: TaskScores, cell: ResultKey, forms: Iterable[str]) -> list[ResultKey]:
    """The candidates that a cell gives, in the order of the study's forms."""
    keys = [cell if form == PLAIN else cell._replace(form=form) for form in forms]
    return [key for key in keys if key == cell or key in scores.formed]


def _measured(scores: TaskScores, key: ResultKey) -> Measured:
    """The cost of a candidate: of a form, training is its cell's, and all else its own."""
    ok = scores.ok[key]
    trained = [r.training.cost for r in scores.ok[cell_key(key)] if r.training and r.training.cost]
    scored = [r.metrics.cost for r in ok if r.metrics and r.metrics.cost]
    speeds = [cost.inference.deployed for cost in scored if cost.inference]
    saved = [r.metrics.form.saved_bytes for r in ok] if key.form else [cost.saved_bytes for cost in trained]
    return Measured(
        train_seconds=_over(np.mean, (cost.optimisation_seconds for cost in trained)),
        train_memory_bytes=_over(max, (cost.peak_memory_bytes for cost in trained)),
        train_flops=_over(np.mean, (cost.training_flops for cost in trained)),
        prediction_memory_bytes=_over(max, (cost.peak_memory_bytes for cost in scored)),
        latency_seconds=_over(np.mean, (speed.latency_seconds for speed in speeds if speed)),
        saved_bytes=_over(max, saved),
        prediction_seconds=_over(np.mean, (cost.prediction_seconds for cost in scored)),
    )


def _over(seeds: Callable[[list[float]], float], values: Iterable[float | None]) -> float | None:
    """The values of the seeds as one number, their mean or their maximum; None where none is known."""
    known = [value for value in values if value is not None]
    return float(seeds(known)) if known else None


def _candidate(scores: TaskScores, key: ResultKey, measured: Measured) -> recommend.Candidate:
    records = [r.training for r in scores.ok[cell_key(key)] if r.training and r.training.parameters]
    metric, collapses = scores.task.primary, scores.collapses[key]
    row = scores.cell_row(key, metric.name)
    return recommend.Candidate(
        model=title(scores.expected.models, key.model),
        method=title(scores.expected.methods, key.method),
        score=row["mean"],
        printed=metric.short(row["mean"]),
        trainable=max(record.parameters.trainable for record in records),
        total=max(record.parameters.total for record in records),
        measured=measured,
        baseline=_side(row["difference_low"], row["difference_high"]) if "difference_low" in row else None,
        incomplete=row["reason"],
        collapsed=collapses.count,
        collapse=collapses.in_words(metric.short(collapses.median)) if collapses.count else "",
        cost_name=scores.expected.recommend.cost,
        form=key.form,
        form_bytes=max(r.metrics.form.saved_bytes for r in scores.ok[key]) if key.form else None,
    )


def _title(scores: TaskScores, key: ResultKey) -> str:
    expected = scores.expected
    return recommend.named(title(expected.models, key.model), title(expected.methods, key.method), key.form)


def _why_not_formed(group: list[Result]) -> str:
    status, reason = cell_status(group)
    return f"not of each seed of its cell: {reason}" if status == "ok" else f"{status}: {reason}"


def _side(low: float, high: float) -> str:
    """Position of an interval of differences: above 0, below 0, or level with it."""
    return "above" if low > 0 else "below" if high < 0 else "level"
