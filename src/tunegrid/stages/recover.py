"""A short tuning of pruned weights on the run's own training rows, in which what is 0 stays 0."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.models.forms.pruned import linear_weights
from tunegrid.runtime import cpu_kernels
from tunegrid.runtime.torch_device import pick_device
from tunegrid.stages.training_data import training_data
from tunegrid.study.cells import Run
from tunegrid.study.study import Study
from tunegrid.training.session import TrainingSession, TrainingSummary

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


def recover(study: Study, run: Run, model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> TrainingSummary:
    """Trains all weights of a pruned model in place, but those that are 0, by the study's `recovery`.

    Args:
        folder: empty, for what the training writes in between.

    Raises:
        Diverged: the loss is no longer a finite number.
    """
    from transformers import set_seed

    from tunegrid.training.trainer import fit

    cell = study.training_of(run.cell)
    set_seed(run.seed)
    data, training = training_data(study, cell), study.recovery.training(study.training_settings(run.cell))
    model = cpu_kernels.place(model.requires_grad_(True), pick_device(study.hardware))
    holds = [weight.register_hook(_only_where(weight.detach() != 0)) for weight in linear_weights(model)]
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
        for hold in holds:
            hold.remove()
        model.eval()


def _only_where(kept: torch.Tensor) -> Any:
    """A hook of a gradient that leaves the weights at 0 where they are pruned: AdamW moves nothing there."""
    return lambda gradient: gradient * kept
