"""What each cell of a study costs: its runs, and the evaluation of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from tunegrid.methods import Untuned
from tunegrid.methods.needs import PreferencePairs
from tunegrid.methods.untuned import UntunedSettings
from tunegrid.models.flops import Tokens, base_stacks, training_flops
from tunegrid.runtime.device_models import Device
from tunegrid.study.cells import Cell
from tunegrid.study.mixtures import cell_wordings, first_task, settings_of
from tunegrid.study.plan.duration import examples, prediction_seconds, training_seconds, validation_seconds
from tunegrid.study.plan.lengths import Lengths, SplitSize
from tunegrid.study.plan.memory import prediction_memory, training_memory
from tunegrid.study.plan.sizes import Sizes
from tunegrid.study.plan.tuned import Tuned
from tunegrid.study.stage_settings import trial_study
from tunegrid.study.study import Study
from tunegrid.training.settings import Training

ADAM_COPIES = 3  # a checkpoint holds each trainable parameter and AdamW's two moments


@dataclass(frozen=True)
class CellPlan:
    """One run of a cell. Seconds are on the device of the plan, bytes are bytes.

    Attributes:
        flops: of the training, by the formula of the records.
        fast_seconds, slow_seconds: training at the device's high and low share of its peak.
        host_memory: of the process beside a GPU.
    """

    cell: Cell
    parameters: int
    trainable: int
    modules: int
    steps: int
    source_tokens: float
    target_tokens: float
    flops: float
    memory: float
    prediction_memory: float
    host_memory: float
    training_seconds: float
    fast_seconds: float
    slow_seconds: float
    validation_seconds: float
    evaluation_seconds: float
    saved_bytes: int
    checkpoint_bytes: int

    @property
    def tokens(self) -> float:
        return self.source_tokens + self.target_tokens


class Estimator:
    """The estimates of a study on a device. What is asked for twice is computed once."""

    def __init__(self, study: Study, device: Device) -> None:
        self.study, self.device = study, device
        self.sizes = Sizes(study)
        self.precision = study.hardware.precision
        self.shape = cache(study.shape)
        self.cell = cache(self._cell)
        self.trial = cache(self._trial)

    def _cell(self, cell: Cell) -> CellPlan | None:
        """None: the model's architecture is not known, or the method does not know what it trains.

        The training of a cell that shares it is all of it; a mixture is evaluated on no test rows.
        """
        return self._run(cell, self.study.training_settings(cell), self.sizes.trained(cell))

    def _trial(self, cell: Cell) -> CellPlan | None:
        """A trial of the cell's search, in which only validation rows are predicted; None: as for the cell."""
        search, splits = self.study.search, self.sizes.of(cell.task, cell.model).splits
        training = trial_study(self.study, cell, next(iter(search.trials))).training_settings(cell)
        validation = splits["validation"].part(search.validation_rows)
        train = splits["train"].part(search.train_rows(training, splits["train"].rows))
        return self._run(cell, training, {"train": train, "validation": validation, "test": validation})

    def _run(self, cell: Cell, training: Training, splits: dict[str, SplitSize]) -> CellPlan | None:
        study, device, precision = self.study, self.device, self.precision
        tuned = self.tuned(cell.task, cell.model, cell.method)
        if tuned is None:
            return None
        added = tuned.method.added_tokens
        splits = {name: split.with_longer_sources(added) for name, split in splits.items()}
        splits |= self._pairs(tuned, splits)
        train, validation = splits["train"], splits["validation"]
        task = study.task(first_task(study, cell), cell.model)
        seen = examples(training, train.entries)
        source_tokens, target_tokens = seen * train.source.mean, seen * train.target.mean * tuned.method.answers

        sampled = replace(train, rows=round(seen), entries=round(seen))
        sampling = prediction_seconds(tuned, task, sampled, device, precision) if tuned.method.samples else 0.0

        def seconds(share: float) -> float:
            return tuned.method.effort * training_seconds(tuned, training, train, device, precision, share) + sampling

        return CellPlan(
            cell=cell,
            parameters=tuned.total,
            trainable=tuned.trainable,
            modules=tuned.modules,
            steps=training.steps(train.entries),
            source_tokens=tuned.method.passes * (source_tokens - seen * added),
            target_tokens=tuned.method.passes * target_tokens,
            flops=_flops(tuned, Tokens(seen * tuned.method.answers, source_tokens, target_tokens), train, validation),
            memory=training_memory(tuned, training, train, precision, device.is_gpu).peak,
            prediction_memory=prediction_memory(tuned, task, splits["test"], precision, device.is_gpu),
            host_memory=HOST_BYTES + 3 * 4 * tuned.total,
            training_seconds=seconds(device.typical),
            fast_seconds=seconds(device.high),
            slow_seconds=seconds(device.low),
            validation_seconds=validation_seconds(tuned, task, training, train, validation, device, precision),
            evaluation_seconds=prediction_seconds(tuned, task, splits["test"], device, precision),
            saved_bytes=4 * tuned.method.saved_count(tuned.shape),
            checkpoint_bytes=4 * ADAM_COPIES * tuned.trainable,
        )

    def _pairs(self, tuned: Tuned, splits: dict[str, SplitSize]) -> dict[str, SplitSize]:
        """The splits of the pairs that a method learns from, taken to be as long as the task's rows."""
        names = [need.name for need in tuned.method.needs() if isinstance(need, PreferencePairs)]
        limits = [self.study.preferences[name].source.rows for name in names]
        return {
            split: splits[split].part(most)
            for rows in limits
            for split in ("train", "validation")
            if (most := getattr(rows, split)) is not None
        }

    def tuned(self, task: str, model: str, method: str | None = None) -> Tuned | None:
        """A model with a method in it, or untuned; None: its architecture, or what the method trains, is not known."""
        shape, untuned = self.shape(model), Untuned(UntunedSettings(), self.study.family(model))
        return shape and Tuned.of(shape, self.study.method(Cell(task, model, method)) if method else untuned)

    def untuned(self, task: str, model: str) -> tuple[float, float] | None:
        """(seconds, bytes at the peak) of the evaluation of a model as it is; None: its architecture is not known."""
        return self.predictions(task, model, None, [(self.sizes.of(task, model).splits["test"], None)])

    def predictions(
        self, task: str, model: str, method: str | None, asked: list[tuple[SplitSize, int | None]]
    ) -> tuple[float, float] | None:
        """(seconds, bytes at the peak) of predicting some splits; None: as for `tuned`.

        Args:
            asked: each split with its `choices`, see `prediction_seconds`.
        """
        tuned = self.tuned(task, model, method)
        if tuned is None:
            return None
        bound, seconds, memory = self.study.task(task, model), 0.0, 0.0
        for split, choices in asked:
            longer = split.with_longer_sources(tuned.method.added_tokens)
            seconds += prediction_seconds(tuned, bound, longer, self.device, self.precision, choices)
            memory = max(memory, prediction_memory(tuned, bound, longer, self.precision, self.device.is_gpu))
        return seconds, memory

    def pretraining(self, model: str) -> tuple[float, float] | None:
        """(seconds, bytes at the peak) of a model's pretraining; None where the pipeline does not pretrain it."""
        source = self.study.models[model].source
        if source.kind != "pretrain":
            return None
        family = self.study.family(model)
        tuned = Tuned.fully(self.shape(model), family)
        # Documents are of all lengths up to the longest; the target of a T5 is what was hidden, of a BART all of it.
        mean = source.max_length / 2
        target = mean if family.has_biases else mean * source.corruption_rate
        lengths = Lengths(mean, 0.0, source.max_length), Lengths(target, 0.0, round(2 * target))
        split = SplitSize(source.documents, source.documents, *lengths)
        training = Training(learning_rate=1.0, max_steps=source.steps, batch_size=source.batch_size)
        text_bytes = 4000 * source.documents  # the documents, and their tokens as Python's numbers
        return (
            training_seconds(tuned, training, split, self.device, "fp32") + source.documents / 2000,
            training_memory(tuned, training, split, "fp32", self.device.is_gpu).peak + text_bytes,
        )

    def reward(self, task: str, model: str, name: str) -> tuple[float, float] | None:
        """(seconds, bytes at the peak) of a reward model's training; None: the model's architecture is not known.

        Its pairs are taken to be as many and as long as the task's rows, unless the study has a limit.
        """
        shape, settings = self.shape(model), self.study.rewards[name]
        if shape is None:
            return None
        tuned, split = Tuned.fully(shape, self.study.family(model)), self.sizes.of(task, model).splits["train"]
        if most := self.study.preferences[settings.pairs].source.rows.train:
            split = split.part(most)
        answers = Lengths(2 * split.target.mean, split.target.spread, 2 * split.target.longest)
        split = replace(split, target=answers)
        return (
            training_seconds(tuned, settings.training, split, self.device, self.precision),
            training_memory(tuned, settings.training, split, self.precision, self.device.is_gpu).peak,
        )


def _flops(tuned: Tuned, seen: Tokens, train: SplitSize, validation: SplitSize) -> float:
    """FLOPs of a run by the formulas of the records."""
    method, splits = tuned.method, (train, validation)
    whole = Tokens(
        sum(split.entries for split in splits) * method.answers,
        sum(split.entries * split.source.mean for split in splits),
        sum(split.entries * split.target.mean for split in splits) * method.answers,
    )
    steps = training_flops(tuned.stacks, method.passes * seen.source, method.passes * seen.target)
    return steps + method.forward_flops(tuned.stacks, base_stacks(tuned.shape), seen, whole)


HOST_BYTES = 3 * 2**30  # of a process that uses a GPU, beside the weights on their way to it


def sampling_seconds(estimator: Estimator, task: str, model: str, name: str) -> float | None:
    """Seconds in which answers for preference pairs are sampled; None: the model's architecture is not known."""
    source = estimator.study.preferences[name].source
    plan, splits = estimator.cell(Cell(task, model, source.start)), estimator.sizes.of(task, model).splits
    if plan is None:
        return None
    rows = sum(split.part(getattr(source.rows, name) or split.rows).rows for name, split in splits.items())
    return plan.evaluation_seconds * source.samples * rows / max(splits["test"].rows, 1)


def worded_seconds(estimator: Estimator, cell: Cell) -> float | None:
    """Seconds in which a model answers a task in all wordings of its mixture; None: its architecture is not known."""
    plan, study = estimator.cell(cell), estimator.study
    if plan is None:
        return None
    rows, most = estimator.sizes.of(cell.task, cell.model).splits["test"].rows, settings_of(study, cell).wording_rows
    share = 1.0 if most is None else min(1.0, most / max(rows, 1))
    return share * len(cell_wordings(study, cell)) * plan.evaluation_seconds
