"""How far a job at work is, by the lines of its log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TAIL = 16_384  # bytes of a log that are read
_STEP = re.compile(r"^step (\d+)/(\d+)  loss (\S+)  (\S+) steps/s  (\S+) s left$", re.MULTILINE)
_VALIDATION = re.compile(r"^step \d+/\d+  validation loss (\S+)$", re.MULTILINE)
_ERROR = re.compile(r"^tunegrid: error: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Progress:
    """The last that a log says.

    Attributes:
        written: when, in seconds since the epoch.
        left: seconds that the steps still took then.
        error: the message that the job ended with.
    """

    written: float
    step: int | None = None
    steps: int | None = None
    loss: str | None = None
    validation_loss: str | None = None
    speed: float | None = None
    left: float | None = None
    error: str | None = None


def progress(log: Path) -> Progress | None:
    """What a log says last; None: there is none."""
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
    step, of, loss, speed, left = steps[-1]
    try:
        pace = (float(speed), float(left))
    except ValueError:
        pace = (None, None)
    return Progress(written, int(step), int(of), loss, validated[-1] if validated else None, *pace, error)


def last_checkpoint(folder: Path) -> tuple[int, float] | None:
    """(step, time) of the newest finished checkpoint of a run; `folder`: that of its checkpoints but for the end of
    its name, which names the configuration."""
    found = []
    for seal in folder.parent.glob(f"{folder.name}*/checkpoint-*/complete.json"):
        try:
            found.append((seal.stat().st_mtime, int(seal.parent.name.removeprefix("checkpoint-"))))
        except (OSError, ValueError):
            continue
    if not found:
        return None
    written, step = max(found)
    return step, written
