"""How a training may end, and what each end leaves in the folder of its results."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder
from tunegrid.runtime import parent, snakemake
from tunegrid.runtime.attempts import Attempt, AttemptFailed
from tunegrid.runtime.stopping import Interrupted, Stop, Stopped
from tunegrid.stages.inputs import UnusableInput
from tunegrid.training.checkpoints import disk_is_full
from tunegrid.training.history import keep_history, write_history
from tunegrid.training.session import Diverged, TrainingSession, TrainingSummary

if TYPE_CHECKING:
    from tunegrid.results.records.outcome import RunStatus


class Unusable(Exception):
    """A model that was trained and is no result; the message says why. Another attempt would end like this one."""


@dataclass
class TrainingOutcome:
    """What a training came to; the stage fills it in.

    Attributes:
        weights: the folder that becomes `weights/`; empty where the status is not ok.
        session: None until the data and the model are loaded.
        facts: fields of the record that are known so far.
    """

    weights: Path
    status: RunStatus = "ok"
    reason: str | None = None
    session: TrainingSession | None = None
    summary: TrainingSummary = field(default_factory=TrainingSummary)
    facts: dict[str, Any] = field(default_factory=dict)

    def remove_checkpoints(self) -> None:
        """Removes the checkpoints of a training that is done; called once all of its results are written.

        A training that failed may be started again; one that diverged would diverge again. A command or Snakemake that
        is gone does not learn that the training is done, and starts it again.
        """
        is_known = parent.callers_are_alive() and not snakemake.is_abandoned()
        session = self.session
        if session and self.status != "failed" and is_known and session.training.keep_checkpoints == "until-success":
            shutil.rmtree(session.checkpoints, ignore_errors=True)


@contextmanager
def training_outcome(title: str, folder: Path, attempt: Attempt, stop: Stop) -> Iterator[TrainingOutcome]:
    """Turns how its body ends into an outcome, and leaves `weights/` and `history.csv` in a folder.

    Args:
        title: what is trained, for messages.
        stop: a training that it interrupts before its first step has nothing to save.

    Raises:
        AttemptFailed: the body raised an error, and there will be another attempt.
        Stopped: the process was asked to end before the training was done.
        TuneGridError: no result, for the user has to fix something: no GPU, a full disk, …
    """
    _remove_leftovers(folder)
    with replaced_folder(folder / "weights") as weights:
        outcome = TrainingOutcome(weights)
        try:
            yield outcome
        except Interrupted:
            raise Stopped(stop, 0) from None
        except Diverged as error:
            outcome.status, outcome.reason, outcome.summary.history = "diverged", str(error), error.history
        except (UnusableInput, Unusable) as error:  # every attempt would end like this
            outcome.status, outcome.reason = "failed", str(error)
        except (Stopped, TuneGridError):
            raise
        except Exception as error:
            if problem := _no_space(folder / "weights", error):  # says nothing about the method
                raise problem from error
            outcome.status, outcome.reason = "failed", attempt.failure(title, error)
        if outcome.status != "ok":  # weights that were saved in part would look complete
            shutil.rmtree(weights)
            weights.mkdir()
    if outcome.status == "failed" and outcome.session:
        keep_history(outcome.session.checkpoints, folder)
    else:
        write_history(outcome.summary.history, folder / "history.csv")


@contextmanager
def explaining_a_full_disk(folder: Path) -> Iterator[None]:
    """Turns an error of its body that a full disk caused into a TuneGridError; the results go to `folder`."""
    try:
        yield
    except (AttemptFailed, Stopped, TuneGridError):
        raise
    except Exception as error:
        if problem := _no_space(folder, error):
            raise problem from error
        raise


def leave_no_weights(folder: Path) -> None:
    """Leaves an empty `weights/`, which a training whose process died did not come to."""
    _remove_leftovers(folder)
    with replaced_folder(folder / "weights"):
        pass


def _remove_leftovers(folder: Path) -> None:
    """Removes what a process left that was killed while it saved."""
    for leftover in folder.glob(".weights.*"):
        shutil.rmtree(leftover)


def _no_space(place: Path, error: Exception) -> TuneGridError | None:
    if not disk_is_full(error):
        return None
    return TuneGridError(
        f"{place}: cannot be written: {error}. Make room and start again: "
        "the run goes on from its last checkpoint, if it has one."
    )
