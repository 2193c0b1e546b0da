"""What a person sees of the workflow: a plan in a few lines at a dry run, and not pages of Snakemake's job blocks.

Snakemake's own output is a person's for the asking: any option that shapes it (`-p`, `--verbose`, `--quiet`, a logger
plugin) leaves it as it is. `workflow` is Snakemake's object of that name, `logger` its logger.
"""

from __future__ import annotations

import gc
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from tunegrid.common.digits import rough_duration
from tunegrid.runtime import gpus
from tunegrid.stages.progress import Progress
from tunegrid.study.status.items import STAGES, Item, comment_of, items
from tunegrid.study.status.remaining import Durations
from tunegrid.study.study import Study

STREAM = "DefaultStreamHandler"  # Snakemake's name of the handler that writes to the terminal
# Errors of jobs are shown by the progress, with their reasons; Snakemake's log has its own words for them.
HIDDEN = (LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR)
HIDDEN_TEXTS = (
    "Assuming unrestricted shared filesystem",
    "RuleException:",
    "Exiting because a job execution failed",
    "Trying to restart job",
)
# Snakemake's graph is millions of objects that live until its end. Python would look through them for garbage after
# every 700 new ones, which is a fifth of a large dry run.
OBJECTS_BEFORE_COLLECTION = 200_000
SAMPLE = 1000  # jobs at least whose time is estimated
# Why a job runs, by the first attribute of Snakemake's `Reason` that is true.
REASONS = {
    "forced": "forced",
    "missing_output": "missing",
    "incomplete_output": "interrupted",
    "params_changed": "settings changed",
    "input_changed": "other inputs",
    "code_changed": "other code",
    "software_stack_changed": "other software",
    "updated_input": "inputs changed",
    "updated_input_run": "inputs made anew",
}


class Console:
    """What the terminal shows of a workflow. `shaped`: a person has shaped Snakemake's own output, which then stays."""

    def __init__(self, workflow: Any, study: Study, logger: logging.Logger) -> None:
        gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
        self._workflow, self._study, self._progress = workflow, study, None
        settings = workflow.output_settings
        stream = next((handler for handler in logger.handlers if handler.name == STREAM), None)
        own = settings.printshellcmds or settings.verbose or settings.debug_dag or settings.log_handler_settings
        self.shaped = bool(own or settings.quiet or stream is None or not workflow.is_main_process)
        if self.shaped:
            return
        self._stream, self._started = stream.stream, False
        stream.addFilter(self._lets_through)
        if settings.dryrun:
            settings.quiet = {Quietness.RULES, Quietness.PROGRESS}  # exactly these: Snakemake formats no job
        else:
            self._progress = Progress(workflow, study, self._stream)
            logger.addHandler(self._progress)

    def begin(self) -> None:
        """Starts to show the progress of the jobs."""
        if self._progress is not None:
            self._progress.begin()

    def end(self) -> None:
        """Shows the state at the end of the workflow, and nothing from then on."""
        if self._progress is not None:
            self._progress.end()

    def _lets_through(self, record: logging.LogRecord) -> bool:
        """Whether Snakemake prints a record; prints the plan where Snakemake would count the jobs."""
        event = getattr(record, "event", None)
        self._started |= event == LogEvent.WORKFLOW_STARTED  # else it is asked for something else: --unlock, --lint, …
        if not self._started:
            return not str(record.msg).startswith(HIDDEN_TEXTS)
        if event == LogEvent.RUN_INFO:
            verb = "would run" if self._workflow.dryrun else "to run"
            print("\n".join(describe(self._workflow.dag, self._study, verb)), file=self._stream, flush=True)
        if event in HIDDEN or str(record.msg).startswith(HIDDEN_TEXTS):
            return False
        return record.levelno >= logging.WARNING or record.msg == NOTHING_TO_BE_DONE_MSG


def describe(dag: Any, study: Study, verb: str) -> Iterator[str]:
    """Lines about the jobs that Snakemake is to run, by stage, with the reasons and an estimate of the time."""
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    known, to_do, cells = {item.comment: item for item in items(study)}, [], set()
    for job in dag.needrun_jobs():
        item = known.get(comment_of(job.rule.name, job.wildcards))
        if item is None and job.rule.name != "tables":
            continue  # a target: it only asks for files
        stage = item.stage if item else "report"
        reasons[stage][_reason(dag.reason(job))] += 1
        if item is not None:
            to_do.append(item)
        if stage == "training":
            cells.add(item.cell)
    jobs = sum(map(Counter.total, reasons.values()))
    yield f"{study.title}: {jobs} jobs {verb}. Results: {study.paths.root}/"
    for stage in STAGES:
        if counts := reasons.get(stage):
            why = ", ".join(
                f"{count} {reason}" if len(counts) > 1 else reason for reason, count in counts.most_common()
            )
            of_cells = f"; {len(cells)} of {len(study.trainings())} cells" if stage == "training" else ""
            yield f"  {stage:10} {counts.total():6}   {why}{of_cells}"
    at_once = gpus.jobs_at_once(study.hardware, None)
    if seconds := _estimate(study, to_do, at_once):
        yield f"About {rough_duration(seconds)} with {at_once} at once, by the plan (tunegrid plan), without downloads."
    yield f"Each job with its files, reason and command: snakemake {'-n ' if verb == 'would run' else ''}-p"


def _estimate(study: Study, to_do: Sequence[Item], at_once: int) -> float:
    """Seconds that jobs take, from a sample of them: an estimate of each cell would be a tenth of a large dry run."""
    durations, every = Durations(study, []), max(1, len(to_do) // SAMPLE)
    seconds = [durations.estimate(item) for item in to_do[::every]]
    return max([every * sum(seconds) / at_once, *seconds])


def _reason(reason: Any) -> str:
    return next((text for name, text in REASONS.items() if getattr(reason, name)), "needed")
