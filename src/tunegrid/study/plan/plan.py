"""A study's plan: the cost of each cell, the sums, and what the numbers rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from itertools import product

from tunegrid.common.digits import binary_size
from tunegrid.models.flops import FLOPS_FORMULA
from tunegrid.runtime.device_models import (
    DECODE_SECONDS_PER_LAYER,
    STEP_SECONDS_PER_LAYER,
    STEP_SECONDS_PER_MODULE,
    Device,
)
from tunegrid.study.cells import Cell
from tunegrid.study.needs import used_pairs, used_rewards
from tunegrid.study.plan.cells import CellPlan, Estimator, sampling_seconds, worded_seconds
from tunegrid.study.plan.disk import Disk, disk
from tunegrid.study.plan.forms import form_plan
from tunegrid.study.plan.further import Work, domains_work, forgetting_work, probes_work
from tunegrid.study.study import Study


@dataclass(frozen=True)
class Sum:
    """Seconds of all jobs of one kind; `fast` and `slow` where the device's utilisation is what decides."""

    jobs: int
    seconds: float
    fast: float | None = None
    slow: float | None = None

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Sum:
        """The sum of jobs that take so many seconds each."""
        each = list(seconds)
        return cls(len(each), sum(each))

    @classmethod
    def of_trainings(cls, plans: list[CellPlan], times: int, beside: float = 0.0) -> Sum:
        """The sum of so many trainings of each plan; `beside`: seconds of one of each, other than optimisation."""
        names = ("training_seconds", "fast_seconds", "slow_seconds")
        return cls(times * len(plans), *(times * (beside + sum(getattr(one, name) for one in plans)) for name in names))


@dataclass(frozen=True)
class StudyPlan:
    """What a study costs on a device.

    Attributes:
        cells: each with its plan, or None where its model or method is not known.
        sums: by kind of job; `total` is of the kinds that are known.
        warnings: what will not work, or is not in the sums.
        basis: what the numbers rest on.
        at_once: how many jobs run at a time.
    """

    study: Study
    device: Device
    cells: list[tuple[Cell, CellPlan | None]]
    sums: dict[str, Sum]
    flops: float
    disk: Disk
    warnings: list[str]
    basis: list[str]
    at_once: int = 1

    @property
    def total(self) -> Sum:
        sums = self.sums.values()
        return Sum(
            sum(one.jobs for one in sums),
            sum(one.seconds for one in sums),
            sum(one.seconds if one.fast is None else one.fast for one in sums),
            sum(one.seconds if one.slow is None else one.slow for one in sums),
        )


def plan(study: Study, device: Device, jobs: int = 1) -> StudyPlan:
    """The plan of a study; offline, from its configuration and from what is in its results folder.

    `jobs`: how many run at a time.
    """
    estimator, seeds = Estimator(study, device), len(study.seeds)
    cells = [(cell, estimator.cell(cell)) for cell in study.cells()]
    known = [one for _, one in cells if one]
    trained = [one for cell in study.trainings() if (one := estimator.cell(cell))]  # one for all cells that share it
    untuned = [estimator.untuned(task, model) for task in study.grid.tasks for model in study.grid.models]
    pretraining = [found for model in study.grid.models if (found := estimator.pretraining(model))]
    losing = study.grid.tasks if study.forgetting else []  # an untuned model's loss is that of all tasks
    sums = {
        "training": Sum.of_trainings(trained, seeds),
        "validation": Sum(0, seeds * sum(one.validation_seconds for one in trained)),
        "evaluation": Sum(seeds * len(known), seeds * sum(one.evaluation_seconds for one in known)),
        "evaluation, forms": _forms(estimator),
        "evaluation, wordings": _wordings(estimator),
        "evaluation, untuned": Sum(len(untuned), sum(found[0] for found in untuned if found)),
        "other domains": _further(estimator, domains_work, [t for t in study.grid.tasks if study.tasks[t].evaluate_on]),
        "bias probes": _further(estimator, probes_work, [t for t in study.grid.tasks if study.probe_sets(t)]),
        "forgetting": _further(estimator, forgetting_work, losing, losing[:1]),
        "sampling pairs": _sampling(estimator),
        "reward models": _rewards(estimator),
        "search": _search(estimator),
        "pretraining": Sum.of(seconds for seconds, _ in pretraining),
    }
    sums["starting jobs"] = Sum(0, device.start * sum(one.jobs for one in sums.values()))
    return StudyPlan(
        study=study,
        device=device,
        cells=cells,
        sums={name: one for name, one in sums.items() if one.seconds},
        flops=seeds * sum(one.flops for one in trained),
        disk=disk(estimator, jobs, fresh=True),
        warnings=_warnings(estimator, cells),
        basis=_basis(estimator, jobs),
        at_once=jobs,
    )


def _forms(estimator: Estimator) -> Sum:
    """The evaluations of the runs in other forms, and their tuning."""
    runs = estimator.study.formed_runs()
    forms = [one for run in runs if (one := form_plan(estimator, run.cell, run.variant))]
    return Sum.of(one.evaluation_seconds + one.tuning_seconds for one in forms)


def _wordings(estimator: Estimator) -> Sum:
    """The answers of tuned and untuned models to all wordings of their mixtures."""
    study, each = estimator.study, len(estimator.study.seeds) + 1
    found = [one for cell in study.cells() if study.is_shared(cell) and (one := worded_seconds(estimator, cell))]
    return Sum(each * len(found), sum(each * one for one in found))


def _further(estimator: Estimator, work: Work, tasks: list[str], untuned_tasks: list[str] | None = None) -> Sum:
    """A further evaluation of the runs and untuned models of some tasks; `untuned_tasks`: of the latter, if fewer."""
    study = estimator.study
    runs = [found for cell in study.cells() if cell.task in tasks and (found := work(estimator, *astuple(cell)))]
    names = product(tasks if untuned_tasks is None else untuned_tasks, study.grid.models)
    untuned = [found for each in names if (found := work(estimator, *each))]
    return Sum.of(seconds for seconds, _ in len(study.seeds) * runs + untuned)


def _sampling(estimator: Estimator) -> Sum:
    """The preference pairs that models sample."""
    places = [(task, model, name) for task, name, model in used_pairs(estimator.study) if model]
    return Sum.of(seconds for place in places if (seconds := sampling_seconds(estimator, *place)) is not None)


def _rewards(estimator: Estimator) -> Sum:
    """The reward models that the cells need."""
    return Sum.of(work[0] for names in used_rewards(estimator.study) if (work := estimator.reward(*names)))


def _search(estimator: Estimator) -> Sum:
    """All trials of the search for learning rates, where the study has one."""
    study = estimator.study
    if study.search is None:
        return Sum(0, 0.0)
    trials = [found for cell in study.cells() if (found := estimator.trial(cell))]
    beside = sum(one.validation_seconds + one.evaluation_seconds for one in trials)
    return Sum.of_trainings(trials, len(study.search.trials), beside)


def _warnings(estimator: Estimator, cells: list[tuple[Cell, CellPlan | None]]) -> list[str]:
    device, study, warnings = estimator.device, estimator.study, []
    if unknown := [str(cell) for cell, one in cells if one is None]:
        warnings.append(
            f"Not in the sums, for the project does not know the model's architecture or what the method trains: "
            f"{', '.join(unknown)}."
        )
    if device.memory:
        for cell, one in cells:
            peak = max(one.memory, one.prediction_memory) if one else 0
            if peak > device.memory:
                warnings.append(
                    f"{cell} needs about {binary_size(peak)}, the {device.title} has {binary_size(device.memory)}: "
                    "make batch_size smaller and gradient_accumulation_steps larger, or set gradient_checkpointing: "
                    "true."
                )
    if device.is_gpu and study.hardware.device == "cpu":
        warnings.append("The study's own hardware.device is cpu: set it to cuda to run it on a GPU.")
    return warnings


def _basis(estimator: Estimator, jobs: int) -> list[str]:
    study, device, sizes = estimator.study, estimator.device, estimator.sizes
    precision = study.hardware.precision
    lines = ["ESTIMATES, all but parameters and modules, which follow from the architectures; see docs/planning.md."]
    for task in study.grid.tasks:
        found = {model: sizes.of(task, model) for model in study.grid.models}
        first = next(iter(found.values()))
        rows = " / ".join(f"{split.rows:,}" for split in first.splits.values())
        lengths = ", ".join(
            f"{model} {one.splits['train'].source.mean:.0f} + {one.splits['train'].target.mean:.0f}"
            for model, one in found.items()
        )
        bases = "; ".join(dict.fromkeys(one.basis for one in found.values()))
        lines.append(f"{task}: rows {rows}; mean source + target tokens: {lengths}. {bases}.")
    for cell in study.trainings():
        if study.is_shared(cell):
            sharing = ", ".join(other.task for other in study.sharing(cell))
            lines.append(
                f"{cell}: one training, shared by the cells of {sharing}; each line has all of it, the sums once."
            )
    lines += [
        f"FLOPs: {FLOPS_FORMULA}.",
        f"Time: what is really multiplied (padding, attention, cross-attention's keys and values, LM head) at "
        f"{device.typical:.0%} of the peak of {device.title}, {device.flops(precision) / 1e12:.3g} TFLOP/s in "
        f"{precision if precision in device.peak else 'fp32'}; from {device.high:.0%} (the lower hours) to "
        f"{device.low:.0%} in the range. {device.note}".strip(),
        f"Plus {1e3 * STEP_SECONDS_PER_LAYER:g} ms of the host per layer and pass, "
        f"{1e3 * STEP_SECONDS_PER_MODULE:g} ms per module put in, {1e3 * DECODE_SECONDS_PER_LAYER:g} ms per layer and "
        f"word written, {device.start:g} s per job.",
        f"Memory ({'of the GPU' if device.is_gpu else 'of the process'}): weights, gradients and AdamW in fp32, and "
        "the activations of the longest batch; the higher of training and prediction.",
        "Disk: of the whole study, whether or not some of it is there; checkpoints of "
        f"{'one training' if jobs == 1 else f'{jobs} trainings'} at a time.",
    ]
    return lines
