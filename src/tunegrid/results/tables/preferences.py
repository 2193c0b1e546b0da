"""Tidy tables of learning from preferences: reward models, what runs came to step by step, and runs against starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.data.parquet import read_parquet
from tunegrid.results.expected import Row
from tunegrid.results.read import Result, StudyResults
from tunegrid.results.records import JudgementRecord, RewardRecord, read_record
from tunegrid.results.statistics.intervals import ALPHA, wilson_interval
from tunegrid.results.tables.frames import with_interval
from tunegrid.study.cells import Cell
from tunegrid.study.paths import Paths

MEASURED = "pair_accuracy pair_margin reward reward_error kl length score coefficient"
JUDGES = ("reward", "metric")
COLUMNS = {
    "rewards": "study task model reward_model pairs seed status reason test_pairs accuracy accuracy_low "
    "accuracy_high test_loss calibration_error mean spread steps optimisation_seconds peak_memory_bytes saved_bytes "
    "training_flops",
    "reward_calibration": "study task model reward_model low high pairs_count predicted observed",
    "observations": f"study task model method seed step {MEASURED}",
    "judgements": "study task model method seed start reward_model judge status reason examples wins losses ties "
    "win_rate mean start_mean",
    "preferences": "study task model method start reward_model judge seeds examples win_rate win_rate_low "
    "win_rate_high difference difference_low difference_high",
}


def preference_rows(study: StudyResults) -> dict[str, list[Row]]:
    """Rows of all tables of `COLUMNS`. Raises TuneGridError, naming the file, for a record that is none."""
    rows: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    for names in study.expected.rewards:
        _reward_rows(study.paths, names, rows)
    runs = [result for result in study.results if result.kind == "run"]
    for result in runs:
        for point in result.training.observations if result.training else ():
            rows["observations"].append(result.names | point.model_dump() | {"score": point.metric})
    for cell, (start, reward) in study.expected.judged.items():
        of_cell = Cell(*cell).names | {"start": start, "reward_model": reward}
        records = [(run, _judgement(run)) for run in runs if (run.task.name, run.model, run.method) == cell]
        rows["judgements"] += [of_cell | row for run, record in records for row in _judgement_rows(run.seed, record)]
        rows["preferences"] += [of_cell | row for row in _cell_rows(records)]
    return rows


def _reward_rows(paths: Paths, names: tuple[str, str, str], rows: dict[str, list[Row]]) -> None:
    row: Row = dict(zip(("task", "model", "reward_model"), names, strict=True))
    file = paths.reward(*names) / "reward.json"
    if not file.exists():
        rows["rewards"].append(row | {"status": "missing", "reason": "no result"})
        return
    record = read_record(file, RewardRecord, **dict(zip(("task", "model", "reward"), names, strict=True)))
    cost = record.cost.model_dump() if record.cost else {}
    right = None if record.accuracy is None else round(record.accuracy * record.test_pairs)
    ends = (None, None) if right is None else wilson_interval(right, record.test_pairs)
    interval_of = dict(zip(("accuracy_low", "accuracy_high"), ends, strict=True))
    rows["rewards"].append(cost | record.model_dump() | interval_of | row)
    for one in record.calibration:
        rows["reward_calibration"].append(row | one.model_dump() | {"pairs_count": one.pairs})


def _judgement(run: Result) -> JudgementRecord | None:
    file, names = run.folder / "judgement.json", Cell(run.task.name, run.model, run.method).names
    return read_record(file, JudgementRecord, **names, seed=run.seed) if file.exists() else None


def _judgement_rows(seed: int, record: JudgementRecord | None) -> Iterator[Row]:
    for judge in JUDGES:
        row: Row = {"seed": seed, "judge": judge, "status": "missing", "reason": "no result"}
        if record is not None:
            row |= {"status": record.status, "reason": record.reason, "examples": record.examples}
            if contest := getattr(record, f"by_{judge}"):
                row |= contest.model_dump() | {"win_rate": contest.rate}
                row |= {"mean": getattr(record, f"mean_{judge}"), "start_mean": getattr(record, f"mean_start_{judge}")}
        yield row


def _cell_rows(records: Iterable[tuple[Result, JudgementRecord | None]]) -> Iterator[Row]:
    """The cell over its seeds, by each judge; with intervals over seeds and test rows."""
    tables = []
    for run, record in records:
        if record is None or record.status != "ok":
            continue
        file = run.folder / "judgement.parquet"
        table = read_parquet(file, [*JUDGES, *(f"start_{judge}" for judge in JUDGES)])
        if len(table) != record.examples:
            raise TuneGridError(
                f"{file}: has {len(table)} rows, but its record says {record.examples}. Judge it again."
            )
        tables.append(table)
    for judge in JUDGES if tables else ():
        # [seeds, examples]
        difference = np.array([[row[judge] - row[f"start_{judge}"] for row in table] for table in tables])
        wins = np.where(np.abs(difference) <= 1e-9, 0.5, difference > 0)
        row = {"judge": judge, "seeds": len(tables), "examples": difference.shape[1]}
        row |= with_interval("difference", difference.mean(), interval(difference))
        yield row | with_interval("win_rate", wins.mean(), interval(wins))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Interval of the mean of values, [seeds, examples], for other test rows and other seeds.

    Its half is the root of two squares: of the half of the test rows' interval (normal, of the means over seeds), and
    of the seeds' (Student's t, of the means over rows). The second holds some noise of the rows too, so the interval is
    rather too wide. One seed says nothing of others: then it holds the test rows alone.
    """
    from scipy.special import ndtri, stdtrit

    seeds, examples = values.shape
    mean = float(values.mean())
    half = ndtri(1 - ALPHA / 2) * values.mean(axis=0).std(ddof=1) / examples**0.5 if examples > 1 else np.inf
    if seeds > 1:
        half = np.hypot(half, stdtrit(seeds - 1, 1 - ALPHA / 2) * values.mean(axis=1).std(ddof=1) / seeds**0.5)
    return mean - float(half), mean + float(half)
