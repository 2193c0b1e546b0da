"""The stage `evaluate-domains`: a result's predictions and scores on the other domains that its task is evaluated on.

Each is a folder beside the result's own predictions, `domains/<domain>/`, with files of the same form. The rows are
tokenised here, as those of `predict` are: a test set of another domain is nothing that is trained or chosen on.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder
from tunegrid.data.parquet import read_parquet
from tunegrid.results.records.evaluation import EvaluationCost
from tunegrid.runtime.measure import reset_peak_memory
from tunegrid.runtime.provenance import now
from tunegrid.stages.evaluate import Stopwatch, cost_after, write_scores, write_unscored
from tunegrid.stages.subject import Subject, run_subject, untuned_subject
from tunegrid.study.cells import Run
from tunegrid.study.study import Study
from tunegrid.tasks import Row
from tunegrid.tasks.base import BaselineUndefined


def evaluate_run_on_domains(study: Study, run: Run) -> None:
    """Scores a run on the other domains of its task; of a run that failed each gets a record without scores."""
    subject = run_subject(study, run)
    if subject.failure:
        _write_each(
            study,
            subject.folder,
            subject.names,
            lambda new, names: write_unscored(study, new, names, **subject.failure),
        )
        return
    _evaluate(study, subject)


def evaluate_untuned_on_domains(study: Study, task: str, model: str) -> None:
    """Scores an untuned pretrained model on the other domains of a task."""
    _evaluate(study, untuned_subject(study, task, model))


def evaluate_baseline_on_domains(study: Study, task_name: str, baseline: str) -> None:
    """Scores a baseline, made of the task's own training rows, on its other domains."""
    names = {"kind": "baseline", "task": task_name, "model": None, "method": baseline, "seed": None}
    task = study.task(task_name)
    chosen = [task.baselines()[name] for name in (baseline, task.trivial_baseline)]
    data = study.paths.data(task_name) / "train.parquet"

    def predict(rows: Sequence[Row]) -> tuple[list[str], str | None]:
        note = None
        for defined in chosen:
            train = read_parquet(data, defined.training_columns) if defined.training_columns else []
            try:
                return defined.predict(train, rows, random.Random(task.settings.source.seed)), note
            except BaselineUndefined as error:
                note = f"{error}; “{chosen[-1].title}” stands in"
        raise TuneGridError(f"{data}: {note}")

    def write(new: Path, identity: dict[str, Any]) -> None:
        started, watch = now(), Stopwatch()
        rows = _rows(study, identity)
        reset_peak_memory()
        seconds = {"load_seconds": watch.lap()}
        try:
            predictions, note = predict(rows)
        except Exception as error:
            traceback.print_exc()
            write_unscored(study, new, identity, "failed", f"{type(error).__name__}: {error}")
            return
        seconds["prediction_seconds"] = watch.lap()
        cost = EvaluationCost(**seconds, **cost_after(len(rows), seconds["prediction_seconds"]))
        write_scores(study, new, identity, task, rows, predictions, None, cost, started, note=note)

    _write_each(study, study.paths.baseline(task_name, baseline), names, write)


def _evaluate(study: Study, subject: Subject) -> None:
    from tunegrid.models.generate import NonFiniteLogits
    from tunegrid.tasks.tokenise import tokenise_unlabelled

    watch = Stopwatch()
    tuned, asked = subject.load(study), subject.task
    loading = watch.lap()

    def write(new: Path, identity: dict[str, Any]) -> None:
        started, rows = now(), _rows(study, identity)
        tokens = tokenise_unlabelled(asked, subject.method.family.name, tuned.tokenizer, rows)
        watch.lap()
        reset_peak_memory()
        try:
            predicted = tuned.predict(tokens, len(rows))
        except NonFiniteLogits as error:
            write_unscored(study, new, identity, "failed", str(error))
            return
        seconds = watch.lap()
        cost = EvaluationCost(load_seconds=loading, prediction_seconds=seconds, **cost_after(len(rows), seconds))
        write_scores(
            study, new, identity, asked, rows, predicted.texts, predicted.columns, cost, started, predicted.cut
        )

    _write_each(study, subject.folder, subject.names, write)


def _write_each(
    study: Study, folder: Path, names: dict[str, Any], write: Callable[[Path, dict[str, Any]], object]
) -> None:
    """Writes the results of every domain of a task into a folder of its own, all or none of them."""
    with replaced_folder(study.paths.domain_results(folder)) as new:
        for domain in study.tasks[names["task"]].evaluate_on:
            print(f"domain {domain}", flush=True)
            (new / domain).mkdir()
            write(new / domain, names | {"domain": domain})


def _rows(study: Study, names: dict[str, Any]) -> list[Row]:
    return read_parquet(study.paths.domain(names["task"], names["domain"]) / "test.parquet")
