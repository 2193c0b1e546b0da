"""Rows of the tidy tables of costs: costs of each run; fronts of quality and cost and efficiency of each cell."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import stdev
from typing import Any

from tunegrid.common.digits import absent
from tunegrid.results.expected import CellKey, Expected, Row
from tunegrid.results.read import Result
from tunegrid.results.statistics import efficiency, pareto
from tunegrid.study.cells import Cell

SPEEDS = ("latency_seconds", "latency_p90_seconds", "token_seconds", "batch_examples_per_second")
COLUMNS = {
    "costs": "study task model method seed status parameters_total parameters_trainable trainable_share "
    "loading_seconds optimisation_seconds evaluation_seconds saving_seconds steps examples tokens "
    "examples_per_second tokens_per_second peak_memory_bytes saved_bytes training_flops forward_flops flops_formula "
    "prediction_seconds prediction_peak_memory_bytes prediction_load_seconds prediction_examples_per_second "
    "scoring_seconds measuring_seconds generated_tokens latency_examples batch_examples "
    f"inference_flops {' '.join(SPEEDS)} merge merge_seconds merged_inference_flops "
    f"{' '.join(f'merged_{name}' for name in SPEEDS)} merged_compared merged_differences "
    "deployed_inference_flops deployed_latency_seconds search_seconds shared_training shared_by",
    "pareto": "study task cost model method score value value_sd on_front tied_with_cheaper replaceable_by",
    "efficiency": "study task beta model method score rank",
    "efficiency_constants": "study task parameters flops memory_bytes",
}
# What quality is held against, by the column of `costs`.
PARETO_COSTS = (
    "parameters_trainable",
    "optimisation_seconds",
    "training_flops",
    "peak_memory_bytes",
    "prediction_peak_memory_bytes",
    "deployed_latency_seconds",
    "saved_bytes",
)
EFFICIENCY_COSTS = ("parameters_trainable", "deployed_inference_flops", "peak_memory_bytes")  # as `efficiency.Costs`


def cost_row(result: Result) -> Row:
    """Row of costs.csv for a run; `deployed_…` is the cost of the merged model where there is one."""
    row: Row = result.names | {"status": result.status}
    record = result.training
    if record and record.parameters:
        row["parameters_total"], row["parameters_trainable"] = record.parameters.total, record.parameters.trainable
        row["trainable_share"] = record.parameters.trainable / max(1, record.parameters.total)
    if record and record.cost:
        row |= record.cost.model_dump()
    if record and record.shared:
        row |= {"shared_training": record.shared.training, "shared_by": record.shared.cells}
    cost = result.metrics.cost if result.metrics else None
    if cost:
        row["prediction_seconds"], row["prediction_load_seconds"] = cost.prediction_seconds, cost.load_seconds
        row["prediction_examples_per_second"] = cost.examples_per_second
        row["prediction_peak_memory_bytes"], row["scoring_seconds"] = cost.peak_memory_bytes, cost.scoring_seconds
    if cost and cost.inference:
        row |= _inference(cost.inference)
    return row


def _inference(cost: Any) -> Row:
    same = ("measuring_seconds", "generated_tokens", "latency_examples", "batch_examples", "merge", "merge_seconds")
    row: Row = {name: getattr(cost, name) for name in (*same, "merged_compared", "merged_differences")}
    row |= {"inference_flops": cost.flops, "merged_inference_flops": cost.merged_flops}
    for prefix, speed in (("", cost.unmerged), ("merged_", cost.merged)):
        row |= {f"{prefix}{name}": getattr(speed, name) for name in SPEEDS} if speed else {}
    for name in ("inference_flops", "latency_seconds"):
        merged = row.get(f"merged_{name}")
        row[f"deployed_{name}"] = row.get(name) if merged is None else merged
    return row


def add_search(costs: Iterable[Row], trials: Iterable[Row]) -> None:
    """Adds the seconds of a cell's search to the rows of costs; all seeds of a cell share them."""
    seconds: dict[CellKey, float] = {}
    for trial in trials:
        if trial.get("total_seconds") is not None:
            seconds[_key(trial)] = seconds.get(_key(trial), 0.0) + trial["total_seconds"]
    for row in costs:
        row["search_seconds"] = seconds.get(_key(row))


def cell_rows(
    expected: Expected, cells: Sequence[Row], costs: Sequence[Row], pairs: Sequence[Row]
) -> dict[str, list[Row]]:
    """The rows of pareto.csv, efficiency.csv and efficiency_constants.csv, from the rows of the other tables."""
    scores = {_key(row): row["mean"] for row in cells if row["kind"] == "run" and row["primary"]}
    runs = _grouped(costs)
    means = {key: _means(rows) for key, rows in runs.items()}
    apart = {frozenset(_ends(row)) for row in pairs if row["separated"]}
    largest = largest_base(expected, costs)
    rows: dict[str, list[Row]] = {"pareto": [], "efficiency": [], "efficiency_constants": []}
    for task in expected.tasks:
        keys = expected.keys(task)
        for cost in PARETO_COSTS:
            values = {key: means.get(key, {}).get(cost) for key in keys}
            spreads = {key: _spread(runs.get(key, []), cost) for key in keys}
            rows["pareto"] += _front_rows(cost, scores, values, spreads, apart)
        measured = {key: [means.get(key, {}).get(cost) for cost in EFFICIENCY_COSTS] for key in keys}
        known = {
            key: efficiency.Costs(*values)
            for key, values in measured.items()
            if not any(map(absent, (*values, scores.get(key))))
        }
        scale = efficiency.constants(list(known.values()), largest) if known and largest else None
        rows["efficiency"] += _efficiency_rows(keys, scores, known, scale)
        if scale:
            constants = {"parameters": scale.parameters, "flops": scale.flops, "memory_bytes": scale.memory}
            rows["efficiency_constants"].append({"task": task.name} | constants)
    return rows


def largest_base(expected: Expected, costs: Iterable[Row]) -> float | None:
    """Parameters of the study's largest base model: a model has as many as its smallest run, for methods only add."""
    totals: dict[str, list[float]] = {model.name: [] for model in expected.models}
    for row in costs:
        if not absent(row.get("parameters_total")):
            totals[row["model"]].append(row["parameters_total"])
    return max((min(values) for values in totals.values() if values), default=None)


def _front_rows(
    cost: str,
    scores: Row,
    values: dict[CellKey, float | None],
    spreads: dict[CellKey, float | None],
    apart: set[frozenset[CellKey]],
) -> list[Row]:
    known = [key for key, value in values.items() if not absent(scores.get(key)) and not absent(value)]
    quality, prices = [scores[key] for key in known], [values[key] for key in known]
    separated = [[frozenset((first, second)) in apart for second in known] for first in known]
    near = pareto.replaceable(quality, prices, [spreads[key] or 0.0 for key in known])
    found = zip(pareto.front(quality, prices), pareto.cheaper_and_tied(prices, separated), near, strict=True)
    of_cells, rows = dict(zip(known, found, strict=True)), []
    for key, value in values.items():
        on_front, *others = of_cells.get(key, (False, None, None))
        cheaper, nearest = (None if other is None else "/".join(known[other][1:]) for other in others)
        row = {"cost": cost, "score": scores.get(key), "value": value, "value_sd": spreads[key], "on_front": on_front}
        rows.append(Cell(*key).names | row | {"tied_with_cheaper": cheaper, "replaceable_by": nearest})
    return rows


def _efficiency_rows(
    keys: list[CellKey], scores: Row, known: dict[CellKey, efficiency.Costs], scale: efficiency.Costs | None
) -> Iterator[Row]:
    for beta in efficiency.BETAS:
        reached = [efficiency.score(scores[key], cost, scale, beta) for key, cost in known.items()] if scale else []
        ranked = dict(zip(known, zip(reached, efficiency.ranks(reached), strict=True), strict=False))
        for key in keys:
            score, rank = ranked.get(key, (None, None))
            yield Cell(*key).names | {"beta": beta, "score": score, "rank": rank}


def _key(row: Row) -> CellKey:
    return row["task"], row["model"], row["method"]


def _ends(pair: Row) -> tuple[CellKey, CellKey]:
    return tuple((pair["task"], pair[f"{end}_model"], pair[f"{end}_method"]) for end in ("first", "second"))


def _grouped(costs: Iterable[Row]) -> dict[CellKey, list[Row]]:
    groups: dict[CellKey, list[Row]] = {}
    for row in costs:
        if row["status"] == "ok":
            groups.setdefault(_key(row), []).append(row)
    return groups


def _means(rows: list[Row]) -> Row:
    """Mean over the seeds of every numeric column that at least one seed has."""
    names = {name for row in rows for name, value in row.items() if isinstance(value, int | float) and name != "seed"}
    known = {name: [row[name] for row in rows if not absent(row.get(name))] for name in names}
    return {name: sum(values) / len(values) for name, values in known.items() if values}


def _spread(rows: list[Row], name: str) -> float | None:
    """Standard deviation of a column over the seeds; None with fewer than two values."""
    values = [row[name] for row in rows if not absent(row.get(name))]
    return stdev(values) if len(values) > 1 else None
