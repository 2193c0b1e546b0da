"""`metrics.json`: scores on the test rows, and what an answer costs."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tunegrid.common.fields import Closed, Count, Finite, MetricValue, NonEmpty, Seconds
from tunegrid.results.records.outcome import Outcome
from tunegrid.runtime.provenance import Provenance

ResultKind = Literal["run", "untuned", "baseline"]


class Speed(Closed):
    """Speed of one form of a model, from token ids to text, on the test examples of `InferenceCost`."""

    latency_seconds: Seconds = Field(description="Median over the examples of the seconds for one, alone in its batch.")
    latency_p90_seconds: Seconds = Field(description="90th percentile of the same.")
    token_seconds: Seconds | None = Field(
        description="Median of seconds / generated tokens of the same; null where nothing is generated."
    )
    batch_examples_per_second: Seconds = Field(description="Examples per second in one batch of `batch_examples`.")


class InferenceCost(Closed):
    """Cost of one prediction. All methods and models of a task are measured on the same test examples."""

    flops: Finite = Field(description="Estimated floating-point operations of one test example, as it was predicted.")
    merged_flops: Finite | None = Field(description="The same of the merged model; null where there is none.")
    flops_formula: str = Field(description="The formula of both.")
    generated_tokens: Finite | None = Field(
        description="Tokens that were generated per test example, the end included; null where nothing is generated."
    )
    latency_examples: Count = Field(description="Examples whose latency was measured; 0: no speed was measured.")
    batch_examples: Count = Field(description="Examples of the batch whose throughput was measured.")
    unmerged: Speed | None = Field(description="Speed as it was predicted, the method's modules beside the base's.")
    merge: Literal["merged", "plain", "undefined", "converted"] = Field(
        description="merged: into the base; plain: there is nothing to merge; undefined: this method cannot be merged; "
        "converted: merged, where there was something to merge, before CTranslate2 predicted."
    )
    merged: Speed | None = Field(description="Speed of the merged model; null where there is none.")
    merge_seconds: Seconds | None = Field(description="Seconds of merging; null where there was none.")
    merged_compared: Count | None = Field(description="Test examples that both forms answered; null where one did.")
    merged_differences: Count | None = Field(description="Those of them that the two forms answered differently.")
    measuring_seconds: Seconds = Field(description="What all of this took: part of no other time of the record.")

    @property
    def deployed(self) -> Speed | None:
        """The speed of the merged model where it was measured, else as it predicted."""
        return self.merged or self.unmerged


class EvaluationCost(Closed):
    """Cost of predicting and scoring the test set, in wall-clock seconds."""

    load_seconds: Seconds | None = Field(description="Imports, data and weights, in seconds.")
    prediction_seconds: Seconds | None = Field(description="Prediction of all test examples, in seconds.")
    scoring_seconds: Seconds | None = Field(description="Computation of the metrics, in seconds.")
    examples_per_second: Seconds | None = Field(description="Test examples / prediction_seconds.")
    peak_memory_bytes: Count | None = Field(
        description="Peak memory of prediction, in bytes: the GPU's, else resident."
    )
    inference: InferenceCost | None = Field(None, description="What one answer costs; null: it was not measured.")


class FormFacts(Closed):
    """Another form of a run's weights, which predicted in their place."""

    name: NonEmpty = Field(description="Name of the form: int8, prune-30, ….")
    saved_bytes: Count = Field(description="Bytes of its weights as they are saved.")
    plain_bytes: Count = Field(description="The same of the merged model in fp32.")
    zeros: float | None = Field(
        None, ge=0, le=1, description="Share of the linear layers' weights that are 0; null: no pruned form."
    )
    encoder_layers: list[Count] | None = Field(
        None, description="The encoder's layers that a student keeps, from 0; null: no layer was left out."
    )
    decoder_layers: list[Count] | None = Field(None, description="The decoder's.")
    parameters: Count | None = Field(None, description="Its parameters, each tensor once; null: an earlier version's.")
    tuning_steps: Count | None = Field(
        None, description="Optimiser steps after the weights were pruned or layers left out; null: there were none."
    )
    recovery_seconds: Seconds | None = Field(
        None, description="Optimisation in those steps, part of `load_seconds`; null: there was none."
    )
    answering_seconds: Seconds | None = Field(
        None, description="The teacher's answers to training rows, part of `load_seconds`; null: there was no teacher."
    )
    weights: dict[str, str] | None = Field(
        None, description="SHA-256 of each file in `weights/`; null: nothing is saved, for it is made of the run's own."
    )
    saves: NonEmpty = Field(description="What the form saves, and what it does not.")


class Score(Closed):
    """One score of one result, on 0 to 1; a correlation is on -1 to 1."""

    value: MetricValue = Field(description="The score, on 0 to 1; a correlation, on -1 to 1.")
    direction: Literal["higher", "lower"] = Field(description="Whether higher or lower is better.")
    signature: str | None = Field(
        description="How it was computed (sacreBLEU's signature); null where there is one way."
    )
    undefined: NonEmpty | None = Field(
        None, description="Why the metric's formula has no value, so that 0 stands for it; null where it has one."
    )


class MetricsRecord(Outcome):
    """`metrics.json`: the scores of one result on the test set."""

    kind: ResultKind = Field(
        description="run: a tuned model; untuned: the base model as it is; baseline: no model at all."
    )
    task: NonEmpty = Field(description="Name of the task.")
    model: NonEmpty | None = Field(description="Name of the base model; null for a baseline.")
    method: NonEmpty = Field(description="Name of the tuning method, 'untuned', or the name of the baseline.")
    seed: int | None = Field(description="Seed of the run; null for an untuned model or a baseline.")
    domain: NonEmpty | None = Field(None, description="Name of the other test rows; null: the task's own.")
    examples: Count = Field(description="Test examples scored.")
    predictions_cut: Count | None = Field(
        default=None,
        description="Predictions that max_new_tokens ended, not the model; null where nothing is generated.",
    )
    primary: NonEmpty = Field(description="Name of the task's primary metric.")
    metrics: dict[str, Score] = Field(description="Score by name; empty where the status is not ok.")
    note: NonEmpty | None = Field(
        None, description="What a reader of the scores has to know: what stands in for a baseline, and why."
    )
    cost: EvaluationCost | None = Field(description="Cost of the evaluation; null where there was none.")
    form: FormFacts | None = Field(None, description="The form of the weights; null: as they were trained.")
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.status == "ok" and self.primary not in self.metrics:
            raise ValueError(f"metrics lacks the primary metric {self.primary!r}; it has {sorted(self.metrics)}")
        if (self.model is None) != (self.kind == "baseline"):
            raise ValueError(f"kind {self.kind} with model {self.model!r}: a baseline, and nothing else, has no model")
        if (self.seed is None) != (self.kind != "run"):
            raise ValueError(f"kind {self.kind} with seed {self.seed!r}: a run, and nothing else, has a seed")
        return self
