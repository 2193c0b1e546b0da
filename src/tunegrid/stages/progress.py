"""The progress of a workflow that runs: a display on a terminal, else a line for each run that is scored or failed.

Snakemake's log says what its jobs do; the study's files say how far they are, and what came of them.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from snakemake_interface_logger_plugins.common import LogEvent

from tunegrid.common.digits import rough_duration
from tunegrid.results.records import read_any_record
from tunegrid.study.cells import Cell
from tunegrid.study.status.alive import Alive, Snakemake, look
from tunegrid.study.status.items import comment_of, items
from tunegrid.study.status.progress import read_progress
from tunegrid.study.status.read import StudyStatus, read_status
from tunegrid.study.status.screen import DONE, FAILED, format_screen, run_states
from tunegrid.study.study import Study

SECONDS = 1.0  # between two looks at the files
SHARE = 0.02  # of a core, at most, that looking may take
SCHEDULER_SECONDS = 60.0  # between two looks at a cluster's queue
START, END = "\x1b[H", "\x1b[J"  # to the top of the screen; clear what is below
CLEAR_LINE = "\x1b[K"
STOPPED = "Stopping: jobs at work save what they have, and go on from there at the next start."
STOPPING = "Terminating processes on user request"  # Snakemake's message after Ctrl-C


class Progress(logging.Handler):
    """Follows Snakemake's log from the first job to the last, and shows the study's state."""

    def __init__(self, workflow: Any, study: Study, stream: TextIO) -> None:
        super().__init__()
        self._workflow, self._study, self._stream = workflow, study, stream
        self._files: list[Path] = list(workflow.configfiles)
        self._known = {item.comment: item for item in items(study)}
        self._comments: dict[int, str] = {}  # of jobs that were started, by Snakemake's number of the job
        self._running: dict[str, float] = {}  # start times, by comment
        self._pending: set[str] = set()
        self._jobs, self._note = (0, 0), ""
        self._shown: dict[tuple[Cell, str], str] = {}
        self._errors: list[str] = []
        self._records: dict[Path, tuple[int, dict[str, Any]]] = {}
        self._queue, self._looked = Alive(), 0.0
        self._ended, self._thread = threading.Event(), threading.Thread(target=self._show, daemon=True)
        self._on_screen = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def begin(self) -> None:
        """Starts to show the progress."""
        self._log = os.path.relpath(next(iter(self._workflow.logger_manager.get_logfile()), ".snakemake/log"))
        self._pending = {comment_of(job.rule.name, job.wildcards) for job in self._workflow.dag.needrun_jobs()}
        self._jobs = (0, len(self._workflow.dag))
        if self._on_screen:
            with suppress(OSError):  # what was on the screen scrolls away and can be scrolled back
                self._stream.write("\n" * os.get_terminal_size(self._stream.fileno()).lines)
        else:
            self._print(f"Snakemake's log: {self._log}")
            self._shown = run_states(self._read())
        self._thread.start()

    def end(self) -> None:
        """Shows the last state and stops."""
        if self._thread.is_alive():
            self._ended.set()
            self._thread.join()
            self._update()
            if self._errors:
                self._print("\n".join(self._errors))

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            comment = comment_of(record.rule_name, record.wildcards.values())
            self._comments[record.jobid] = comment
            self._running[comment] = time.time()
        elif event == LogEvent.JOB_FINISHED:
            comment = self._comments.get(record.job_id, "")
            self._running.pop(comment, None)
            self._pending.discard(comment)
        elif event == LogEvent.JOB_ERROR:
            self._running.pop(self._comments.get(record.jobid, ""), None)
            if self._note == STOPPED:  # by Ctrl-C; that is no failure of the job
                return
            lines = error_lines(record)
            if self._on_screen and self._thread.is_alive():
                self._note = f"{FAILED}    {' '.join(lines[0].split())}"
                self._errors += lines
            else:
                self._print("\n".join(lines))
        elif event == LogEvent.PROGRESS:
            self._jobs = (record.done, record.total)
        elif str(record.msg).startswith(STOPPING):
            self._note = STOPPED
            if not self._on_screen:
                self._print(self._note)

    def _show(self) -> None:
        pause = SECONDS
        while not self._ended.wait(pause):
            start = time.thread_time()
            self._update()
            pause = max(SECONDS, (time.thread_time() - start) / SHARE)

    def _update(self) -> None:
        status = self._read()
        if self._on_screen:
            self._paint(status)
        else:
            for line in self._news(status):
                self._print(line)

    def _read(self) -> StudyStatus:
        status = read_status(self._study, self._files, self._record, self._alive(), outdated=False)
        # The files of a job that has to run again are there until it starts.
        jobs = [
            replace(job, state="waiting") if job.state == "done" and job.item.comment in self._pending else job
            for job in status.jobs
        ]
        return replace(status, jobs=jobs)

    def _record(self, file: Path) -> dict[str, Any]:
        """The content of a record, which is read again when its file has changed."""
        written = file.stat().st_mtime_ns
        if self._records.get(file, (None,))[0] != written:
            self._records[file] = (written, read_any_record(file))
        return self._records[file][1]

    def _alive(self) -> Alive:
        """The jobs at work: those that Snakemake has started here, or those that a cluster's queue says are running."""
        if not self._workflow.local_exec:
            if time.time() - self._looked > SCHEDULER_SECONDS:
                self._queue, self._looked = look(self._files), time.time()
            return self._queue
        commands = {self._known[name].command: at for name, at in list(self._running.items()) if name in self._known}
        cores = self._workflow.resource_settings.cores
        return Alive(Snakemake(os.getpid(), time.time(), cores), commands)

    def _paint(self, status: StudyStatus) -> None:
        with suppress(OSError):  # the terminal is gone
            size = os.get_terminal_size(self._stream.fileno())
            lines = format_screen(status, size.columns, size.lines, self._jobs, self._log, self._note)
            self._print(START + "".join(f"{line}{CLEAR_LINE}\n" for line in lines) + END, end="")

    def _news(self, status: StudyStatus) -> Iterator[str]:
        """A line for each run that has been scored or has failed since the last look."""
        states, seconds = run_states(status), status.remaining
        left = f", about {rough_duration(seconds)} left" if seconds else ""
        count = sum(state in (DONE, FAILED) for state in states.values())
        reasons = {(job.item.cell, job.item.part): job.reason for job in status.jobs if job.state == "failed"}
        scores = {(job.item.cell, job.item.part): job.score for job in status.in_stage("evaluation")}
        for run, state in states.items():
            if state == self._shown.get(run) or state not in (DONE, FAILED):
                continue
            score = scores.get(run)
            what = "scored" if score is None else f"scored {score:.3f}"
            trained = (status.study.training_of(run[0]), run[1])  # of a mixture the reason stands there
            reason = reasons.get(run) or reasons.get(trained, "")
            text = what if state == DONE else f"FAILED: {' '.join(reason.split())}"
            yield f"[{count} of {len(states)} runs{left}] {run[0]}, seed {run[1]}: {text}"
        self._shown = states

    def _print(self, text: str, end: str = "\n") -> None:
        with suppress(OSError, ValueError):  # the terminal is gone, or cannot show a character
            self._stream.write(text + end)
            self._stream.flush()


def error_lines(record: Any) -> Sequence[str]:
    """What a person needs of a job that failed: its error, its log, and the command that tries it again."""
    errors = [progress.error for log in record.log if (progress := read_progress(Path(log))) and progress.error]
    lines = [f"FAILED: {record.rule_name}: {errors[-1] if errors else 'see its log'}"]
    lines += [f"  log: {log}" for log in record.log]
    return lines + ([f"  try it by hand: {' '.join(record.shellcmd.split())}"] if record.shellcmd else [])
