"""The progress of a running job, read from the lines of its log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TAIL = 16_384  # bytes of a log that are read
_STEP = re.compile(r"^step (\d{1,15})/(\d{1,15})  loss (\S+)  (\S+) steps/s  (\S+) s left$", re.MULTILINE)
_VALIDATION = re.compile(r"^step \d+/\d+  validation loss (\S+)$", re.MULTILINE)
_ERROR = re.compile(r"^tunegrid: error: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Progress:
    """The last progress that a log reports.

    Attributes:
        written: time of the last line, in seconds since the epoch.
        remaining: estimated seconds of the remaining steps at that time.
        error: the message that the job ended with.
    """

    written: float
    step: int | None = None
    steps: int | None = None
    loss: str | None = None
    validation_loss: str | None = None
    speed: float | None = None
    remaining: float | None = None
    error: str | None = None


def read_progress(log: Path) -> Progress | None:
    """Reads the last progress from a log; None: the log does not exist."""
    if not log.is_file():
        return None
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            text = file.read().decode("utf-8", "replace")
        written = log.stat().st_mtime
    except OSError:
        return None
    steps, validated, failed = _STEP.findall(text), _VALIDATION.findall(text), _ERROR.findall(text)
    error = failed[-1] if failed else None
    if not steps:
        return Progress(written, error=error)
    step, last_step, loss, speed, remaining = steps[-1]
    try:
        pace = (float(speed), float(remaining))
    except ValueError:
        pace = (None, None)
    return Progress(written, int(step), int(last_step), loss, validated[-1] if validated else None, *pace, error)


def last_checkpoint(folder: Path) -> tuple[int, float] | None:
    """(step, time) of the newest finished checkpoint of a run; None: it has none.

    Args:
        folder: the folder of its checkpoints without the end of the name, which is the hash of the configuration.
    """
    checkpoints = []
    for seal in folder.parent.glob(f"{folder.name}*/checkpoint-*/complete.json"):
        try:
            checkpoints.append((seal.stat().st_mtime, int(seal.parent.name.removeprefix("checkpoint-"))))
        except (OSError, ValueError):
            continue
    if not checkpoints:
        return None
    written, step = max(checkpoints)
    return step, written
