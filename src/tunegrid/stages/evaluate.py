"""The evaluation stage: a run's (or an untuned model's, or a baseline's) predictions and scores on the test set."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced
from tunegrid.data.parquet import read_parquet
from tunegrid.data.tokens import read_tokens
from tunegrid.results.records import MetricsRecord, write_record, written_since
from tunegrid.results.records.evaluation import EvaluationCost, Score
from tunegrid.results.records.outcome import RunStatus
from tunegrid.runtime import measure
from tunegrid.runtime.measure import peak_memory, reset_peak_memory
from tunegrid.runtime.provenance import Provenance, now
from tunegrid.stages.record_facts import study_provenance
from tunegrid.stages.subject import Subject, run_subject, untuned_subject
from tunegrid.study.cells import Run
from tunegrid.study.mixtures import test_tokens
from tunegrid.study.study import Study
from tunegrid.tasks import Row, Task
from tunegrid.tasks.base import Baseline, BaselineUndefined

if TYPE_CHECKING:
    import pandas as pd

    from tunegrid.stages.latency import TunedModel


class Stopwatch:
    """A stopwatch of laps, in seconds."""

    def __init__(self) -> None:
        self._last = measure.clock()

    def lap(self) -> float:
        last, self._last = self._last, measure.clock()
        return self._last - last


def evaluate_run(study: Study, run: Run, folder: Path) -> MetricsRecord:
    """Predicts and scores the test set with a run's weights; a run that failed gets a record without scores."""
    subject = run_subject(study, run, folder)
    return _evaluate(study, subject, test_tokens(study, run.cell), study.measure.latency_examples)


def evaluate_untuned(study: Study, task: str, model: str, folder: Path) -> MetricsRecord:
    """Predicts and scores the test set with an untuned pretrained model."""
    subject = untuned_subject(study, task, model, folder)
    return _evaluate(study, subject, study.paths.tokens(task, model) / "test.arrow")


def _evaluate(study: Study, subject: Subject, tokens: Path, latency_examples: int = 0) -> MetricsRecord:
    if subject.failure:
        return write_unscored(study, subject.folder, subject.names, **subject.failure)
    return evaluate_loaded(
        study, subject.folder, subject.names, lambda: (subject.load(study), {}), tokens, latency_examples
    )


def evaluate_baseline(
    study: Study, task_name: str, baseline: str, folder: Path, domain: str | None = None
) -> MetricsRecord:
    """Scores a baseline that needs no pretrained model.

    Where the training rows do not define it, the trivial baseline stands in for it, and the record says so. Where it
    fails, the record has no scores, but the reason.

    Args:
        domain: another domain of the task, whose test rows are predicted; None: the task's own.
    """
    started, watch = now(), Stopwatch()
    task = study.task(task_name)
    data = study.paths.data(task_name)
    names = _baseline_names(task_name, baseline) | {"domain": domain}
    defined = task.baselines()[baseline]
    rows = study.paths.domain(task_name, domain) if domain else data
    train, test = _training_rows(data, defined), read_parquet(rows / "test.parquet")
    seconds = {"load_seconds": watch.lap()}
    reset_peak_memory()
    note = None
    try:
        try:
            predictions = defined.predict(train, test, _generator(task))
        except BaselineUndefined as error:
            trivial = task.baselines()[task.trivial_baseline]
            if trivial.title == defined.title:
                raise
            predictions = trivial.predict(_training_rows(data, trivial), test, _generator(task))
            note = f"{error}; “{trivial.title}” stands in"
        seconds["prediction_seconds"] = watch.lap()
        cost = EvaluationCost(**seconds, **cost_after(len(test), seconds["prediction_seconds"]))
        return write_scores(study, folder, names, task, test, predictions, None, cost, started, note=note)
    except OSError as error:
        raise TuneGridError(f"{error.filename or folder}: {error.strerror or error}.") from error
    except Exception as error:
        traceback.print_exc()
        return write_unscored(study, folder, names, "failed", f"{type(error).__name__}: {error}")


def write_failed_baseline(
    study: Study, task: str, baseline: str, folder: Path, reason: str, started: str
) -> MetricsRecord:
    """Writes the results of a baseline whose process died at `started` or later, unless it had written them."""
    written = written_since(started, folder / "metrics.json", MetricsRecord)
    return written or write_unscored(study, folder, _baseline_names(task, baseline), "failed", reason)


def _baseline_names(task: str, baseline: str) -> dict[str, Any]:
    return {"kind": "baseline", "task": task, "model": None, "method": baseline, "seed": None}


def _training_rows(data: Path, baseline: Baseline) -> list[Row]:
    columns = baseline.training_columns
    return read_parquet(data / "train.parquet", columns) if columns else []


def _generator(task: Task) -> random.Random:
    return random.Random(task.settings.source.seed)


def evaluate_loaded(
    study: Study,
    folder: Path,
    names: dict[str, Any],
    load: Callable[[], tuple[TunedModel, dict[str, Any]]],
    token_file: Path,
    latency_examples: int,
    **computed: str,
) -> MetricsRecord:
    """Predicts and scores the test set with a model, and writes the results into a folder.

    Args:
        names: fields of the record that say what is evaluated.
        load: loads the model; returns it and further fields of the record.
        token_file: of the test rows' token ids, as the model is asked.
        latency_examples: test examples whose latency is measured.
        computed: `engine` and `precision` of the computation, where they are not the study's.
    """
    started, watch = now(), Stopwatch()
    from tunegrid.models.generate import NonFiniteLogits
    from tunegrid.stages.latency import inference_cost

    tuned, more = load()
    names = names | more
    rows = read_parquet(study.paths.split(names["task"], "test"))
    tokens = read_tokens(token_file)
    seconds = {"load_seconds": watch.lap()}
    reset_peak_memory()  # loading may have needed more
    try:
        predicted = tuned.predict(tokens, len(rows))
        seconds["prediction_seconds"] = watch.lap()
        after = cost_after(len(rows), seconds["prediction_seconds"])
        cost = EvaluationCost(**seconds, **after, inference=inference_cost(tuned, tokens, predicted, latency_examples))
    except NonFiniteLogits as error:
        return write_unscored(study, folder, names, "failed", str(error))
    return write_scores(
        study, folder, names, tuned.task, rows, predicted.texts, predicted.columns, cost, started, predicted.cut,
        **computed,
    )  # fmt: skip


def cost_after(examples: int, seconds: float) -> dict[str, Any]:
    """Returns the part of the cost that is known once all examples are predicted."""
    per_second = examples / seconds if seconds else None
    return {"scoring_seconds": None, "examples_per_second": per_second, "peak_memory_bytes": peak_memory()}


def write_scores(
    study: Study,
    folder: Path,
    names: dict[str, Any],
    task: Task,
    rows: Sequence[Row],
    predictions: list[str],
    more_columns: pd.DataFrame | None,
    cost: EvaluationCost,
    started: str,
    predictions_cut: int | None = None,
    note: str | None = None,
    **computed: str,
) -> MetricsRecord:
    import pandas as pd

    watch = Stopwatch()
    scores = task.score(predictions, rows)
    table = pd.DataFrame(
        {
            "id": [row["id"] for row in rows],
            "prediction": predictions,
            "references": [task.references(row) for row in rows],
        }
    )
    table = pd.concat([table, scores.examples, *([more_columns] if more_columns is not None else [])], axis=1)
    with replaced(folder / "predictions.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    record = MetricsRecord(
        **names,
        status="ok",
        reason=None,
        examples=len(rows),
        predictions_cut=predictions_cut,
        note=note,
        primary=task.primary,
        metrics={
            metric.name: Score(
                value=scores.metrics[metric.name],
                direction="higher",
                signature=scores.signatures.get(metric.name),
                undefined=scores.undefined.get(metric.name),
            )
            for metric in task.metrics
        },
        cost=cost.model_copy(update={"scoring_seconds": watch.lap()}),
        provenance=_provenance(
            study, names, started, **{"engine": study.evaluation.engine if names["model"] else None} | computed
        ),
    )
    write_record(folder / "metrics.json", record)
    summary = "  ".join(f"{name} {metric.value:.4f}" for name, metric in record.metrics.items())
    print(f"{len(rows)} examples in {cost.prediction_seconds:.1f} s: {summary}", flush=True)
    return record


def write_unscored(study: Study, folder: Path, names: dict[str, Any], status: RunStatus, reason: str) -> MetricsRecord:
    """Writes the results of what cannot be scored."""
    import pandas as pd

    with replaced(folder / "predictions.parquet") as temporary:
        pd.DataFrame({"id": [], "prediction": [], "references": []}).to_parquet(temporary, index=False)
    record = MetricsRecord(
        **names,
        status=status,
        reason=reason,
        examples=0,
        primary=study.task(names["task"]).primary,
        metrics={},
        cost=None,
        provenance=_provenance(study, names, now()),
    )
    write_record(folder / "metrics.json", record)
    print(f"{status}: {reason}", flush=True)
    return record


def _provenance(study: Study, names: dict[str, Any], started: str, **computed: str | None) -> Provenance:
    data = study.paths.data_card(names["task"])
    if domain := names.get("domain"):
        data = study.paths.domain(names["task"], domain) / "card.json"
    return study_provenance(study, started, data=data, model=names["model"], **computed)
