"""The search stage: short trainings of a cell with several learning rates; the choice among them on validation data.

Test data is never read. A trial keeps no weights and no checkpoints: its record is its only result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.temporary import temporary_folder
from tunegrid.data.parquet import read_parquet
from tunegrid.data.tokens import take_rows
from tunegrid.methods import Method
from tunegrid.methods.needs import PreferencePairs
from tunegrid.results.records import ChoiceRecord, TrialRecord, read_record, write_record, written_since
from tunegrid.results.records.search import Edge, TrialCost
from tunegrid.runtime import locks
from tunegrid.runtime.attempts import ONLY, Attempt
from tunegrid.runtime.measure import peak_memory
from tunegrid.runtime.provenance import digest, now
from tunegrid.stages.inputs import UnusableInput
from tunegrid.stages.record_facts import study_provenance
from tunegrid.stages.session import prepare
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import choice_settings, trial_settings, trial_study
from tunegrid.study.study import Study
from tunegrid.training.selection import primary_score
from tunegrid.training.session import Diverged, TrainingSession, TrainingSummary

if TYPE_CHECKING:
    import numpy as np

ROUNDING = 1e-9  # of a score: the order of a sum can change as much


def run_trial(study: Study, cell: Cell, trial: str, attempt: Attempt = ONLY) -> TrialRecord:
    """Trains and scores one trial of a cell and writes its record. `trial`: a key of `Search.trials`.

    A trial that diverges, or fails at its last attempt, is a record with a reason; a trial that is stopped starts over.

    Raises:
        AttemptFailed: the trial raised an error, and there will be another attempt.
        TuneGridError: the user has to fix something before any trial can work.
    """
    # Next to the record, as the disk of temporary files may be too small for what a trainer writes.
    folder = study.paths.trial(cell, trial).with_suffix("")
    with hold_lock(study, cell, trial), temporary_folder(folder) as scratch:
        started, clock = now(), time.perf_counter()
        settings = trial_settings(study, cell, trial)
        facts: dict[str, Any] = {}
        cost: dict[str, Any] = {}
        status, reason = "ok", None
        try:
            _train_and_score(trial_study(study, cell, trial), cell, settings, scratch, facts, cost)
        except Diverged as error:
            status, reason = "diverged", str(error)
        except UnusableInput as error:  # every attempt would end like this
            status, reason = "failed", str(error)
        except TuneGridError:
            raise  # the user has to fix something before any trial can work
        except Exception as error:
            status, reason = "failed", attempt.failure(f"{cell}, search x {trial}", error)
        cost |= {"total_seconds": time.perf_counter() - clock, "peak_memory_bytes": peak_memory()}
        return _write_trial(study, cell, trial, started, cost, status=status, reason=reason, **facts)


def hold_lock(study: Study, cell: Cell, trial: str) -> AbstractContextManager[None]:
    """Holds the lock on a trial's record."""
    return locks.hold(study.paths.lock(f"search/{cell.path}/factor-{trial}"), f"the trial {trial} of {cell}")


def write_failed_trial(study: Study, cell: Cell, trial: str, reason: str, started: str) -> TrialRecord:
    """Writes the record of a trial whose process died, unless it had done so before."""
    passed = datetime.fromisoformat(now()) - datetime.fromisoformat(started)
    cost = {"total_seconds": max(0.0, passed.total_seconds())}  # somebody may have set the clock back
    with hold_lock(study, cell, trial):
        written = written_since(started, study.paths.trial(cell, trial), TrialRecord)
        return written or _write_trial(study, cell, trial, started, cost, status="failed", reason=reason)


def _write_trial(study: Study, cell: Cell, trial: str, started: str, cost: dict[str, Any], **facts: Any) -> TrialRecord:
    """Writes the record of a trial; what is not among its facts and costs it did not come to."""
    settings = trial_settings(study, cell, trial)
    record = TrialRecord(
        **cell.names,
        metric=study.task(cell.task).primary,
        factor=study.search.trials[trial],
        learning_rate=settings["training"]["learning_rate"],
        seed=study.search.seed,
        **dict.fromkeys(("score", "validation_loss", "train_rows", "validation_rows")) | facts,
        configuration=settings,
        configuration_hash=digest(settings),
        cost=TrialCost(**dict.fromkeys(TrialCost.model_fields) | cost),
        provenance=study_provenance(study, started, data=study.paths.data_card(cell.task), model=cell.model),
    )
    write_record(study.paths.trial(cell, trial), record)
    outcome = f"{record.metric} {record.score:.4f}" if record.status == "ok" else f"{record.status}: {record.reason}"
    print(f"{cell}, learning rate {record.learning_rate:g} (x {trial}): {outcome}", flush=True)
    return record


def _train_and_score(
    study: Study, cell: Cell, settings: dict[str, Any], scratch: Path, facts: dict[str, Any], cost: dict[str, Any]
) -> None:
    """Trains and scores a trial, and fills `facts` and `cost` as it goes: a trial that fails has its cost, too.

    Args:
        study: the study of the trial.
    """
    import numpy as np

    search, paths = study.search, study.paths
    method = study.method(cell)
    # No run has the seed of the search: what starts from another run starts from that of the first seed.
    session = prepare(study, Run(cell, search.seed), method, settings, start=Run(cell, study.seeds[0]))
    rows = read_parquet(paths.split(cell.task, "validation"))
    chosen = sample(len(rows), search.validation_rows, search.seed)
    session = _shortened(session, study, cell, chosen, scratch)
    pairs = _shorten_pairs(study, cell, method)
    facts |= {"train_rows": pairs or len(np.unique(session.train["row"].to_numpy())), "validation_rows": len(chosen)}
    summary = method.fit(session)
    facts["validation_loss"] = _validation_loss(summary)
    cost |= {
        "optimisation_seconds": summary.optimisation_seconds,
        "evaluation_seconds": summary.evaluation_seconds,
        "steps": summary.steps,
        "examples": summary.examples,
        "tokens": summary.source_tokens + summary.target_tokens,
    }
    clock, task, chosen_rows = time.perf_counter(), study.task(cell.task, cell.model), [rows[i] for i in chosen]
    facts["score"] = primary_score(
        session.model.eval(), session.tokenizer, task, session.validation, chosen_rows, study.hardware.precision
    )
    cost["prediction_seconds"] = time.perf_counter() - clock


def _validation_loss(summary: TrainingSummary) -> float | None:
    """The validation loss of the weights that are predicted with; None from a loop that computes none."""
    if summary.selection is not None:
        return summary.selection.validation_loss
    return next((row["validation_loss"] for row in reversed(summary.history) if "validation_loss" in row), None)


def _shortened(
    session: TrainingSession, study: Study, cell: Cell, validation: np.ndarray, scratch: Path
) -> TrainingSession:
    """The session of a trial: with a sample of the training and validation rows, and without checkpoints to keep."""
    import numpy as np

    search, known = study.search, np.unique(session.train["row"].to_numpy())
    count = search.train_rows(study.training_settings(cell), len(known))
    chosen = known[sample(len(known), count, search.seed)]
    return replace(
        session,
        train=take_rows(session.train, chosen),
        validation=take_rows(session.validation, validation),
        read_rows=lambda: [session.rows[row] for row in chosen],
        read_validation_rows=lambda: [session.validation_rows[row] for row in validation],
        checkpoints=scratch,
    )


def _shorten_pairs(study: Study, cell: Cell, method: Method) -> int | None:
    """Leaves a method that learns from preference pairs a sample of them; returns how many pairs it is trained on."""
    search, count = study.search, None
    for need in method.needs():
        if isinstance(need, PreferencePairs):
            pairs = method.inputs[need]
            count = search.train_rows(study.training_settings(cell), len(pairs.rows["train"]))
            sizes = {"train": count, "validation": search.validation_rows}
            rows = {
                split: [pairs.rows[split][place] for place in sample(len(pairs.rows[split]), size, search.seed)]
                for split, size in sizes.items()
            }
            method.inputs[need] = replace(pairs, rows=pairs.rows | rows)
    return count


def sample(rows: int, size: int, seed: int) -> np.ndarray:
    """Sorted indices of a sample of rows: the first of a seeded permutation, so larger samples contain smaller ones."""
    import numpy as np

    return np.sort(np.random.default_rng(seed).permutation(rows)[:size])


def choose_rate(study: Study, cell: Cell) -> ChoiceRecord:
    """Chooses a cell's learning rate among its trials and writes `choice.json`.

    Raises:
        TuneGridError: the record of a trial is missing, is no record, or is of other settings.
    """
    trials = [_read_trial(study, cell, trial) for trial in study.search.trials]
    chosen = best(trials)
    outcomes = "; ".join(f"{trial.learning_rate:g} {trial.status}: {trial.reason}" for trial in trials)
    record = ChoiceRecord(
        **cell.names,
        metric=study.task(cell.task).primary,
        status="ok" if chosen else "failed",
        reason=None if chosen else f"no learning rate of the search could be scored ({outcomes})",
        **{name: getattr(chosen, name, None) for name in ("factor", "learning_rate", "score")},
        configured_learning_rate=study.training_settings(cell).learning_rate,
        edge=edge(chosen, trials) if chosen else None,
        trials=len(trials),
        search_seconds=sum(trial.cost.total_seconds for trial in trials),
        configuration_hash=digest(choice_settings(study, cell)),
    )
    write_record(study.paths.choice(cell), record)
    print(f"{cell}: learning rate {record.learning_rate:g}" if chosen else f"{cell}: {record.reason}", flush=True)
    return record


def _read_trial(study: Study, cell: Cell, trial: str) -> TrialRecord:
    file = study.paths.trial(cell, trial)
    record = read_record(file, TrialRecord, **cell.names, factor=study.search.trials[trial])
    if record.configuration_hash != digest(trial_settings(study, cell, trial)):
        raise TuneGridError(f"{file}: is a trial of other settings than the study has now. Run it again.")
    return record


def best(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """The trial with the best score; None if none could be scored.

    Scores that are below the highest by no more than one row's worth (1 / validation rows) count as equal to it: short
    trainings and few rows give many of them, and which is higher is chance. Among equals the lower validation loss
    decides, then the factor that is nearest to 1 (as a ratio), then the lower one.
    """
    scored = [trial for trial in trials if trial.status == "ok"]
    highest = max((trial.score for trial in scored), default=0.0)
    equals = [trial for trial in scored if trial.score >= highest - 1 / trial.validation_rows - ROUNDING]

    def preference(trial: TrialRecord) -> tuple[float, ...]:
        loss = math.inf if trial.validation_loss is None else trial.validation_loss
        return (loss, abs(math.log(trial.factor)), trial.factor)

    return min(equals, key=preference, default=None)


def edge(chosen: TrialRecord, trials: Sequence[TrialRecord]) -> Edge | None:
    """Whether the search says nothing about lower, or about higher, rates than the chosen one.

    A rate that diverged says that the optimum lies below it; one that failed for another reason says nothing.
    """
    known = [trial.factor for trial in trials if trial.status != "failed"]
    if chosen.factor == max(known):
        return "highest"
    return "lowest" if chosen.factor == min(known) else None
