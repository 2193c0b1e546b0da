"""The stage `evaluate-domains`: a result's predictions and scores on the other domains that its task is evaluated on.

Each is a folder beside the result's own predictions, `domains/<domain>/`, with files of the same form. The rows are
tokenised here, as those of `predict` are: a test set of another domain is nothing that is trained or chosen on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tunegrid.common.files import replaced_folder
from tunegrid.data.parquet import read_parquet
from tunegrid.results.records.evaluation import EvaluationCost
from tunegrid.runtime.measure import reset_peak_memory
from tunegrid.runtime.provenance import now
from tunegrid.stages.evaluate import Stopwatch, cost_after, evaluate_baseline, write_scores, write_unscored
from tunegrid.stages.subject import Subject, run_subject, untuned_subject
from tunegrid.study.cells import Run
from tunegrid.study.study import Study
from tunegrid.tasks.tokenise import tokenise_unlabelled


def evaluate_run_on_domains(study: Study, run: Run) -> None:
    """Scores a run on the other domains of its task; of a run that failed each gets a record without scores."""
    _evaluate(study, run_subject(study, run))


def evaluate_untuned_on_domains(study: Study, task: str, model: str) -> None:
    """Scores an untuned pretrained model on the other domains of a task."""
    _evaluate(study, untuned_subject(study, task, model))


def evaluate_baseline_on_domains(study: Study, task: str, baseline: str) -> None:
    """Scores a baseline, made of the task's own training rows, on its other domains."""
    _write_each(study, task, study.paths.baseline(task, baseline), partial(evaluate_baseline, study, task, baseline))


def _evaluate(study: Study, subject: Subject) -> None:
    from tunegrid.models.generate import NonFiniteLogits

    names, task = subject.names, subject.names["task"]
    if subject.failure:
        _write_each(
            study,
            task,
            subject.folder,
            lambda new, domain: write_unscored(study, new, names | {"domain": domain}, **subject.failure),
        )
        return
    watch = Stopwatch()
    tuned, asked = subject.load(study), subject.task
    loading = watch.lap()

    def write(new: Path, domain: str) -> None:
        identity, started = names | {"domain": domain}, now()
        rows = read_parquet(study.paths.domain(task, domain) / "test.parquet")
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

    _write_each(study, task, subject.folder, write)


def _write_each(study: Study, task: str, folder: Path, write: Callable[[Path, str], object]) -> None:
    """Writes the results of every domain of a task into a folder of its own, all or none of them."""
    with replaced_folder(study.paths.domain_results(folder)) as new:
        for domain in study.tasks[task].evaluate_on:
            print(f"domain {domain}", flush=True)
            (new / domain).mkdir()
            write(new / domain, domain)
