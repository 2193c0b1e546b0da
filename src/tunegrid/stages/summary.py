"""The state of a finished or unfinished study, in a few lines for the terminal."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Sequence
from pathlib import Path

from tunegrid.study.cells import Run
from tunegrid.study.study import Study

DEFAULT = "config/mini.yaml"  # the study that Snakemake takes where no --configfile is given
MISSING_SHOWN = 5


def summarise(study: Study, files: Sequence[str] = (DEFAULT,)) -> tuple[str, bool]:
    """(what is there, what failed and what the audit found; whether every run is ok and the audit found no error).

    Args:
        files: those that the study was read from, for the command that tries again.
    """
    failed, missing = [], []
    for run in study.runs():
        status, reason = _outcome(study, run)
        if status == "missing":
            missing.append((run, reason))
        elif status != "ok":
            failed.append((run, status, reason))
    lines = [f"{study.title}: {len(study.runs()) - len(failed) - len(missing)} of {len(study.runs())} runs are done"]
    for run, status, reason in failed:
        lines.append(f"  {status}: {run.cell}, seed {run.seed}: {reason}")
    again = sorted({target for run, status, _ in failed if status == "failed" for target in _again(study, run)})
    if any(status == "diverged" for _, status, _ in failed):
        lines.append("  a run that diverged would do so again: lower its learning_rate, or raise its warm-up")
    for run, reason in missing[:MISSING_SHOWN]:
        lines.append(f"  not there yet: {run.cell}, seed {run.seed}{reason}")
    if len(missing) > MISSING_SHOWN:
        lines.append(f"  not there yet: {len(missing) - MISSING_SHOWN} more")
    command = "snakemake --cores all"
    if [Path(file) for file in files] != [Path(DEFAULT)]:
        command += f" --configfile {shlex.join(map(str, files))}"
    if again:
        lines.append(f"  try again what failed: {command} --forcerun {' '.join(again)}")
    if missing:
        lines.append(f"  go on with what is not there: {command} --rerun-incomplete")
    found, contradicted = _audited(study.paths.tables / "audit.csv")
    lines += found
    reports = [study.paths.report / name for name in ("report.pdf", "report.html")]
    lines += [f"  report: {file}" for file in reports if file.is_file()]
    return "\n".join(lines), not (failed or missing or contradicted)


def _outcome(study: Study, run: Run) -> tuple[str, str]:
    """(status, reason) of a run; of one that is missing: how far it came, to stand behind its name."""
    from tunegrid.results.records import MetricsRecord, TrainRecord, read_record

    folder = study.paths.run(run)
    training, metrics = folder / "train.json", folder / "metrics.json"
    if training.is_file() and (record := read_record(training, TrainRecord)).status != "ok":
        return record.status, record.reason
    if training.is_file() and metrics.is_file():  # without the former, the latter is of weights that are gone
        record = read_record(metrics, MetricsRecord)
        return record.status, record.reason
    log = study.paths.log(f"{'evaluate' if training.is_file() else 'train'}/{run.path}")
    place = ": trained, but not evaluated" if training.is_file() else ""
    return "missing", place + (f"; its log: {log}" if log.is_file() else "")


def _again(study: Study, run: Run) -> list[str]:
    """What Snakemake has to be forced to make for a run that failed: its record, or its search, if that failed."""
    from tunegrid.results.records import ChoiceRecord, read_record

    file = study.paths.choice(run.cell)
    if study.search is None or not file.is_file() or read_record(file, ChoiceRecord).status == "ok":
        return [str(study.paths.run(run) / "train.json")]
    return [str(study.paths.trial(run.cell, trial)) for trial in study.search.trials]


def _audited(file: Path) -> tuple[list[str], bool]:
    """(what the audit of the tables found, a line each; whether an error is among it); nothing without tables."""
    if not file.is_file():
        return [], False
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["severity"] in ("error", "warning")]
    found = [f"  audit, {row['severity']}: {row['task']}: {row['computed']}" for row in rows]
    return found, any(row["severity"] == "error" for row in rows)
