"""What the workflow's jobs ask a cluster for: time, memory and disk, by the plan's estimates and with a margin."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache, partial

from tunegrid.runtime.attempts import memory_growth
from tunegrid.runtime.device_models import GPUS, assumed_cpu
from tunegrid.study.cells import Cell
from tunegrid.study.mixtures import cell_wordings, mixed_names, settings_of
from tunegrid.study.plan.cells import HOST_BYTES, Estimator, sampling_seconds, worded_seconds
from tunegrid.study.plan.disk import form_disk, job_disk
from tunegrid.study.plan.forms import FormPlan, form_plan
from tunegrid.study.plan.further import Work, domain_rows, domains_work, forgetting_work, probes_work
from tunegrid.study.plan.memory import LIBRARIES
from tunegrid.study.study import Study

START = 60  # seconds in which a job starts, on a busy file system
TOKENS_PER_SECOND = 150_000  # of a tokenizer on one core, with the writing
NOTICE = 180  # seconds before its end when a job is told to save and stop, at the earliest (slurm/config.yaml)
LEAST_MINUTES, LEAST_MEGABYTES, LEAST_DISK_MEGABYTES = 10, 2000, 1000
# A model or a method that nobody here knows: what T5-base would need, and some.
UNKNOWN = UNKNOWN_SECONDS, UNKNOWN_BYTES = 6 * 3600, 16 * 2**30


@dataclass(frozen=True)
class Job:
    """Estimates of one job, and what it asks for: more with each attempt, for Snakemake retries what was killed."""

    seconds: float
    memory: float
    disk: float
    runtime_factor: float
    memory_factor: float

    def runtime(self, attempt: int) -> int:
        """Minutes that an attempt may run."""
        return math.ceil(max(LEAST_MINUTES, (START + self.seconds * self.runtime_factor + NOTICE) / 60) * attempt)

    def mem_mb(self, attempt: int) -> int:
        """Megabytes of main memory of an attempt."""
        megabytes = max(LEAST_MEGABYTES, self.memory * self.memory_factor / 1e6)
        return math.ceil(megabytes * memory_growth(attempt))

    def disk_mb(self, attempt: int) -> int:
        """Megabytes that an attempt writes."""
        return math.ceil(max(LEAST_DISK_MEGABYTES, self.disk / 1e6))


class Jobs:
    """The jobs of a study. Nothing is computed before a job is asked about, and nothing twice: the seeds share it."""

    def __init__(self, study: Study) -> None:
        hardware = study.hardware
        self.gpu = hardware.device == "cuda"
        device = GPUS[study.resources.gpu] if self.gpu else assumed_cpu(hardware.threads, hardware.precision)
        self.study, self.estimator = study, Estimator(study, device)
        self.train, self.trial, self.evaluate = cache(self._train), cache(self._trial), cache(self._evaluate)
        self.domains = cache(self._domains)
        self.probes = cache(partial(self._further, probes_work))
        self.forgetting = cache(partial(self._further, forgetting_work))

    def _train(self, cell: Cell) -> Job:
        plan = self.estimator.cell(cell)
        disk = job_disk(self.estimator, cell)
        if plan is None:
            return self._job(*UNKNOWN, disk)
        seconds = plan.training_seconds + plan.validation_seconds
        return self._job(seconds, plan.host_memory if self.gpu else plan.memory, disk)

    def _trial(self, cell: Cell) -> Job:
        """A trial of the cell's search for a learning rate."""
        plan = self.estimator.trial(cell)
        if plan is None:
            return self._job(*UNKNOWN)
        seconds = plan.training_seconds + plan.validation_seconds + plan.evaluation_seconds
        memory = plan.host_memory if self.gpu else max(plan.memory, plan.prediction_memory)
        return self._job(seconds, memory)

    def _evaluate(self, task: str, model: str, method: str | None = None) -> Job:
        """`method`: None for the untuned model."""
        plan = self.estimator.cell(Cell(task, model, method)) if method else None
        found = (plan.evaluation_seconds, plan.prediction_memory) if plan else self.estimator.untuned(task, model)
        seconds, memory = found or (UNKNOWN_SECONDS / 3, UNKNOWN_BYTES)
        if self.gpu:
            memory = plan.host_memory if plan else 2 * HOST_BYTES
        test = self.estimator.sizes.of(task, model).splits["test"].rows
        return self._job(seconds + test / 200, memory)  # scoring

    def form(self, cell: Cell, name: str) -> Job:
        """The evaluation of a cell's run in another form: while that is made, the weights are there three times."""
        one, plan = self.evaluate(cell.task, cell.model, cell.method), self.estimator.cell(cell)
        memory = one.memory + (3 * 4 * plan.parameters if plan else UNKNOWN_BYTES)
        form = form_plan(self.estimator, cell, name) or FormPlan(0.0)
        disk = form_disk(self.estimator, cell, name)
        return replace(one, seconds=one.seconds + form.tuning_seconds, memory=max(memory, form.memory), disk=disk)

    def worded(self, cell: Cell) -> Job:
        """The answers of a model to all wordings of its mixture, tuned or not."""
        one, seconds = self.evaluate(cell.task, cell.model, cell.method), worded_seconds(self.estimator, cell)
        return replace(one, seconds=one.seconds + (UNKNOWN_SECONDS if seconds is None else seconds))

    def mixture_tokens(self, cell: Cell) -> Job:
        """The token ids of a mixture: those of its tasks, one after the other."""
        jobs = [self.tokenise(task, cell.model) for task in mixed_names(self.study, settings_of(self.study, cell))]
        seconds, disk = sum(job.seconds for job in jobs), 2 * sum(job.disk for job in jobs)  # a part is copied
        return replace(max(jobs, key=lambda job: job.memory), seconds=seconds, disk=disk)

    def wording_tokens(self, cell: Cell) -> Job:
        """The token ids of a task's test rows in all wordings of a mixture."""
        one, count = self.tokenise(cell.task, cell.model), len(cell_wordings(self.study, cell))
        size = self.estimator.sizes.of(cell.task, cell.model).splits
        share = size["test"].rows / max(1, sum(split.rows for split in size.values()))
        return replace(one, seconds=one.seconds * count * share, disk=one.disk * count * share)

    def pretrain(self, model: str) -> Job:
        return self._job(*(self.estimator.pretraining(model) or UNKNOWN))

    def reward(self, task: str, model: str, name: str) -> Job:
        return self._job(*(self.estimator.reward(task, model, name) or UNKNOWN))

    def sample(self, task: str, model: str, name: str) -> Job:
        """The answers of which preference pairs are made."""
        one = self.evaluate(task, model, self.study.preferences[name].source.start)
        seconds = sampling_seconds(self.estimator, task, model, name)
        return replace(one, seconds=UNKNOWN_SECONDS if seconds is None else seconds)

    def tokenise(self, task: str, model: str) -> Job:
        size = self.estimator.sizes.of(task, model)
        tokens = sum(split.entries * (split.source.mean + split.target.mean) for split in size.splits.values())
        written = sum(split.token_bytes for split in size.splits.values())
        text = size.row_bytes * sum(split.rows for split in size.splits.values())
        # Parquet is decompressed, and a batch's tokens are Python's numbers for a while.
        return self._job(tokens / TOKENS_PER_SECOND, LIBRARIES + 2 * text + 2**30, written)

    def baseline(self, task: str) -> Job:
        size = self.estimator.sizes.of(task, self.study.grid.models[0])
        rows = sum(split.rows for split in size.splits.values())
        # All rows as Python's objects, and the n-grams of their text.
        return self._job(rows / 300, LIBRARIES + 12 * rows * size.row_bytes)

    def _domains(self, task: str, model: str | None = None, method: str | None = None) -> Job:
        """The other domains of a task in one job.

        Args:
            model: None for a baseline.
            method: None for the untuned model.
        """
        scoring = sum(domain_rows(self.estimator, task).values()) / 200
        if model is None:
            one = self.baseline(task)
            return replace(one, seconds=one.seconds + scoring)
        return self._further(domains_work, task, model, method, scoring)

    def _further(self, work: Work, task: str, model: str, method: str | None = None, more: float = 0.0) -> Job:
        """A further evaluation of a run or, without a method, an untuned model; `more`: seconds beside its work."""
        one, found = self.evaluate(task, model, method), work(self.estimator, task, model, method)
        if found is None:
            return one
        seconds, memory = found
        return replace(one, seconds=seconds + more, memory=one.memory if self.gpu else memory)

    def _job(self, seconds: float, memory: float, disk: float = 0) -> Job:
        settings = self.study.resources
        return Job(seconds, memory, disk, settings.runtime_factor, settings.memory_factor)
