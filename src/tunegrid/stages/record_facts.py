"""Facts that the records of several stages have alike: the provenance of a computation, and the cost of a training."""

from pathlib import Path

from tunegrid.models.flops import FLOPS_FORMULA, Stacks, training_flops
from tunegrid.results.records.training import TrainingCost
from tunegrid.runtime.measure import peak_memory
from tunegrid.runtime.provenance import Provenance, provenance
from tunegrid.runtime.torch_device import accelerator
from tunegrid.study.study import Study
from tunegrid.training.session import TrainingSummary


def study_provenance(
    study: Study,
    started: str,
    *,
    data: Path,
    model: str | None,
    engine: str | None = None,
    precision: str | None = None,
) -> Provenance:
    """The provenance of a result that was computed on the study's hardware.

    Args:
        data: card of the data.
        model: name of the model; None: no model computed, as for a baseline.
        engine: the package that predicted; None: the study's trainer or no model.
        precision: of the computation; None: that of the study.
    """
    return provenance(
        started=started,
        threads=study.hardware.threads,
        precision=(precision or study.hardware.precision) if model else None,
        accelerator=accelerator() if model else None,
        engine=engine,
        data=data,
        model=study.paths.model_card(model) if model else None,
    )


def training_cost(
    summary: TrainingSummary,
    stacks: Stacks,
    loading_seconds: float,
    saved_bytes: int,
    added_tokens: int = 0,
    forward_formula: str = "",
) -> TrainingCost:
    """The cost of a training.

    Args:
        stacks: parameters of the trained model in each stack.
        added_tokens: virtual tokens that the model sees in front of each source.
        forward_formula: of the summary's `forward_flops`, in words.
    """
    seconds, tokens = summary.optimisation_seconds, summary.source_tokens + summary.target_tokens
    seen = summary.source_tokens + summary.examples * added_tokens
    return TrainingCost(
        loading_seconds=loading_seconds,
        optimisation_seconds=seconds,
        evaluation_seconds=summary.evaluation_seconds,
        saving_seconds=summary.saving_seconds,
        paused_seconds=summary.paused_seconds,
        steps=summary.steps,
        examples=summary.examples,
        tokens=tokens,
        examples_per_second=summary.examples / seconds if seconds else None,
        tokens_per_second=tokens / seconds if seconds else None,
        peak_memory_bytes=peak_memory(),
        saved_bytes=saved_bytes,
        training_flops=training_flops(stacks, seen, summary.target_tokens) + summary.forward_flops,
        forward_flops=summary.forward_flops,
        flops_formula="; ".join(filter(None, (FLOPS_FORMULA, forward_formula))),
    )
