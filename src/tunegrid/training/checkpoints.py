"""Checkpoints on disk: which are whole, and from which one an interrupted run goes on.

The Trainer writes a checkpoint's files in place, one after the other. When all are there, a seal is written: their
sizes and hashes. A folder without a seal was not finished; one whose files are not as the seal says was damaged since.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

from tunegrid.common.files import write_json

SEAL = "complete.json"
STATE = "trainer_state.json"

_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What safetensors and torch make of an error of the system when they write a file.
_WORDS = re.compile(rf"os error ({'|'.join(map(str, _CODES))})\)|PytorchStreamWriter failed writing|file write failed")


def checkpoint(folder: Path, step: int) -> Path:
    """The checkpoint of a step, by the Trainer's own naming."""
    return folder / f"checkpoint-{step}"


def seal(checkpoint: Path) -> None:
    """Declares a checkpoint finished; its last file."""
    write_json(checkpoint / SEAL, _contents(checkpoint))


def damage(checkpoint: Path) -> str | None:
    """Why a checkpoint must not be used; None: every file is as it was written."""
    try:
        sealed = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        found = _contents(checkpoint)
    except FileNotFoundError:
        return "it was not written to its end"
    except (OSError, ValueError) as error:
        return f"it cannot be read ({error})"
    if sealed == found:
        return None
    if not isinstance(sealed, dict):
        return f"{SEAL} is damaged"
    return f"{next(name for name in {**sealed, **found} if sealed.get(name) != found.get(name))} is damaged"


def last_checkpoint(folder: Path, *, keep_best: bool = False) -> Path | None:
    """The newest checkpoint that a run can go on from; newer ones that are damaged are reported and removed.

    Args:
        keep_best: the checkpoint that was the best so far must be whole, too.
    """
    for one in sorted(folder.glob("checkpoint-*"), key=_step, reverse=True):
        reason = damage(one)
        if reason is None and keep_best and (best := read_state(one)["best_global_step"]) is not None:
            problem = damage(checkpoint(folder, best))
            reason = f"the best one so far, of step {best}, is missing or damaged" if problem else None
        if reason is None:
            return one
        # It would be written over, and by half hold what was there before.
        print(f"{one} is not used: {reason}", flush=True)
        shutil.rmtree(one)
    return None


def prune(folder: Path, count: int, *, keep_best: bool = False) -> None:
    """Removes all but so many checkpoints: the newest, with `keep_best` the best, and older ones as there is room.

    With `keep_best` a checkpoint is of use only together with the best one at its time, which need not be the best one
    now: where the newest is damaged, a run has to find both.
    """
    best_of = {_step(one): _best(one) if keep_best else None for one in folder.glob("checkpoint-*")}
    newest, *older = sorted(best_of, reverse=True)
    kept = {newest, best_of[newest] or newest}
    for step in older:
        both = kept | {step, best_of[step] or step}
        if len(both) <= count and both <= best_of.keys():
            kept = both
    for step in best_of.keys() - kept:
        shutil.rmtree(checkpoint(folder, step), ignore_errors=True)


def _best(checkpoint: Path) -> int | None:
    """The step of the best one at a checkpoint's time; -1: it cannot be read, and is of no use."""
    try:
        return read_state(checkpoint)["best_global_step"]
    except (OSError, ValueError):
        return -1


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The Trainer's state as a checkpoint holds it."""
    return json.loads((checkpoint / STATE).read_text(encoding="utf-8"))


def is_last(checkpoint: Path) -> bool:
    """Whether the run had come to its end: the last step was done, or early stopping had said so.

    The Trainer itself forgets this and would do another step.
    """
    return _control(read_state(checkpoint))["should_training_stop"]


def lacks_evaluation(checkpoint: Path) -> bool:
    """Whether the run was stopped before an evaluation that was due after the checkpoint's step was done."""
    state = read_state(checkpoint)
    done = any("eval_loss" in row and row["step"] == state["global_step"] for row in state["log_history"])
    return _control(state)["should_evaluate"] and not done


def _control(state: dict[str, Any]) -> dict[str, bool]:
    return state["stateful_callbacks"]["TrainerControl"]["args"]


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, says that a file could not be written for want of space."""
    if error is None:
        return False
    code = getattr(error, "errno", None)
    return code in _CODES or _WORDS.search(str(error)) is not None or disk_is_full(error.__cause__)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def _contents(checkpoint: Path) -> dict[str, list[Any]]:
    """{file: [bytes, SHA-256]} of a checkpoint's files, the seal aside."""
    contents = {}
    for file in sorted(checkpoint.iterdir()):
        if file.name != SEAL and not file.name.startswith("."):
            with file.open("rb") as opened:
                contents[file.name] = [file.stat().st_size, hashlib.file_digest(opened, "sha256").hexdigest()]
    return contents
