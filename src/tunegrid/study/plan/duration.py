"""How long training and prediction take on a device."""

from __future__ import annotations

import math

from tunegrid.runtime.device_models import (
    DECODE_SECONDS_PER_LAYER,
    OPTIMISER_BYTES,
    STEP_SECONDS_PER_LAYER,
    STEP_SECONDS_PER_MODULE,
    Device,
)
from tunegrid.study.plan.flops import decoding, executed
from tunegrid.study.plan.lengths import Lengths, SplitSize
from tunegrid.study.plan.memory import activation_bytes
from tunegrid.study.plan.tuned import Tuned
from tunegrid.tasks import Task
from tunegrid.training.fast.groups import OVERHEAD
from tunegrid.training.settings import Training

BUCKETED_PADDING = 1.05  # tokens of a batch of rows of like length, with padding, for each token without


def padded(lengths: Lengths, batch: int, buckets: bool) -> float:
    """Tokens per row of a batch, padding included."""
    return min(lengths.mean * BUCKETED_PADDING, lengths.longest) if buckets else lengths.longest_of(batch)


def passes(training: Training, entries: int) -> int:
    """Forward and backward passes of a run: optimiser steps times accumulation; the last of an epoch has fewer."""
    if training.max_steps is not None:
        return training.max_steps * training.gradient_accumulation_steps
    return math.ceil(training.epochs * math.ceil(entries / training.batch_size))


def examples(training: Training, entries: int) -> float:
    """Rows of token ids that a run trains on, repeats counted."""
    if training.epochs is not None:
        return training.epochs * entries
    # The last batch of an epoch is short. A file that is not there, or has too few rows, has none.
    batches = math.ceil(entries / training.batch_size)
    return passes(training, entries) / max(batches, 1) * entries


def evaluations(training: Training, entries: int) -> int:
    """How often a run evaluates on validation data; the last time at its end."""
    every = training.evaluation_interval(entries)
    return math.ceil(training.steps(entries) / every) if every else 1


def training_seconds(
    tuned: Tuned, training: Training, train: SplitSize, device: Device, precision: str, share: float | None = None
) -> float:
    """Seconds of a run's optimisation steps.

    Operations at a share of the device's peak (default: its typical one), plus what the host needs to start them, plus
    what the optimiser, and on a CPU all that is no multiplication, moves through memory.
    """
    count = passes(training, train.entries)
    if not count:
        return 0.0
    per_pass = examples(training, train.entries) / count
    sorted_rows = training.length_buckets or (not device.is_gpu and _grouped(tuned, training, train))
    source = padded(train.source, training.batch_size, sorted_rows)
    target = padded(train.target, training.batch_size, sorted_rows)
    work = executed(tuned.shape, tuned.stacks, per_pass, source, target)
    flops = work.training(tuned.trained_share, tuned.full, training.gradient_checkpointing)
    host = tuned.layers * STEP_SECONDS_PER_LAYER + tuned.modules * STEP_SECONDS_PER_MODULE
    optimiser = tuned.trainable * OPTIMISER_BYTES / device.bandwidth * training.steps(train.entries)
    kept = sum(activation_bytes(tuned, per_pass, source, target, precision, device.is_gpu))
    moved = device.traffic * kept / device.bandwidth
    rate = device.flops(precision, tuned.shape.d_model) * (share or device.typical)
    return count * (flops / rate + moved + host) + optimiser


def _grouped(tuned: Tuned, training: Training, train: SplitSize) -> bool:
    """Whether a batch on a CPU has more padding than a second group costs (`training.groups`)."""
    padding = sum(padded(one, training.batch_size, False) - one.mean for one in (train.source, train.target))
    return training.batch_size * padding > 2 * OVERHEAD / tuned.shape.d_model


def validation_seconds(
    tuned: Tuned,
    task: Task,
    training: Training,
    train: SplitSize,
    validation: SplitSize,
    device: Device,
    precision: str,
) -> float:
    """Seconds of a run's evaluations: the validation loss, and predictions where the best is chosen by a metric."""
    batch = training.batch_size
    # In the order of the rows: nothing is sorted there.
    source, target = (padded(lengths, batch, False) for lengths in (validation.source, validation.target))
    flops = executed(tuned.shape, tuned.stacks, validation.entries, source, target).forward
    host = math.ceil(validation.entries / batch) * tuned.layers * STEP_SECONDS_PER_LAYER / 3
    once = flops / (device.flops(precision, tuned.shape.d_model) * device.typical) + host
    if training.select_by == "metric":
        predicted = validation.part(training.validation_rows or validation.rows)
        once += prediction_seconds(tuned, task, predicted, device, precision)
    return once * evaluations(training, train.entries)


def prediction_seconds(
    tuned: Tuned, task: Task, test: SplitSize, device: Device, precision: str, choices: int | None = None
) -> float:
    """Seconds of predicting a split: the sources encoded, then texts written word by word, or given texts scored.

    Args:
        choices: how many texts are scored for each row; None: the task's labels, or none.
    """
    batch = task.settings.evaluation_batch_size
    batches = math.ceil(test.entries / batch)
    source = min(test.source.mean * BUCKETED_PADDING, test.source.longest)  # sorted by length
    shape, stacks, layers = tuned.shape, tuned.stacks, tuned.shape.decoder_layers
    rate = device.flops(precision, tuned.shape.d_model) * device.low
    encoding = encoding_seconds(tuned, test.entries, source, batch, rate)
    if choices := choices or len(task.labels() or ()):
        scoring = decoding(shape, stacks, test.entries, source, test.target.mean) / rate
        return encoding + choices * (scoring + batches * layers * DECODE_SECONDS_PER_LAYER)
    generation = task.settings.generation
    # A batch goes on until its longest text has ended.
    written = min(generation.max_new_tokens, test.target.longest_of(batch))
    return encoding + writing_seconds(tuned, test.entries, source, written, generation.num_beams, batch, device, rate)


def encoding_seconds(tuned: Tuned, rows: int, source: float, batch: int, rate: float) -> float:
    """Seconds of encoding sources of so many tokens; `rate`: operations per second."""
    flops = executed(tuned.shape, tuned.stacks, rows, source, 0).forward
    return flops / rate + math.ceil(rows / batch) * tuned.shape.encoder_layers * DECODE_SECONDS_PER_LAYER


def writing_seconds(
    tuned: Tuned, rows: int, source: float, written: float, beams: int, batch: int, device: Device, rate: float
) -> float:
    """Seconds of writing exactly so many tokens for each row, without encoding its source."""
    shape, stacks = tuned.shape, tuned.stacks
    flops = decoding(shape, stacks, rows * beams, source, written)
    # Every word reads all of the decoder's weights anew, and so few rows at a time reach half of the bandwidth.
    weights = 2 * 4 * (stacks.decoder + stacks.head)
    modules = tuned.modules * shape.decoder_layers / tuned.layers * STEP_SECONDS_PER_MODULE / 2
    host = shape.decoder_layers * DECODE_SECONDS_PER_LAYER + modules + weights / device.bandwidth
    return flops / rate + math.ceil(rows / batch) * written * host
