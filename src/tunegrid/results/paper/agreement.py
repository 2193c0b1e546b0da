"""Paper comparison: every published number with the number that the study reproduces, and whether the two agree.

A published number *agrees* with the study's if, as it is rounded in print, it lies where one more run of the same cell
on the same test set would score (`seeds.next_run`, a prediction interval), else it *differs*. Where the study has
another model, other data or another test set, no result, or one seed for every cell, the number *cannot be compared*,
and `cause` says why. resources/published/setup.yaml names what has to be the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from tunegrid.common.package_data import published_folder
from tunegrid.results.expected import Expected, ExpectedTask, Named, Row, printed_metrics
from tunegrid.results.paper.numbers import TASKS, published_rows, published_score, published_text
from tunegrid.tasks import Metric

AGREES, DIFFERS, NOT_COMPARED = "agrees", "differs", "cannot be compared"
OTHER_TEST = "test"  # the only cause for which cells can still be ranked

COMPARISON_COLUMNS = (
    "study kind task paper_model paper_method model method metric published published_low published_high "
    "reproduced next_low next_high difference verdict cause reason remark"
)
AGREEMENT_COLUMNS = (
    "study kind task metric numbers agree differ not_compared cells kendall_tau p_value same_test "
    "published_recommendation recommendation same_recommendation published_is_tied"
)


@cache
def setup() -> Mapping[str, Any]:
    """Reads resources/published/setup.yaml: models, methods and data of the paper."""
    import yaml

    return yaml.safe_load((published_folder() / "setup.yaml").read_text(encoding="utf-8"))


def comparison_rows(expected: Expected, cells: Sequence[Row], data_cards: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Rows of the paper comparison: one for each number of the paper and each cell compared with it, if any.

    `cells`: the rows of the tidy table of that name; `data_cards`: card.json by task.
    """
    ours = {(row["task"], row["model"], row["method"], row["metric"]): row for row in cells if row["kind"] == "run"}
    rows = []
    for kind in TASKS:
        published = published_rows(kind)
        for task in [task for task in expected.tasks if task.kind == kind] or [None]:
            for printed in published:
                for model, method in _candidates(expected, task, printed):
                    causes = _causes(expected, task, model, method, printed)
                    other_test = _other_test(task, (data_cards.get(task.name) or {}) if task and not causes else {})
                    for metric in printed_metrics(kind):
                        row = _published(kind, task, model, method, printed, metric)
                        cell = ours.get((row["task"], row["model"], row["method"], metric.name))
                        row |= _verdict(row, cell, causes | other_test)
                        row["remark"] = "; ".join(_remarks(row, cell, printed, published))
                        rows.append(row)
    return rows


def _candidates(expected: Expected, task: ExpectedTask | None, printed: Row) -> Iterator[tuple[Named | None, Any]]:
    """Cells of the study that may be a cell of the paper; None for a model or a method that the study lacks."""
    ids, kind = setup()["models"][printed["model"]], setup()["methods"][printed["method"]]
    for model in [model for model in expected.models if model.hub_id in ids] or [None]:
        for method in [method for method in expected.methods if method.kind == kind] or [None]:
            yield model, method


def _causes(expected: Expected, task: ExpectedTask | None, model: Any, method: Any, printed: Row) -> dict[str, str]:
    """Reasons why a cell of the study is not the paper's: a sentence for each cause, by its short name."""
    if task is None:
        return {"task": "the study has no task of this kind"}
    causes, theirs = {}, setup()["tasks"][task.kind]
    if task.hub_id not in theirs["ids"]:
        causes["data"] = f"other data than the paper's {theirs['data']} ({task.hub_id or 'none of the Hub'})"
    if model is None:
        causes["model"] = f"no model is the paper's checkpoint {setup()['models'][printed['model']][0]}"
    if method is None:
        causes["method"] = f"no method is of the kind {setup()['methods'][printed['method']]}"
    if not causes and not expected.has(task.name, model.name, method.name):
        causes["excluded"] = "the study leaves this cell out"
    return causes


def _other_test(task: ExpectedTask | None, card: Mapping[str, Any]) -> dict[str, str]:
    """The cause for a test set of another size than the paper's; empty where the sizes are equal or not known."""
    size = (card.get("rows_available") or card.get("rows") or {}).get("test")
    if task is None or size is None or size == setup()["tasks"][task.kind]["test_rows"]:
        return {}
    theirs = setup()["tasks"][task.kind]
    test_set = theirs.get("test", f"the public test set of {theirs['data']} has {theirs['test_rows']:,} rows")
    return {OTHER_TEST: f"another test set: ours has {size:,} rows, the paper's is {test_set}"}


def _published(kind: str, task: Any, model: Any, method: Any, printed: Row, metric: Metric) -> Row:
    """A published score as a fraction, with the lowest and the highest score that is printed like it."""
    decimals = len(published_text(printed, metric).partition(".")[2])
    value, half = published_score(printed, metric), 0.5 * 10.0**-decimals / (100 if metric.percent else 1)
    row = {"kind": kind, "paper_model": printed["model"], "paper_method": printed["method"], "metric": metric.name}
    row |= {key: named and named.name for key, named in (("task", task), ("model", model), ("method", method))}
    return row | {"published": value, "published_low": value - half, "published_high": value + half}


def _verdict(row: Row, ours: Row | None, causes: Mapping[str, str]) -> Row:
    result: Row = {"verdict": NOT_COMPARED, "cause": " ".join(causes), "reason": "; ".join(causes.values())}
    if causes.keys() - {OTHER_TEST}:
        return result
    if ours is None or ours["mean"] is None:
        status, why = (ours["status"], ours["reason"]) if ours else ("missing", "no result")
        reason = why if status == "missing" else f"{status}: {why}"
        return result | {"cause": f"{result['cause']} result".strip(), "reason": reason}
    low, high = ours.get("next_low"), ours.get("next_high")
    result |= {"reproduced": ours["mean"], "difference": ours["mean"] - row["published"]}
    result |= {"next_low": low, "next_high": high}
    if causes:
        return result
    if low is None:
        reason = "one seed: how far another run of the cell would land is not known"
        return result | {"cause": "seeds", "reason": reason}
    agrees = low <= row["published_high"] and row["published_low"] <= high
    return result | {"verdict": AGREES if agrees else DIFFERS}


def _remarks(row: Row, ours: Row | None, printed: Row, published: Iterable[Row]) -> Iterator[str]:
    """Circumstances that weaken a verdict, as clauses."""
    if "difference" not in row:
        return
    if ours["seeds_ok"] < 2 and row["next_low"] is not None:
        yield "one seed: the spread of runs is that of the task's other cells"
    if ours["seeds_ok"] < ours["seeds_expected"]:
        yield f"{ours['seeds_ok']} of {ours['seeds_expected']} seeds"
    numbers = [value for name, value in printed.items() if name not in ("model", "method")]
    for other in published:
        same = [value for name, value in other.items() if name not in ("model", "method")] == numbers
        if same and (other["model"], other["method"]) != (printed["model"], printed["method"]):
            yield f"the paper prints the same numbers for {other['model']} + {other['method']}: one of the two is wrong"
    remarks = setup()["tasks"][row["kind"]].get("remarks", {})
    yield from (remarks[name] for name in ("all", row["metric"]) if name in remarks)


def agreement_rows(expected: Expected, comparison: Sequence[Row], recommendations: Iterable[Row]) -> list[Row]:
    """Rows of the agreement, one for each task of the paper: numbers that agree, order of cells, recommendation."""
    setups = {row["task"]: row["recommended_setup"] for row in published_rows("recommendation")}
    chosen = {row["task"]: row for row in recommendations}
    rows = []
    for task in (task for task in expected.tasks if task.kind in TASKS):
        ours = [row for row in comparison if row["task"] == task.name]
        verdicts = [row["verdict"] for row in ours]
        counts = {"agree": AGREES, "differ": DIFFERS, "not_compared": NOT_COMPARED}
        row: Row = {"kind": task.kind, "task": task.name, "metric": task.primary.name, "numbers": len(ours)}
        row |= {name: verdicts.count(verdict) for name, verdict in counts.items()}
        ranked = [row for row in ours if row["metric"] == task.primary.name and "difference" in row]
        row |= _order(ranked) | _recommended(expected, task, ranked, setups[TASKS[task.kind]], chosen.get(task.name))
        rows.append(row)
    return rows


def _order(ranked: Sequence[Row]) -> Row:
    """Kendall's tau-b (1938) between the published and the reproduced order of at least three cells."""
    row: Row = {
        "cells": len(ranked),
        "same_test": all(OTHER_TEST not in cell["cause"].split() for cell in ranked) if ranked else None,
    }
    if len(ranked) < 3:
        return row
    from scipy.stats import kendalltau

    tau = kendalltau([cell["published"] for cell in ranked], [cell["reproduced"] for cell in ranked])
    if tau.statistic == tau.statistic:  # NaN where all scores of one side are equal
        row |= {"kendall_tau": float(tau.statistic), "p_value": float(tau.pvalue)}
    return row


def _recommended(
    expected: Expected, task: ExpectedTask, ranked: Sequence[Row], published: str, ours: Row | None
) -> Row:
    """Whether the study recommends the paper's choice, where that is among its cells."""
    row: Row = {"published_recommendation": published}
    names = {(cell["model"], cell["method"]): f"{cell['paper_model']} + {cell['paper_method']}" for cell in ranked}
    if published not in names.values() or ours is None or ours["model"] is None:
        return row
    titles = {(model.name, method.name): f"{model.title} + {method.title}" for model, method in expected.grid(task)}
    papers = {titles[cell]: name for cell, name in names.items()}
    row["recommendation"] = titles[ours["model"], ours["method"]]
    row["same_recommendation"] = papers.get(row["recommendation"]) == published
    row["published_is_tied"] = published in [papers.get(title) for title in str(ours["tied"]).split("; ")]
    return row
