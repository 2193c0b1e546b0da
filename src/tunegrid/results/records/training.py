"""`train.json`: what a run did, at what cost, with what."""

from typing import Any, Self

from pydantic import Field, model_validator

from tunegrid.common.fields import Closed, Count, Finite, MetricValue, NonEmpty, Seconds
from tunegrid.results.records.outcome import CellRecord
from tunegrid.runtime.provenance import Provenance
from tunegrid.training.selection import Selection


class Parameters(Closed):
    """Size of the model as trained."""

    total: Count = Field(description="All parameters, those that the method added included.")
    trainable: Count = Field(description="Parameters that the optimiser changes.")


class Injected(Closed):
    """What the method put into the model; `count` equals `expected` or the run would not have started."""

    count: Count = Field(description="Modules that the method touched.")
    expected: Count = Field(description="Modules that the architecture says it must touch.")
    modules: list[str] = Field(description="Their names, as in the model.")


class TrainingCost(Closed):
    """Cost of one run. Times are wall-clock seconds; the optimisation is timed apart from everything else."""

    loading_seconds: Seconds = Field(description="Imports, data and model, in seconds.")
    optimisation_seconds: Seconds = Field(description="Optimisation steps only, in seconds.")
    evaluation_seconds: Seconds = Field(description="Evaluation on validation data during training, in seconds.")
    saving_seconds: Seconds = Field(description="Writing of weights and checkpoints, in seconds.")
    paused_seconds: Seconds = Field(
        default=0.0,
        description="Time during which the process was stopped (SIGSTOP, a suspended machine); in none of the others.",
    )
    steps: Count = Field(description="Optimiser steps done.")
    examples: Count = Field(description="Training examples seen, repeats counted.")
    tokens: Count = Field(description="Source and target tokens seen, without padding.")
    examples_per_second: Seconds | None = Field(description="examples / optimisation_seconds.")
    tokens_per_second: Seconds | None = Field(description="tokens / optimisation_seconds.")
    peak_memory_bytes: Count | None = Field(description="Peak memory of training, in bytes: the GPU's, else resident.")
    saved_bytes: Count = Field(description="Size of the saved weights, in bytes.")
    training_flops: Finite | None = Field(description="Estimated floating-point operations of the training.")
    forward_flops: Finite = Field(
        default=0.0,
        description="Of these, those of forward passes beside the steps: answers that are sampled, and what the model "
        "at the start and the reward model say of answers.",
    )
    flops_formula: str | None = Field(description="The formula of that estimate.")


class Observation(Closed):
    """What a training on preferences had come to at one of its evaluations, on validation pairs and rows."""

    step: Count = Field(description="Optimiser steps done.")
    pair_accuracy: Finite | None = Field(None, description="Share of the validation pairs whose chosen answer leads.")
    pair_margin: Finite | None = Field(None, description="β times the mean margin of the chosen answers: DPO's reward.")
    reward: Finite | None = Field(None, description="Mean reward of answers that the model samples, by a reward model.")
    reward_error: Finite | None = Field(None, description="Standard error of that mean.")
    kl: Finite | None = Field(None, description="Divergence from the model at the start, in nats per sampled answer.")
    length: Finite | None = Field(None, description="Mean tokens of the sampled answers.")
    metric: MetricValue | None = Field(
        None, description="The task's primary metric of its usual decoding, on these rows."
    )
    coefficient: Finite | None = Field(None, description="β of PPO's penalty.")


class Shared(Closed):
    """The training of a run on a mixture of tasks, which the runs of other tasks share."""

    training: NonEmpty = Field(description="Folder of the training, in the results folder of the study.")
    tasks: list[NonEmpty] = Field(min_length=1, description="Tasks in the mixture.")
    cells: Count = Field(description="Cells of the study whose runs this training is, this one included.")
    held_out: bool = Field(description="Whether the run's own task is not in the mixture.")


class TrainRecord(CellRecord):
    """`train.json`: what one run did, at what cost, with what."""

    seed: int = Field(description="Seed of the run.")
    configuration: dict[str, Any] = Field(description="Every setting of the run that alters its result.")
    configuration_hash: NonEmpty = Field(description="Hash of `configuration`.")
    parameters: Parameters | None = Field(description="Size of the model; null if the run failed before it was built.")
    injected: Injected | None = Field(description="What the method put into the model; null if it failed before.")
    selection: Selection | None = Field(
        default=None,
        description="Which weights were saved; null if there are none, or the method has a loop of its own.",
    )
    weights: dict[str, NonEmpty] | None = Field(
        default=None,
        description="SHA-256 of each file that is loaded, by its path in `weights/`; null where there are no weights.",
    )
    cost: TrainingCost | None = Field(description="Cost of the run; null if it failed before training.")
    shared: Shared | None = Field(
        default=None, description="Whose training this is, with all of its cost; null: that of this run alone."
    )
    observations: list[Observation] = Field(
        default_factory=list, description="What a training on preferences came to, evaluation by evaluation."
    )
    provenance: Provenance

    @model_validator(mode="after")
    def _complete_where_ok(self) -> Self:
        missing = [name for name in ("parameters", "injected", "cost") if getattr(self, name) is None]
        if self.status == "ok" and missing:
            raise ValueError(f"a run with status ok must have {', '.join(missing)}")
        return self
