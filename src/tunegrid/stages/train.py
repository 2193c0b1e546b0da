"""The training stage: one run, from a base model and token ids to weights, history, cost and provenance."""

from __future__ import annotations

import shutil
import time
import traceback
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder, size_of
from tunegrid.methods import Method
from tunegrid.models.flops import numbers_in, trainable_parameters
from tunegrid.models.seal import digests
from tunegrid.results.records import (
    Injected,
    Observation,
    Parameters,
    TrainRecord,
    write_record,
    written_since,
)
from tunegrid.runtime import locks, parent, snakemake
from tunegrid.runtime.attempts import ONLY, Attempt, AttemptFailed
from tunegrid.runtime.measure import reset_peak_memory
from tunegrid.runtime.provenance import digest, now
from tunegrid.runtime.stopping import Interrupted, Stop, Stopped
from tunegrid.stages.inputs import UnusableInput
from tunegrid.stages.record_facts import study_provenance, training_cost
from tunegrid.stages.session import NoLearningRate, checkpoints_folder, prepare, searched
from tunegrid.study.cells import Run
from tunegrid.study.stage_settings import run_settings
from tunegrid.study.study import Study
from tunegrid.training.checkpoints import disk_is_full
from tunegrid.training.history import keep_history, write_history
from tunegrid.training.session import Diverged, TrainingSession, TrainingSummary

# Rows and tokens on which a tuned model's generation is compared with its training: a fault shows in the first ones.
CHECKED_ROWS, CHECKED_TOKENS = 3, 8


class WrongGeneration(Exception):
    """A tuned model that does not generate as it was trained; the message says how."""


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
    with hold_lock(study, run), Stop(f"{run.cell}, seed {run.seed}").listening() as stop:
        try:
            return _train(study, run, folder, attempt, stop)
        except (AttemptFailed, Stopped, TuneGridError):
            raise
        except Exception as error:
            if problem := no_space(folder, error):
                raise problem from error
            raise


def hold_lock(study: Study, run: Run) -> AbstractContextManager[None]:
    """Holds the lock on a run's results: two processes must never write them at once."""
    return locks.hold(study.paths.lock(f"train/{run.path}"), f"the run {run.cell}, seed {run.seed},")


def no_space(place: Path, error: Exception) -> TuneGridError | None:
    """Explains an error that a full disk caused; None: something else caused it."""
    if not disk_is_full(error):
        return None
    return TuneGridError(
        f"{place}: cannot be written: {error}. Make room and start again: "
        "the run goes on from its last checkpoint, if it has one."
    )


def _train(study: Study, run: Run, folder: Path, attempt: Attempt, stop: Stop) -> TrainRecord:
    started, clock = now(), time.perf_counter()
    settings, cell = run_settings(study, run.cell), run.cell
    facts: dict[str, Any] = {"parameters": None, "injected": None, "selection": None, "weights": None, "cost": None}
    status, reason = "ok", None
    method, session, summary = study.method(cell), None, TrainingSummary()
    for leftover in folder.glob(".weights.*"):  # of a process that was killed while it saved
        shutil.rmtree(leftover)
    with replaced_folder(folder / "weights") as weights:
        try:
            study, origin = searched(study, cell)
            settings = run_settings(study, cell) | origin
            with stop.interrupting():
                session = prepare(study, run, method, settings)
            session.stop = stop
            facts |= _size(method, session.model)
            size, injected = facts["parameters"], facts["injected"].count
            print(f"{cell}, seed {run.seed}: {size.trainable} of {size.total} parameters, {injected} modules injected")
            loading_seconds = time.perf_counter() - clock
            reset_peak_memory()  # loading may have needed more
            summary = method.fit(session)
            _check_generation(session)
            clock = time.perf_counter()
            method.save(session.model, weights)
            summary.saving_seconds += time.perf_counter() - clock
            facts |= {
                "selection": summary.selection,
                "observations": [Observation(**row) for row in summary.observations],
                "cost": training_cost(
                    summary, method.counted(session.model), loading_seconds, size_of(weights), method.added_tokens
                ),
                "weights": digests(weights),
            }
        except Interrupted:
            raise Stopped(stop, 0) from None
        except Diverged as error:
            status, reason, summary.history = "diverged", str(error), error.history
        except (NoLearningRate, UnusableInput, WrongGeneration) as error:  # another attempt would end like this one
            status, reason = "failed", str(error)
        except (Stopped, TuneGridError):
            raise  # no result; with the latter, the user has to fix something before any run can work
        except Exception as error:
            if problem := no_space(folder / "weights", error):  # says nothing about the method
                raise problem from error
            traceback.print_exc()
            reason = f"{type(error).__name__}: {error}"
            if not attempt.is_last:
                raise AttemptFailed(f"{cell}, seed {run.seed}: {attempt.label(reason)}") from error
            status, reason = "failed", attempt.label(reason)
        if status != "ok":  # weights that were saved in part would look complete
            shutil.rmtree(weights)
            weights.mkdir()
    if status == "failed" and session:
        keep_history(session.checkpoints, folder)
    else:
        write_history(summary.history, folder / "history.csv")
    record = _write_record(study, run, folder, settings, started, status=status, reason=reason, **facts)
    # Checkpoints are removed only now that all results exist. A run that failed may be started again; one that diverged
    # would diverge again. A command or Snakemake that is gone does not learn that the run is done, and starts it again.
    is_known = parent.callers_are_alive() and not snakemake.is_abandoned()
    if session and status != "failed" and is_known and session.training.keep_checkpoints == "until-success":
        shutil.rmtree(session.checkpoints, ignore_errors=True)
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
        for leftover in folder.glob(".weights.*"):
            shutil.rmtree(leftover)
        with replaced_folder(folder / "weights"):
            pass
        keep_history(checkpoints_folder(study, run, settings), folder)
        return _write_record(study, run, folder, settings, started, status="failed", reason=reason)


def _write_record(
    study: Study, run: Run, folder: Path, settings: dict[str, Any], started: str, **facts: Any
) -> TrainRecord:
    cell, paths = run.cell, study.paths
    record = TrainRecord(
        task=cell.task,
        model=cell.model,
        method=cell.method,
        seed=run.seed,
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
        WrongGeneration: it does not, or its logits are no numbers.
    """
    from tunegrid.models.agreement import Disagreement, check_agreement
    from tunegrid.models.generate import NonFiniteLogits

    generation = session.task.settings.generation
    short = generation.model_copy(update={"max_new_tokens": min(generation.max_new_tokens, CHECKED_TOKENS)})
    sources = session.validation.slice(0, CHECKED_ROWS).column("input_ids").to_pylist()
    try:
        check_agreement(session.model, session.tokenizer, sources, short)
    except (Disagreement, NonFiniteLogits) as error:
        raise WrongGeneration(str(error)) from None


def _size(method: Method, model: Any) -> dict[str, Any]:
    total = sum(map(numbers_in, model.parameters()))
    modules = method.injected_modules(model)
    return {
        "parameters": Parameters(total=total, trainable=trainable_parameters(model)),
        "injected": Injected(count=len(modules), expected=len(modules), modules=modules),
    }
