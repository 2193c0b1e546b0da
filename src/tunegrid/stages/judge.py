"""The stage `judge`: a run that learned from preferences against its start, by its reward model and by the task.

The reward model is what PPO was trained to please: what it says can be fooled. The task's own score of each answer
had no part in that training, so a run that gains by the one and loses by the other is over-optimised.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tunegrid.common.errors import TuneGridError
from tunegrid.data.parquet import read_parquet, write_columns
from tunegrid.data.tokens import load_tokenizer, read_tokens
from tunegrid.models.seal import check_base
from tunegrid.results.records import JudgementRecord, MetricsRecord, read_record, write_record
from tunegrid.results.records.preferences import Contest
from tunegrid.runtime import cpu_kernels
from tunegrid.runtime.provenance import now
from tunegrid.runtime.torch_device import pick_device
from tunegrid.stages.inputs import UnusableInput, reward_loader
from tunegrid.stages.record_facts import study_provenance
from tunegrid.study.cells import Run
from tunegrid.study.needs import judged_cells
from tunegrid.study.study import Study
from tunegrid.tasks.tokenise import as_text, encode, special_token_names
from tunegrid.tasks.windows import first_ids

SAME = 1e-9  # difference of two scores that rounding makes


def judge(study: Study, run: Run, folder: Path) -> JudgementRecord:
    """Writes `judgement.json`, and `judgement.parquet` with both scores of each test row, into a run's folder.

    Raises:
        TuneGridError: predictions are missing, or are not of the same rows.
    """
    started, cell = now(), run.cell
    start_method, reward = judged_cells(study)[cell]
    start = Run(replace(cell, method=start_method), run.seed)
    facts: dict[str, Any] = {"status": "ok", "reason": None}
    columns: dict[str, Any] = {"id": [], "reward": [], "start_reward": [], "metric": [], "start_metric": []}
    try:
        columns, more = _scores(study, run, folder, start, reward)
        facts |= more
    except UnusableInput as error:
        facts = {"status": "failed", "reason": str(error)}
    write_columns(folder / "judgement.parquet", columns)
    record = JudgementRecord(
        **run.names,
        start=start_method,
        reward_model=reward,
        metric=study.task(cell.task).example_metric,
        provenance=study_provenance(study, started, data=study.paths.data_card(cell.task), model=cell.model),
        **facts,
    )
    write_record(folder / "judgement.json", record)
    return record


def _scores(
    study: Study, run: Run, folder: Path, start: Run, reward_name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(columns of judgement.parquet, the facts of the record that follow from them)."""
    cell, paths = run.cell, study.paths
    load = reward_loader(study, cell.task, cell.model, reward_name)
    answers = {"": _predictions(run, folder), "start_": _predictions(start, paths.run(start))}
    if list(answers[""]["id"]) != list(answers["start_"]["id"]):
        raise TuneGridError(f"{folder}: its answers are not to the rows of {paths.run(start)}. Evaluate both again.")
    check_base(paths.model(cell.model))
    reward = cpu_kernels.place(load(), pick_device(study.hardware))
    task, tokenizer = study.task(cell.task, cell.model), load_tokenizer(paths.model(cell.model))
    tokens = read_tokens(paths.tokens(cell.task, cell.model) / "test.arrow")
    # Of a row in windows the first.
    _, first = np.unique(tokens["row"].to_numpy(), return_index=True)
    every = tokens.column("input_ids").to_pylist()
    sources = [every[place] for place in first]
    metric = next(metric for metric in task.metrics if metric.name == task.example_metric)
    special, limit = special_token_names(tokenizer), task.settings.max_target_length
    columns: dict[str, Any] = {"id": list(answers[""]["id"])}
    for prefix, table in answers.items():
        texts = as_text([task.word(text) for text in table["prediction"]], special)
        ids = [first_ids(found, limit) for found in encode(tokenizer, "text_target", texts)]
        scores = reward.scores(tokenizer, sources, ids, task.settings.evaluation_batch_size)
        columns[f"{prefix}reward"] = scores.double().numpy()
        columns[f"{prefix}metric"] = np.asarray(table[metric.columns[0]], dtype=np.float64)
    contests = {f"by_{name}": contest(columns[name], columns[f"start_{name}"]) for name in ("reward", "metric")}
    means = {f"mean_{name}": float(np.mean(columns[name])) for name in columns if name != "id"}
    return columns, {"examples": len(columns["id"]), **contests, **means}


def contest(scores: np.ndarray, others: np.ndarray) -> Contest:
    """How often an answer scores above, below and like the other answer to the same row."""
    difference = scores - others
    wins, losses = int((difference > SAME).sum()), int((difference < -SAME).sum())
    return Contest(wins=wins, losses=losses, ties=len(difference) - wins - losses)


def _predictions(run: Run, folder: Path) -> dict[str, Any]:
    file = folder / "metrics.json"
    if not file.is_file():
        raise TuneGridError(f"{file}: no such file. Evaluate {run.cell}, seed {run.seed}, first.")
    record = read_record(file, MetricsRecord, kind="run", **run.names)
    if record.status != "ok":
        raise UnusableInput(f"{run.cell}, seed {run.seed}, is {record.status}: {record.reason}")
    rows = read_parquet(folder / "predictions.parquet")
    return {name: [row[name] for row in rows] for name in rows[0]}
