"""JSON records of results: `train.json` and `metrics.json`, and of the search `factor-<factor>.json` and `choice.json`.

A record is validated when it is written and when it is read, so that a table can never be made from a file that only
looks like a result. `json_schemas()` gives the same schema to other programs as JSON Schema.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed, Count, Finite, NonEmpty, Seconds, explain
from tunegrid.common.files import write_text
from tunegrid.common.records import Record, read_valid
from tunegrid.runtime.provenance import Provenance
from tunegrid.tasks.ceiling import CeilingRecord
from tunegrid.training.selection import Selection

SCHEMA_VERSION = 1

RunStatus = Literal["ok", "diverged", "failed"]
ResultKind = Literal["run", "untuned", "baseline"]
Edge = Literal["lowest", "highest"]


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
    metric: Finite | None = Field(None, description="The task's primary metric of its usual decoding, on these rows.")
    coefficient: Finite | None = Field(None, description="β of PPO's penalty.")


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
    saves: NonEmpty = Field(description="What the form saves, and what it does not.")


class Score(Closed):
    """One score of one result, on 0 to 1; a correlation is on -1 to 1."""

    # Scores computed in floating point overshoot a perfect 1 by a few units of the last place (sacreBLEU's do).
    value: float = Field(
        ge=-1, le=1 + 1e-9, allow_inf_nan=False, description="The score, on 0 to 1; a correlation, on -1 to 1."
    )
    direction: Literal["higher", "lower"] = Field(description="Whether higher or lower is better.")
    signature: str | None = Field(
        description="How it was computed (sacreBLEU's signature); null where there is one way."
    )
    undefined: NonEmpty | None = Field(
        None, description="Why the metric's formula has no value, so that 0 stands for it; null where it has one."
    )


class Outcome(Closed):
    """Fields of all records: a status, and a reason whenever it is not ok."""

    status: RunStatus = Field(description="ok; diverged (the loss was not finite, …); failed.")
    reason: str | None = Field(description="Why the status is not ok; null where it is.")

    @model_validator(mode="after")
    def _reason_where_not_ok(self) -> Self:
        if self.status == "ok" and self.reason is not None:
            raise ValueError("a result with status ok has no reason: reason must be null")
        if self.status != "ok" and not (self.reason or "").strip():
            raise ValueError(f"a result with status {self.status} needs a reason")
        return self


class CellRecord(Outcome):
    """Fields of all records of a cell."""

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, description="Version of this schema.")
    task: NonEmpty = Field(description="Name of the task.")
    model: NonEmpty = Field(description="Name of the base model.")
    method: NonEmpty = Field(description="Name of the tuning method.")


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


class CalibrationBin(Closed):
    """Test pairs to whose preferred answer a reward model gives a probability in a range."""

    low: Finite = Field(description="The range of the probability: from here …")
    high: Finite = Field(description="… to here.")
    pairs: Count = Field(description="Pairs in it.")
    predicted: Finite = Field(description="Mean probability of the answer that the model prefers.")
    observed: Finite = Field(description="Share of the pairs in which that answer was the chosen one.")


class RewardRecord(Outcome):
    """`reward.json`: a reward model, and what it is worth on pairs that it was not trained on."""

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, description="Version of this schema.")
    task: NonEmpty = Field(description="Name of the task.")
    model: NonEmpty = Field(description="Name of the base model.")
    reward: NonEmpty = Field(description="Name of the reward model in the study.")
    pairs: NonEmpty = Field(description="Name of its preference pairs.")
    seed: int = Field(description="Its seed.")
    configuration: dict[str, Any] = Field(description="Every setting that alters it.")
    configuration_hash: NonEmpty = Field(description="Hash of `configuration`.")
    parameters: Parameters | None = Field(None, description="Size of the model; null if it failed.")
    selection: Selection | None = Field(None, description="Which weights were saved; null if it failed.")
    weights: dict[str, NonEmpty] | None = Field(
        None, description="SHA-256 of each file that is loaded, by its path in `weights/`; null if it failed."
    )
    test_pairs: Count | None = Field(None, description="Held-out pairs that it was measured on; null if it failed.")
    accuracy: Finite | None = Field(None, description="Share of them whose chosen answer it gives the higher reward.")
    test_loss: Finite | None = Field(None, description="Its Bradley-Terry loss on them.")
    calibration: list[CalibrationBin] = Field(default_factory=list, description="Bins of its probabilities on them.")
    calibration_error: Finite | None = Field(None, description="Expected calibration error on them.")
    mean: Finite | None = Field(None, description="Mean raw reward of the validation answers: 0 of its scores.")
    spread: Finite | None = Field(None, description="Their standard deviation: the unit of its scores.")
    cost: TrainingCost | None = Field(None, description="Cost of its training; null if it failed.")
    provenance: Provenance

    @model_validator(mode="after")
    def _measured_where_ok(self) -> Self:
        missing = [name for name in ("parameters", "weights", "accuracy", "cost") if getattr(self, name) is None]
        if self.status == "ok" and missing:
            raise ValueError(f"a reward model with status ok must have {', '.join(missing)}")
        return self


class MetricsRecord(Outcome):
    """`metrics.json`: the scores of one result on the test set."""

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, description="Version of this schema.")
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


class WordedScores(Closed):
    """The scores of one wording."""

    name: NonEmpty = Field(description="Name of the wording: train-1, unseen-2.")
    template: NonEmpty = Field(description="The wording.")
    trained: bool = Field(description="Whether the mixture was trained with it.")
    metrics: dict[str, Finite] = Field(description="Score by name.")


class WordingsRecord(Outcome):
    """`wordings.json`: the scores of a model that is asked in several wordings, on the same test rows."""

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, description="Version of this schema.")
    kind: Literal["run", "untuned"] = Field(description="run: a tuned model; untuned: the base model as it is.")
    task: NonEmpty = Field(description="Name of the task.")
    model: NonEmpty = Field(description="Name of the base model.")
    method: NonEmpty = Field(description="Name of the instruction tuning whose wordings these are.")
    seed: int | None = Field(description="Seed of the run; null for an untuned model.")
    held_out: bool = Field(description="Whether the task is not in the mixture.")
    examples: Count = Field(description="Test examples that were answered in each wording.")
    primary: NonEmpty = Field(description="Name of the task's primary metric.")
    wordings: list[WordedScores] = Field(description="Scores of each wording; empty where the status is not ok.")
    seconds: Seconds | None = Field(
        description="Seconds of loading, prediction and scoring; null where there was none."
    )
    provenance: Provenance


class Contest(Closed):
    """Answers of a run against those of its start, row by row."""

    wins: Count = Field(description="Rows whose answer scores higher than that of the start.")
    losses: Count = Field(description="Rows whose answer scores lower.")
    ties: Count = Field(description="Rows whose answers score the same.")

    @property
    def rate(self) -> float:
        """The win rate: ties count half."""
        return (self.wins + self.ties / 2) / (self.wins + self.losses + self.ties)


class JudgementRecord(CellRecord):
    """`judgement.json`: a run that learned from preferences against the run that it started from, on test rows."""

    seed: int = Field(description="Seed of both runs.")
    start: NonEmpty = Field(description="Name of the method whose run it started from.")
    reward_model: NonEmpty = Field(description="Name of the reward model.")
    metric: NonEmpty = Field(description="The task's score of a single answer: a judge that nothing was trained on.")
    examples: Count | None = Field(None, description="Test rows; null where there is nothing to compare.")
    by_reward: Contest | None = Field(None, description="The answers compared by the reward model.")
    by_metric: Contest | None = Field(None, description="The answers compared by the metric.")
    mean_reward: Finite | None = Field(None, description="Mean reward of the run's answers.")
    mean_start_reward: Finite | None = Field(None, description="Mean reward of the start's answers.")
    mean_metric: Finite | None = Field(None, description="Mean score of the run's answers by the metric.")
    mean_start_metric: Finite | None = Field(None, description="Mean score of the start's answers by the metric.")
    provenance: Provenance


class TrialCost(Closed):
    """Cost of one trial, in wall-clock seconds; everything but the total is null in a trial that did not get there."""

    total_seconds: Seconds = Field(description="The whole trial: imports, data, model, training, prediction, scoring.")
    optimisation_seconds: Seconds | None = Field(description="Optimisation steps only.")
    evaluation_seconds: Seconds | None = Field(description="Validation loss.")
    prediction_seconds: Seconds | None = Field(description="Prediction and scoring of the validation rows.")
    steps: Count | None = Field(description="Optimiser steps done.")
    examples: Count | None = Field(description="Training examples seen, repeats counted.")
    tokens: Count | None = Field(description="Source and target tokens seen in training, without padding.")
    peak_memory_bytes: Count | None = Field(description="Peak memory of the trial, in bytes: the GPU's, else resident.")


class SearchRecord(CellRecord):
    """Fields of the records of the learning-rate search."""

    metric: NonEmpty = Field(description="The task's primary metric; higher is better.")


class TrialRecord(SearchRecord):
    """`factor-<factor>.json`: a short training with one learning rate, scored on validation rows."""

    factor: float = Field(gt=0, allow_inf_nan=False, description="The learning rate divided by the cell's own.")
    learning_rate: float = Field(gt=0, allow_inf_nan=False, description="The learning rate of this trial.")
    seed: int = Field(description="Seed of the trial, that of the search.")
    score: float | None = Field(
        ge=0, le=1 + 1e-9, allow_inf_nan=False, description="The metric, on 0 to 1; null if not ok."
    )
    validation_loss: Finite | None = Field(description="Loss on the validation rows; null where it was not computed.")
    train_rows: Count | None = Field(description="Training rows of the trial; null if it failed before.")
    validation_rows: Count | None = Field(description="Validation rows predicted; null if it failed before.")
    configuration: dict[str, Any] = Field(description="Every setting of the trial that alters its result.")
    configuration_hash: NonEmpty = Field(description="Hash of `configuration`.")
    cost: TrialCost
    provenance: Provenance

    @model_validator(mode="after")
    def _scored_where_ok(self) -> Self:
        if (self.status == "ok") != (self.score is not None):
            raise ValueError(f"a trial with status {self.status} has score {self.score}: those that are ok have one")
        if self.status == "ok" and not self.validation_rows:
            raise ValueError("a trial with status ok has predicted at least one validation row")
        return self


class ChoiceRecord(SearchRecord):
    """`choice.json`: the learning rate that a cell's trials lead to; failed if none of them could be scored."""

    factor: float | None = Field(gt=0, allow_inf_nan=False, description="The factor that was chosen; null if none.")
    learning_rate: float | None = Field(gt=0, allow_inf_nan=False, description="The learning rate; null if none.")
    configured_learning_rate: float = Field(gt=0, allow_inf_nan=False, description="The one that the study names.")
    score: float | None = Field(
        ge=0, le=1 + 1e-9, allow_inf_nan=False, description="The chosen trial's metric, on 0 to 1."
    )
    edge: Edge | None = Field(
        description="Whether nothing is known beyond the chosen rate: it is the lowest or highest that was tried."
    )
    trials: Count = Field(description="How many trials it was chosen among.")
    search_seconds: Seconds = Field(description="What all of them cost, in wall-clock seconds.")
    configuration_hash: NonEmpty = Field(description="Hash of the settings of all of them.")

    @model_validator(mode="after")
    def _chosen_where_ok(self) -> Self:
        chosen = [value is not None for value in (self.factor, self.learning_rate, self.score)]
        if chosen != [self.status == "ok"] * 3:
            raise ValueError(f"a choice with status {self.status}: one that is ok, and no other, names what was chosen")
        return self


def read_record(path: Path, cls: type[Record]) -> Record:
    """Reads and validates a record. Raises TuneGridError, naming file and field, for anything that is not one."""
    return read_valid(path, cls)


def read_any_record(path: Path) -> dict[str, Any]:
    """The content of a record, whose kind follows from its name. Raises TuneGridError as `read_record` does."""
    kinds = {"train": TrainRecord, "metrics": MetricsRecord, "choice": ChoiceRecord, "wordings": WordingsRecord}
    kinds |= {"reward": RewardRecord, "judgement": JudgementRecord}
    return read_valid(path, kinds.get(path.stem, TrialRecord)).model_dump(mode="json")


def written_since(started: str, path: Path, cls: type[Record]) -> Record | None:
    """The record at a path if it was finished at `started` (ISO 8601, UTC) or later; else, or without one, None."""
    try:
        record = read_record(path, cls)
    except TuneGridError:
        return None
    return record if record.provenance.finished >= started else None


def write_record(path: Path, record: BaseModel | Mapping[str, Any], cls: type[BaseModel] | None = None) -> None:
    """Writes a record as JSON, whole or not at all; a mapping is validated as `cls` first.

    Raises TuneGridError if the record does not follow its schema (also one made by `model_copy`, which validates
    nothing). The folder of `path` is made where it is missing.
    """
    cls = type(record) if isinstance(record, BaseModel) else cls
    if cls is None:
        raise TypeError("write_record needs the class of a record given as a mapping")
    try:
        content = record.model_dump(mode="python", warnings=False) if isinstance(record, BaseModel) else dict(record)
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        cls.model_validate_json(text)
    except ValidationError as error:
        raise TuneGridError(f"{path}: not written, for it is no valid {cls.__name__} ({explain(error)}).") from error
    except (TypeError, ValueError) as error:
        raise TuneGridError(f"{path}: not written, for it cannot be JSON ({error}).") from error
    write_text(path, text + "\n")


def json_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each record, by the name of its file or of its kind."""
    records = {
        "train.json": TrainRecord,
        "metrics.json": MetricsRecord,
        "reward.json": RewardRecord,
        "judgement.json": JudgementRecord,
        "trial.json": TrialRecord,
        "choice.json": ChoiceRecord,
        "ceiling.json": CeilingRecord,
        "wordings.json": WordingsRecord,
    }
    return {name: record.model_json_schema() for name, record in records.items()}
