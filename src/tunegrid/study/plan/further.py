"""What a study asks of runs and untuned models beside their own test rows: other domains, bias probes, forgetting.

Each estimate is (seconds, bytes at the peak) of one job; None: the model's architecture is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.records import DataCard, read_card
from tunegrid.data.documents import documents_in
from tunegrid.data.sources.base import ReadSource
from tunegrid.runtime.device_models import STEP_SECONDS_PER_LAYER
from tunegrid.study.plan.cells import Estimator
from tunegrid.study.plan.flops import executed
from tunegrid.study.plan.lengths import Lengths, SplitSize
from tunegrid.study.plan.memory import FP32, prediction_memory
from tunegrid.study.plan.sizes import SAMPLE, TOKENS_PER_WORD, UNKNOWN_ROWS, hub_rows, rows_in
from tunegrid.tasks.probes import ProbeSet

Work = Callable[..., tuple[float, float] | None]  # of an estimator and the names of a cell or an untuned model


def domain_rows(estimator: Estimator, task: str) -> dict[str, int]:
    """Test rows of each other domain of a task."""
    study = estimator.study

    def rows(domain: str) -> int:
        card = study.paths.domain(task, domain) / "card.json"
        if card.is_file():
            return read_card(card, DataCard)["rows"]["test"]
        return _test_rows(study.domain_task(task, domain).settings.source)

    return {domain: rows(domain) for domain in study.tasks[task].evaluate_on}


def _test_rows(source: Any) -> int:
    """Rows of the test split of a source that is asked for no other."""
    if not isinstance(source, ReadSource):
        return source.rows.test
    if source.kind == "files":
        rows = rows_in(Path(source.paths.test))[0]
    else:
        known = hub_rows(source, source.splits.test)
        rows = UNKNOWN_ROWS if known is None else known
    return rows if source.rows.test is None else min(rows, source.rows.test)


def domains_work(estimator: Estimator, task: str, model: str, method: str | None = None) -> tuple[float, float] | None:
    """All other domains of a task. `method`: None is untuned."""
    rows = domain_rows(estimator, task)
    splits = [estimator.sizes.domain(task, domain, model).of_rows(count) for domain, count in rows.items()]
    return estimator.predictions(task, model, method, [(split, None) for split in splits])


def probes_work(estimator: Estimator, task: str, model: str, method: str | None = None) -> tuple[float, float] | None:
    """All bias probes of a task."""
    sets = estimator.study.probe_sets(task).values()
    asked = [(_texts(estimator, task, model, probes), probes.choices) for probes in sets]
    return estimator.predictions(task, model, method, asked)


def _texts(estimator: Estimator, task: str, model: str, probes: ProbeSet) -> SplitSize:
    """The texts of a set of probes in a model's tokens; answers are as much shorter as the texts."""
    asked, family = estimator.study.task(task, model), estimator.study.models[model].family
    texts = [asked.source_text(row, family) for pair in probes.rows(asked) for row in pair.rows]
    tokens = [min(len(text.split()) * TOKENS_PER_WORD + 1, asked.settings.max_source_length) for text in texts]
    source = Lengths(fmean(tokens), pstdev(tokens) / fmean(tokens), math.ceil(max(tokens)))
    own = estimator.sizes.of(task, model).splits["test"]
    target, share = own.target, min(1.0, source.mean / own.source.mean)
    if asked.labels() is None and probes.choices is None:
        target = Lengths(target.mean * share, target.spread, math.ceil(target.longest * share))
    return SplitSize(len(texts), len(texts), source, target)


def forgetting_work(
    estimator: Estimator, task: str, model: str, method: str | None = None
) -> tuple[float, float] | None:
    """The pretraining loss on the held-out documents: one forward pass over each."""
    tuned, settings = estimator.tuned(task, model, method), estimator.study.forgetting
    if tuned is None:
        return None
    source, target = _held_out_tokens(estimator, model)
    source += tuned.method.added_tokens
    device, precision, layers = estimator.device, estimator.precision, tuned.layers
    flops = executed(tuned.shape, tuned.stacks, settings.documents, source, target).forward
    rate = device.flops(precision, tuned.shape.d_model) * device.typical
    host = math.ceil(settings.documents / settings.batch_size) * layers * STEP_SECONDS_PER_LAYER / 3
    lengths = (Lengths(length, 0.0, math.ceil(length)) for length in (source, target))
    split = SplitSize(settings.documents, settings.documents, *lengths)
    memory = prediction_memory(tuned, estimator.study.task(task, model), split, precision, device.is_gpu)
    logits = 3 * FP32 * settings.batch_size * target * tuned.shape.vocabulary  # with those in fp32, and their softmax
    return flops / rate + host, memory + logits


def _held_out_tokens(estimator: Estimator, model: str) -> tuple[float, float]:
    """Mean tokens of (what a model reads, what it restores) of a held-out document."""
    settings = estimator.study.forgetting
    sides = list(islice(_held_out(settings), SAMPLE))
    means = [fmean(len(text.split()) for text in texts) for texts in zip(*sides, strict=True)] or [settings.max_length]
    tokens = [min(mean * TOKENS_PER_WORD + 1, settings.max_length) for mean in means]
    if settings.objective == "exercises":
        return tokens[0], tokens[1]
    hidden, spans = settings.corruption_rate, settings.corruption_rate / settings.mean_span
    restored = 1.0 if estimator.study.family(model).has_biases else hidden + spans  # BART writes all of the text
    return tokens[0] * (1 - hidden + spans), tokens[0] * restored


def _held_out(settings: Any) -> Iterator[tuple[str, ...]]:
    """Yields texts like those that `forgetting` reads: (document,) or (source, target); none of a file without any."""
    if settings.text is not None:
        with suppress(TuneGridError):  # the stage that reads it says why
            yield from ((document,) for document in documents_in(Path(settings.text)))
        return
    from tunegrid.data import miniworld

    if settings.objective == "exercises":
        yield from miniworld.instructions(settings.seed, False)
    else:
        yield from ((document,) for document in miniworld.documents(settings.seed))
