"""The state of a finished or unfinished study, in a few lines for the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunegrid.common.files import read_object
from tunegrid.common.records import read_rows
from tunegrid.methods.needs import OtherRun, PreferencePairs, TrainedReward
from tunegrid.results.records import ChoiceRecord, MetricsRecord, RewardRecord, TrainRecord, read_record
from tunegrid.stages.expected import expected
from tunegrid.study.cells import UNTUNED, Run
from tunegrid.study.needs import pairs_place, used_rewards
from tunegrid.study.study import Study

DEFAULT = "config/mini.yaml"  # the study that Snakemake takes where no --configfile is given
MISSING_SHOWN = 5


def summarise(study: Study, files: Sequence[str] = (DEFAULT,)) -> tuple[str, bool]:
    """(lines on what is done, what failed and what the audit found; whether runs and audit are all ok).

    Args:
        files: the study's files, for the commands that go on with it.
    """
    failed, missing = [], []
    for run in study.runs():
        status, reason = _outcome(study, run)
        if status == "missing":
            missing.append((run, reason))
        elif status != "ok":
            failed.append((run, status, reason))
    lines = [f"{study.title}: {len(study.runs()) - len(failed) - len(missing)} of {len(study.runs())} runs are done"]
    lines += [f"  {status}: {run.cell}, seed {run.seed}: {reason}" for run, status, reason in failed]
    rewards = _failed_rewards(study)
    lines += [f"  {line}" for line in (*rewards, *_failed_references(study))]
    targets = sorted({file for run, status, _ in failed if status == "failed" for file in _files_to_remake(study, run)})
    if any(status == "diverged" for _, status, _ in failed) or any(line.startswith("diverged") for line in rewards):
        lines.append("  what diverged would do so again: lower its learning_rate, or raise its warm-up")
    lines += [f"  not there yet: {run.cell}, seed {run.seed}{reason}" for run, reason in missing[:MISSING_SHOWN]]
    if len(missing) > MISSING_SHOWN:
        lines.append(f"  not there yet: {len(missing) - MISSING_SHOWN} more")
    command = "snakemake --cores all"
    if [Path(file) for file in files] != [Path(DEFAULT)]:
        command += f" --configfile {shlex.join(map(str, files))}"
    if targets:
        lines.append(f"  try again what failed: {command} --forcerun {' '.join(targets)}")
    if missing:
        lines.append(f"  go on with what is not there: {command} --rerun-incomplete")
    lines += [f"  ceiling: {sentence}" for sentence in _ceilings(study)]
    findings, contradicted = _audit_findings(study.paths.tables / "audit.csv")
    lines += findings
    reports = [study.paths.report / name for name in ("report.pdf", "report.html")]
    lines += [f"  report: {file}" for file in reports if file.is_file()]
    return "\n".join(lines), not (failed or missing or contradicted)


def _outcome(study: Study, run: Run) -> tuple[str, str]:
    """(status, reason) of a run. The reason of a missing run is a suffix of its name: the stage it reached, its log."""
    folder = study.paths.run(run)
    training, metrics = folder / "train.json", folder / "metrics.json"
    if training.is_file() and (record := read_record(training, TrainRecord, **run.names)).status != "ok":
        return record.status, record.reason
    if training.is_file() and metrics.is_file():  # metrics.json without train.json belongs to weights that are gone
        record = read_record(metrics, MetricsRecord, kind="run", **run.names)
        return record.status, record.reason
    log = study.paths.log(f"{'evaluate' if training.is_file() else 'train'}/{run.path}")
    stage = ": trained, but not evaluated" if training.is_file() else ""
    return "missing", stage + (f"; its log: {log}" if log.is_file() else "")


def _failed_rewards(study: Study) -> list[str]:
    """Lines on the reward models that failed."""
    records = {names: _reward(study, *names) for names in used_rewards(study)}
    return [
        f"{record.status}: the reward model {name} of {model} for {task}: {record.reason}"
        for (task, model, name), record in records.items()
        if record and record.status != "ok"
    ]


def _reward(study: Study, task: str, model: str, name: str) -> Any:
    """The record of a reward model; None: it is not there yet."""
    file = study.paths.reward(task, model, name) / "reward.json"
    return read_record(file, RewardRecord, task=task, model=model, reward=name) if file.is_file() else None


def _failed_references(study: Study) -> list[str]:
    """Lines on the baselines and untuned models that have no score."""
    lines = []

    def add(title: str, folder: Path, **names: Any) -> None:
        if (file := folder / "metrics.json").is_file():
            record = read_record(file, MetricsRecord, **names, seed=None)
            lines.extend([] if record.status == "ok" else [f"{record.status}: {title}: {record.reason}"])

    for task in study.grid.tasks:
        for name in study.task(task).baselines():
            folder = study.paths.baseline(task, name)
            add(f"{task}, baseline {name}", folder, kind="baseline", task=task, model=None, method=name)
        for model in study.grid.models:
            folder = study.paths.untuned(task, model)
            add(f"{task}, untuned {model}", folder, kind="untuned", task=task, model=model, method=UNTUNED)
    return lines


def _files_to_remake(study: Study, run: Run) -> list[str]:
    """Files that Snakemake has to make again for a failed run.

    They are its record, or that of the mixture that it is a part of, and those of the reward model and the pairs
    that it lacks; or the trials of a failed search. None: its start or reward model diverged, and would do so again.
    """
    file = study.paths.choice(run.cell)
    if study.search is None or not file.is_file() or read_record(file, ChoiceRecord, **run.cell.names).status == "ok":
        cell, files = run.cell, [study.paths.run(Run(study.training_of(run.cell), run.seed)) / "train.json"]
        for need in study.method(cell).needs():
            status = None
            if isinstance(need, OtherRun):
                status, _ = _outcome(study, Run(replace(cell, method=need.method), run.seed))
            elif isinstance(need, PreferencePairs):
                card = study.paths.pairs_card(*pairs_place(study, cell.task, cell.model, need.name))
                if card.is_file() and read_object(card).get("reason"):
                    files.append(card)
            elif isinstance(need, TrainedReward) and (record := _reward(study, cell.task, cell.model, need.name)):
                status = record.status
                if status == "failed":
                    files.append(study.paths.reward(cell.task, cell.model, need.name) / "reward.json")
            if status == "diverged":
                return []
        return list(map(str, files))
    return [str(study.paths.trial(run.cell, trial)) for trial in study.search.trials]


def _ceilings(study: Study) -> list[str]:
    """Sentences on the scores that vocabularies and lengths allow, for those below 0.99."""
    from tunegrid.results.ceilings import ceiling_rows, ceiling_sentences, read_ceilings

    rows = expected(study)
    return ceiling_sentences(rows, ceiling_rows(rows, read_ceilings(study.paths, rows)))


def _audit_findings(file: Path) -> tuple[list[str], bool]:
    """(a line for each error and warning in audit.csv; whether there is an error); ([], False) without the file."""
    if not file.exists():
        return [], False
    rows = [row for row in read_rows(file, "severity", "task", "computed") if row["severity"] in ("error", "warning")]
    lines = [f"  audit, {row['severity']}: {row['task']}: {row['computed']}" for row in rows]
    return lines, any(row["severity"] == "error" for row in rows)
