"""The tuning of a form's weights before they predict: pruned ones recover, students learn from a teacher or rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow

from tunegrid.models.forms import Form
from tunegrid.models.forms.pruned import linear_weights
from tunegrid.runtime import cpu_kernels, measure
from tunegrid.runtime.torch_device import pick_device
from tunegrid.stages.training_data import TrainingData, training_data
from tunegrid.study.cells import Run
from tunegrid.study.study import Study
from tunegrid.tasks import Task
from tunegrid.tasks.tokenise import encode
from tunegrid.training.session import TrainingSession, TrainingSummary
from tunegrid.training.settings import Training

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


def tune_form(
    study: Study, run: Run, form: Form, model: Any, teacher: Any, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> tuple[TrainingSummary, float | None]:
    """Trains the weights of a form in place, on its run's training rows, by the study's section for it.

    Returns what the training did, and the seconds in which a teacher answered (None where there is none).

    Args:
        teacher: the run's plain model; it may be the same as `model` where the form learns from none.
        folder: empty, for what the training writes in between.

    Raises:
        Diverged: the loss is no longer a finite number.
        NonFiniteLogits: what the teacher computes is no number.
    """
    own = study.training_settings(run.cell)
    data, training = training_data(study, study.training_of(run.cell)), getattr(study, form.tuned_by).training(own)
    device, seconds = pick_device(study.hardware), None
    if form.tuned_by == "distillation" and study.distillation.targets == "answers":
        clock, teacher = measure.clock(), cpu_kernels.place(teacher, device).eval()
        tokens = drawn(data.train, training, run.seed)
        answers = answered(teacher, tokenizer, data.task, tokens, study.hardware.precision)
        data, seconds = replace(data, train=answers), measure.clock() - clock
    model = cpu_kernels.place(model.requires_grad_(True), device)
    with _zeros_held(model) if form.tuned_by == "recovery" else nullcontext():
        return _fit(study, run, model, tokenizer, data, training, folder), seconds


def _fit(
    study: Study,
    run: Run,
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    data: TrainingData,
    training: Training,
    folder: Path,
) -> TrainingSummary:
    from transformers import set_seed

    from tunegrid.training.trainer import fit

    set_seed(run.seed)
    try:
        return fit(
            TrainingSession(
                model=model,
                tokenizer=tokenizer,
                task=data.task,
                read_rows=data.read_rows,
                train=data.train,
                validation=data.validation,
                training=training,
                seed=run.seed,
                precision=study.hardware.precision,
                checkpoints=folder,
            )
        )
    finally:
        model.eval()


@contextmanager
def _zeros_held(model: Any) -> Iterator[None]:
    """Within it, weights of linear layers that are 0 stay 0: AdamW moves nothing that has no gradient."""
    holds = [weight.register_hook(_only_where(weight.detach() != 0)) for weight in linear_weights(model)]
    try:
        yield
    finally:
        for hold in holds:
            hold.remove()


def _only_where(kept: torch.Tensor) -> Any:
    return lambda gradient: gradient * kept


# -- a teacher's answers ----------------------------------------------------------------------------------------------


def drawn(tokens: pyarrow.Table, training: Training, seed: int) -> pyarrow.Table:
    """The entries that a training will see, so that a teacher answers no others: all of them, or a random part."""
    seen = training.max_steps * training.batch_size * training.gradient_accumulation_steps
    if seen >= len(tokens):
        return tokens
    return tokens.take(np.sort(np.random.default_rng(seed).choice(len(tokens), seen, replace=False)))


def answered(
    teacher: Any, tokenizer: PreTrainedTokenizerBase, task: Task, tokens: pyarrow.Table, precision: str
) -> pyarrow.Table:
    """Training entries whose labels are a model's answers, as it answers test rows; each window by itself."""
    from tunegrid.tasks.predict import predict_rows

    alone = pyarrow.table({"input_ids": tokens["input_ids"], "row": np.arange(len(tokens))})
    texts = predict_rows(teacher, tokenizer, task, alone, len(tokens), precision=precision).texts
    if task.labels() is not None:
        texts = [task.word(label) for label in texts]
    limit, end = task.settings.max_target_length, tokenizer.eos_token_id
    labels = [ids if len(ids) <= limit else [*ids[: limit - 1], end] for ids in encode(tokenizer, "text_target", texts)]
    column = tokens.column_names.index("labels")
    return tokens.set_column(column, "labels", pyarrow.array(labels, tokens.schema.field("labels").type))
