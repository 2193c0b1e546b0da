"""The training stage: one run, from a base model and token ids to weights, history, cost and provenance."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import size_of
from tunegrid.models.flops import total_parameters, trainable_parameters
from tunegrid.models.seal import digests
from tunegrid.results.records import TrainRecord, write_record, written_since
from tunegrid.results.records.training import Injected, Observation, Parameters
from tunegrid.runtime import locks
from tunegrid.runtime.attempts import ONLY, Attempt
from tunegrid.runtime.measure import reset_peak_memory
from tunegrid.runtime.provenance import digest, now
from tunegrid.runtime.stopping import Stop
from tunegrid.stages.record_facts import study_provenance, training_cost
from tunegrid.stages.session import NoLearningRate, checkpoints_folder, prepare, searched
from tunegrid.stages.training_outcome import Unusable, explaining_a_full_disk, leave_no_weights, training_outcome
from tunegrid.study.cells import Run
from tunegrid.study.stage_settings import run_settings
from tunegrid.study.study import Study
from tunegrid.training.history import keep_history
from tunegrid.training.session import TrainingSession

# Rows and tokens on which a tuned model's generation is compared with its training: a fault shows in the first ones.
CHECKED_ROWS, CHECKED_TOKENS = 3, 8


def train(study: Study, run: Run, folder: Path, attempt: Attempt = ONLY) -> TrainRecord:
    """Trains one run and writes `weights/`, `history.csv` and `train.json` into a folder.

    A run that fails at its last attempt is a result too: its record says why, and its weights are an empty folder.
    Checkpoints are kept until the run ends; an interrupted run resumes from them when it is started again.

    Raises:
        AttemptFailed: the training raised an error, and there will be another attempt.
        Stopped: the process was asked to end before the run was done.
        TuneGridError: the user has to fix something before this run can work: no GPU, a full disk, another process that
            trains the same run, …
    """
    listening = Stop(f"{run.cell}, seed {run.seed}").listening()
    with hold_lock(study, run), listening as stop, explaining_a_full_disk(folder):
        return _train(study, run, folder, attempt, stop)


def hold_lock(study: Study, run: Run) -> AbstractContextManager[None]:
    """Holds the lock on a run's results: two processes must never write them at once."""
    return locks.hold(study.paths.lock(f"train/{run.path}"), f"the run {run.cell}, seed {run.seed},")


def _train(study: Study, run: Run, folder: Path, attempt: Attempt, stop: Stop) -> TrainRecord:
    started, clock = now(), time.perf_counter()
    settings, cell = run_settings(study, run.cell), run.cell
    method, title = study.method(cell), f"{run.cell}, seed {run.seed}"
    with training_outcome(title, folder, attempt, stop) as outcome:
        study, origin = searched(study, cell)
        settings = run_settings(study, cell) | origin
        with stop.interrupting():
            outcome.session = session = prepare(study, run, method, settings)
        session.stop = stop
        size = Parameters(total=total_parameters(session.model), trainable=trainable_parameters(session.model))
        modules = method.injected_modules(session.model)
        injected = Injected(count=len(modules), expected=len(modules), modules=modules)
        outcome.facts = {"parameters": size, "injected": injected}
        print(f"{title}: {size.trainable} of {size.total} parameters, {injected.count} modules injected")
        loading_seconds = time.perf_counter() - clock
        reset_peak_memory()  # loading may have needed more
        outcome.summary = summary = method.fit(session)
        _check_generation(session)
        clock = time.perf_counter()
        method.save(session.model, outcome.weights)
        summary.saving_seconds += time.perf_counter() - clock
        saved_bytes = size_of(outcome.weights)
        outcome.facts |= {
            "selection": summary.selection,
            "observations": [Observation(**row) for row in summary.observations],
            "cost": training_cost(
                summary,
                method.counted(session.model),
                loading_seconds,
                saved_bytes,
                method.added_tokens,
                method.forward_formula,
            ),
            "weights": digests(outcome.weights),
        }
    record = _write_record(
        study, run, folder, settings, started, status=outcome.status, reason=outcome.reason, **outcome.facts
    )
    outcome.remove_checkpoints()
    return record


def write_failure(study: Study, run: Run, folder: Path, reason: str, started: str) -> TrainRecord:
    """Writes the results of a run whose process died: a record with the reason, no weights, the history so far.

    Results that the process, started at `started`, had written before it died are left as they are.
    """
    settings = run_settings(study, run.cell)
    with hold_lock(study, run):
        if (written := written_since(started, folder / "train.json", TrainRecord)) is not None:
            return written
        with suppress(NoLearningRate, TuneGridError):
            study, origin = searched(study, run.cell)
            settings = run_settings(study, run.cell) | origin
        leave_no_weights(folder)
        keep_history(checkpoints_folder(study, run, settings), folder)
        return _write_record(study, run, folder, settings, started, status="failed", reason=reason)


def _write_record(
    study: Study, run: Run, folder: Path, settings: dict[str, Any], started: str, **facts: Any
) -> TrainRecord:
    cell, paths = run.cell, study.paths
    record = TrainRecord(
        **run.names,
        configuration=settings,
        configuration_hash=digest({**settings, "seed": run.seed}),
        **{"parameters": None, "injected": None, "cost": None} | facts,
        provenance=study_provenance(study, started, data=paths.training_card(cell), model=cell.model),
    )
    write_record(folder / "train.json", record)
    return record


def _check_generation(session: TrainingSession) -> None:
    """Checks on a few validation rows that the tuned model generates as it was trained (`models.agreement`).

    Raises:
        Unusable: it does not, or its logits are no numbers.
    """
    from tunegrid.models.agreement import Disagreement, check_agreement
    from tunegrid.models.generate import NonFiniteLogits

    generation = session.task.settings.generation
    short = generation.model_copy(update={"max_new_tokens": min(generation.max_new_tokens, CHECKED_TOKENS)})
    sources = session.validation.slice(0, CHECKED_ROWS).column("input_ids").to_pylist()
    try:
        check_agreement(session.model, session.tokenizer, sources, short)
    except (Disagreement, NonFiniteLogits) as error:
        raise Unusable(str(error)) from None
