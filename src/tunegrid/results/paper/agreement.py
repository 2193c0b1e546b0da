"""Ours beside the paper's: every published number with what the study reproduces, and what the two say of each other.

A published number *agrees* with ours if, as it is rounded in print, it lies within our 95 % interval, else it
*differs*. Where the study is not about what the number is about (another model, other data, another test set) or has no
result, it *cannot be compared*, and `cause` says why. What has to be the same: resources/published/setup.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from tunegrid.common.package_data import published_folder
from tunegrid.results.expected import Expected, ExpectedTask, Named, printed_metrics
from tunegrid.tasks import Metric

Row = dict[str, Any]
AGREES, DIFFERS, NOT_COMPARED = "agrees", "differs", "cannot be compared"
OTHER_TEST = "test"  # the one cause that still lets cells be ranked

BESIDE = (
    "study kind task paper_model paper_method model method metric published published_low published_high "
    "reproduced ci_low ci_high difference verdict cause reason remark"
)
AGREEMENT = (
    "study kind task metric numbers agree differ not_compared cells kendall_tau p_value same_test "
    "published_recommendation recommendation same_recommendation published_is_tied"
)


@cache
def setup() -> Mapping[str, Any]:
    """What resources/published/setup.yaml says."""
    import yaml

    return yaml.safe_load((published_folder() / "setup.yaml").read_text(encoding="utf-8"))


def beside_rows(expected: Expected, cells: Sequence[Row], data_cards: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """A row for each number of the paper and each cell of the study that is held against it, at least one.

    `cells`: the rows of the tidy table of that name; `data_cards`: card.json by task.
    """
    from tunegrid.results.paper.numbers import TASKS, published_rows

    found = {(row["task"], row["model"], row["method"], row["metric"]): row for row in cells if row["kind"] == "run"}
    rows = []
    for kind in TASKS:
        published = published_rows(kind)
        for task in [task for task in expected.tasks if task.kind == kind] or [None]:
            for printed in published:
                for model, method in _cells_like(expected, task, printed):
                    causes = _causes(expected, task, model, method, printed)
                    other_test = _other_test(task, (data_cards.get(task.name) or {}) if task and not causes else {})
                    for metric in printed_metrics(kind):
                        row = _published(kind, task, model, method, printed, metric)
                        ours = found.get((row["task"], row["model"], row["method"], metric.name))
                        row |= _verdict(row, ours, causes | other_test)
                        row["remark"] = "; ".join(_remarks(expected, row, ours, printed, published))
                        rows.append(row)
    return rows


def _cells_like(expected: Expected, task: ExpectedTask | None, printed: Row) -> Iterator[tuple[Named | None, Any]]:
    """The cells of the study that may be a cell of the paper: None for a model or a method that it does not have."""
    ids, kind = setup()["models"][printed["model"]], setup()["methods"][printed["method"]]
    for model in [model for model in expected.models if model.hub_id in ids] or [None]:
        for method in [method for method in expected.methods if method.kind == kind] or [None]:
            yield model, method


def _causes(expected: Expected, task: ExpectedTask | None, model: Any, method: Any, printed: Row) -> dict[str, str]:
    """Why a cell of the study is not the paper's: short names of the causes, with what to say of each."""
    if task is None:
        return {"task": "the study has no task of this kind"}
    causes, like = {}, setup()["tasks"][task.kind]
    if task.hub_id not in like["ids"]:
        causes["data"] = f"other data than the paper's {like['data']} ({task.hub_id or 'none of the Hub'})"
    if model is None:
        causes["model"] = f"no model is the paper's checkpoint {setup()['models'][printed['model']][0]}"
    if method is None:
        causes["method"] = f"no method is of the kind {setup()['methods'][printed['method']]}"
    if not causes and not expected.has(task.name, model.name, method.name):
        causes["excluded"] = "the study leaves this cell out"
    return causes


def _other_test(task: ExpectedTask | None, card: Mapping[str, Any]) -> dict[str, str]:
    """Whether the study's test set is another than the paper's, as far as its size tells."""
    size = (card.get("rows_available") or card.get("rows") or {}).get("test")
    if task is None or size is None or size == setup()["tasks"][task.kind]["test_rows"]:
        return {}
    like = setup()["tasks"][task.kind]
    theirs = like.get("test", f"the public test set of {like['data']} has {like['test_rows']:,} rows")
    return {OTHER_TEST: f"another test set: ours has {size:,} rows, the paper's is {theirs}"}


def _published(kind: str, task: Any, model: Any, method: Any, printed: Row, metric: Metric) -> Row:
    """What the paper prints of a cell in a metric, as a fraction, with the ends of what rounds to it."""
    text = printed[f"{metric.name}_percent" if metric.percent else metric.name]
    unit = 100 if metric.percent else 1
    value, half = float(text) / unit, 0.5 * 10.0 ** -len(text.partition(".")[2]) / unit
    row = {"kind": kind, "paper_model": printed["model"], "paper_method": printed["method"], "metric": metric.name}
    row |= {name: one and one.name for name, one in (("task", task), ("model", model), ("method", method))}
    return row | {"published": value, "published_low": value - half, "published_high": value + half}


def _verdict(row: Row, ours: Row | None, causes: Mapping[str, str]) -> Row:
    same_cell = causes.keys() <= {OTHER_TEST}
    result: Row = {"verdict": NOT_COMPARED, "cause": " ".join(causes), "reason": "; ".join(causes.values())}
    if not same_cell:
        return result
    mean = ours["mean"] if ours else None
    if ours is None or mean is None:
        status, why = (ours["status"], ours["reason"]) if ours else ("missing", "no result")
        said = why if status == "missing" else f"{status}: {why}"
        return result | {"cause": f"{result['cause']} result".strip(), "reason": said}
    low, high = ours.get("ci_low"), ours.get("ci_high")
    result |= {"reproduced": mean, "ci_low": low, "ci_high": high, "difference": mean - row["published"]}
    if causes:
        return result
    if low is None:
        return result | {"cause": "interval", "reason": "ours has no interval"}
    agrees = low <= row["published_high"] and row["published_low"] <= high
    return result | {"verdict": AGREES if agrees else DIFFERS}


def _remarks(expected: Expected, row: Row, ours: Row | None, printed: Row, published: Iterable[Row]) -> Iterator[str]:
    """What weakens a verdict."""
    if "difference" not in row:
        return
    if ours["seeds_ok"] < 2:
        yield "one seed: our interval holds the choice of test examples only, another seed may land elsewhere"
    if ours["seeds_ok"] < ours["seeds_expected"]:
        yield f"{ours['seeds_ok']} of {ours['seeds_expected']} seeds"
    numbers = [value for name, value in printed.items() if name not in ("model", "method")]
    for other in published:
        same = [value for name, value in other.items() if name not in ("model", "method")] == numbers
        if same and (other["model"], other["method"]) != (printed["model"], printed["method"]):
            yield f"the paper prints the same numbers for {other['model']} + {other['method']}: one of the two is wrong"
    remarks = setup()["tasks"][row["kind"]].get("remarks", {})
    yield from (remarks[name] for name in ("all", row["metric"]) if name in remarks)


def agreement_rows(expected: Expected, beside: Sequence[Row], recommendations: Iterable[Row]) -> list[Row]:
    """A row for each task: how many numbers agree, the rank order of the cells, the recommendation of Table 6.4."""
    from tunegrid.results.paper.numbers import TASKS, published_rows

    setups = {row["task"]: row["recommended_setup"] for row in published_rows("recommendation")}
    chosen = {row["task"]: row for row in recommendations}
    rows = []
    for task in expected.tasks:
        ours = [row for row in beside if row["task"] == task.name]
        verdicts = [row["verdict"] for row in ours]
        counts = {"agree": AGREES, "differ": DIFFERS, "not_compared": NOT_COMPARED}
        row: Row = {"kind": task.kind, "task": task.name, "metric": task.primary.name, "numbers": len(ours)}
        row |= {name: verdicts.count(verdict) for name, verdict in counts.items()}
        ranked = [one for one in ours if one["metric"] == task.primary.name and "difference" in one]
        row |= _order(ranked) | _recommended(expected, task, ranked, setups[TASKS[task.kind]], chosen.get(task.name))
        rows.append(row)
    return rows


def _order(ranked: Sequence[Row]) -> Row:
    """Kendall's tau-b (1938) of the published and the reproduced order of cells, three at least."""
    row: Row = {"cells": len(ranked), "same_test": all(not one["cause"] for one in ranked) if ranked else None}
    if len(ranked) < 3:
        return row
    from scipy.stats import kendalltau

    tau = kendalltau([one["published"] for one in ranked], [one["reproduced"] for one in ranked])
    if tau.statistic == tau.statistic:  # not where all of one side are equal
        row |= {"kendall_tau": float(tau.statistic), "p_value": float(tau.pvalue)}
    return row


def _recommended(
    expected: Expected, task: ExpectedTask, ranked: Sequence[Row], published: str, ours: Row | None
) -> Row:
    """Whether the study recommends what the paper does, where the paper's choice is among its cells."""
    row: Row = {"published_recommendation": published}
    names = {(one["model"], one["method"]): f"{one['paper_model']} + {one['paper_method']}" for one in ranked}
    if published not in names.values() or ours is None or ours["model"] is None:
        return row
    titles = {(model.name, method.name): f"{model.title} + {method.title}" for model, method in expected.grid(task)}
    papers = {titles[cell]: name for cell, name in names.items()}
    row["recommendation"] = titles[ours["model"], ours["method"]]
    row["same_recommendation"] = papers.get(row["recommendation"]) == published
    row["published_is_tied"] = published in [papers.get(title) for title in str(ours["tied"]).split("; ")]
    return row
