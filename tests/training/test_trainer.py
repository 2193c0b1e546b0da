"""What the settings of training do: losses, schedules, precision, memory for time; which weights are kept and when it ends."""

import csv
import math
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from tests.support import slow_but_a_third, slow_except
from tests.support.checkpoints import DECODER_LAYERS, ENCODER_LAYERS, without_dropout
from tunegrid.common.errors import TuneGridError
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import run_settings
from tunegrid.training.settings import Training

RUN = Run(Cell("qa", "t5", "lora"), 1)
METHODS = ("full", "lora", "adapters")


@pytest.fixture
def trained(tiny_study):
    """Trains a run with some settings; returns (its record, history.csv, its folder)."""
    from tunegrid.stages.train import train

    def run_training(run: Run = RUN, out: str = "out", methods: dict | None = None, **training):
        study = tiny_study(yaml.safe_dump({"training": training, "methods": methods or {}}))
        record = train(study, run, Path(out))
        assert record.reason is None
        with Path(out, "history.csv").open() as file:
            history = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
        return record, history, Path(out)

    return run_training


def weights(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(folder, "weights").glob("*.safetensors")}


def session_of(study, run: Run = RUN):
    from tunegrid.stages.session import prepare

    return prepare(study, run, study.method(run.cell), run_settings(study, run.cell))


# -- through transformers' arguments ----------------------------------------------------------------------------------


def test_settings_of_training_reach_the_trainer(tiny_study):
    from tunegrid.training.trainer import training_arguments

    study = tiny_study(
        "training: {learning_rate: 0.25, max_steps: 7, batch_size: 3, gradient_accumulation_steps: 5, schedule: cosine, "
        "warmup_ratio: 0.5, weight_decay: 0.125, adam_beta1: 0.5, adam_beta2: 0.75, max_grad_norm: 2.5, label_smoothing: 0.25}"
    )
    arguments = training_arguments(session_of(study))
    expected = {
        "learning_rate": 0.25, "max_steps": 7, "per_device_train_batch_size": 3, "gradient_accumulation_steps": 5,
        "lr_scheduler_type": "cosine", "warmup_ratio": 0.5, "weight_decay": 0.125, "adam_beta1": 0.5, "adam_beta2": 0.75,
        "max_grad_norm": 2.5, "label_smoothing_factor": 0.25, "seed": 1, "bf16": False, "fp16": False,
        "load_best_model_at_end": False, "metric_for_best_model": None,
    }  # fmt: skip
    assert {name: getattr(arguments, name) for name in expected} == expected


@pytest.mark.parametrize("method", METHODS)
def test_label_smoothing_is_that_of_szegedy_through_every_library(tiny_study, method):
    """(1 - e) times the cross-entropy plus e times its mean over the vocabulary, per token that is no padding."""
    import numpy as np
    import torch

    from tunegrid.training.trainer import GridTrainer

    session = session_of(tiny_study("training: {label_smoothing: 0.25}"), Run(Cell("qa", "t5", method), 1))
    trainer = GridTrainer(session)
    trainer.current_gradient_accumulation_steps = 1
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(7)])
    labels = batch["labels"].numpy()
    assert (labels == -100).any(), "no padding: it would not be seen if it counted"
    model = session.model.eval()
    with torch.no_grad():
        logits = model(**batch).logits.double().numpy()
        loss = trainer.compute_loss(model, dict(batch)).item()
    logarithms = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    tokens = [
        0.75 * -logarithms[row, place, labels[row, place]] + 0.25 * -logarithms[row, place].mean()
        for row, place in zip(*np.nonzero(labels != -100), strict=True)
    ]
    assert loss == pytest.approx(np.mean(tokens), rel=1e-5)


def linear(step: int) -> float:
    return step / 3 if step < 3 else (9 - step) / 6


def cosine(step: int) -> float:
    return step / 3 if step < 3 else (1 + math.cos(math.pi * (step - 3) / 6)) / 2


@pytest.mark.parametrize("warmup", [{"warmup_steps": 3}, {"warmup_ratio": 0.3}])
@pytest.mark.parametrize(("schedule", "share"), [
    ("linear", linear), ("cosine", cosine), ("constant", lambda step: 1), ("constant_with_warmup", lambda step: min(1, step / 3)),
])  # fmt: skip
def test_the_learning_rate_rises_and_falls_as_the_schedule_says(tiny_study, schedule, share, warmup):
    from tunegrid.training.trainer import GridTrainer

    study = tiny_study(yaml.safe_dump({"training": {"max_steps": 9, "schedule": schedule, **warmup}}))
    trainer = GridTrainer(session_of(study))
    trainer.create_optimizer_and_scheduler(9)
    rates = []
    for _ in range(9):
        rates.append(trainer.lr_scheduler.get_last_lr()[0])
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
    assert rates == pytest.approx([5e-3 * share(step) for step in range(9)])


@pytest.mark.parametrize("method", slow_except("lora", METHODS))
def test_accumulated_batches_give_the_gradient_of_the_batch_that_they_make_up(trained, method):
    """In the mean over tokens, though the batches have targets of different length."""
    methods = without_dropout()
    run = Run(Cell("translation", "t5", method), 1)
    settings = {"length_buckets": False, "max_steps": 3, "logging_steps": 1}
    whole, *others = [
        trained(run, methods=methods, batch_size=batch, gradient_accumulation_steps=times, **settings)[1]
        for batch, times in ((24, 1), (12, 2), (5, 5))
    ]
    for step in (0, 1):  # of an epoch of 47 rows; the third is made of what is left
        assert others[0][step]["gradient_norm"] == pytest.approx(whole[step]["gradient_norm"], rel=1e-3)
        assert others[0][step]["loss"] == pytest.approx(whole[step]["loss"], abs=2e-4)
    # 25 rows are not 24: the check can fail.
    assert others[1][0]["gradient_norm"] != pytest.approx(whole[0]["gradient_norm"], rel=1e-3)


@pytest.mark.parametrize(("model", "method"), slow_but_a_third(("t5", "flan-t5", "bart"), METHODS))
def test_gradient_checkpointing_gives_the_same_weights(trained, monkeypatch, model, method):
    """Also where the base is frozen, and with dropout: what is computed again is what was computed."""
    from adapters import model_mixin
    from safetensors.torch import load_file
    from torch.testing import assert_close
    from transformers import modeling_utils

    calls, real = [], modeling_utils.checkpoint

    def checkpoint(*given, **named):
        calls.append(named)
        return real(*given, **named)

    monkeypatch.setattr(modeling_utils, "checkpoint", checkpoint)
    monkeypatch.setattr(model_mixin, "checkpoint", checkpoint)  # the adapters library has its own way
    run, settings = Run(Cell("qa", model, method), 1), {"max_steps": 3, "logging_steps": 1}
    _, plain, folder = trained(run, **settings, out="plain")
    assert calls == []
    _, checkpointed, other = trained(run, **settings, out="checkpointed", gradient_checkpointing=True)
    assert len(calls) >= 3 * (ENCODER_LAYERS + DECODER_LAYERS), "each layer in each of three steps"
    for before, after in zip(plain, checkpointed, strict=True):
        assert after == pytest.approx(before, rel=1e-4)
        assert before.get("gradient_norm", 1.0) > 0
    for name in weights(folder):
        # Not to the bit: sums of gradients are taken in another order.
        assert_close(load_file(other / "weights" / name), load_file(folder / "weights" / name), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_bf16_is_autocast_over_weights_in_fp32(tiny_study, method):
    import torch

    from tunegrid.training.trainer import GridTrainer

    study = tiny_study("{hardware: {precision: bf16}, training: {max_steps: 2, evaluation_steps: 1}}")
    session = session_of(study, Run(Cell("qa", "t5", method), 1))
    seen: dict[bool, set] = {True: set(), False: set()}
    name, linear = next((n, m) for n, m in session.model.named_modules() if n.endswith("SelfAttention.q"))
    assert isinstance(linear, torch.nn.Module), name
    linear.register_forward_hook(lambda module, given, output: seen[module.training].add(output.dtype))
    trainer = GridTrainer(session)
    trainer.train()
    assert seen == {True: {torch.bfloat16}, False: {torch.bfloat16}}, "in training and in evaluation"
    assert {parameter.dtype for parameter in session.model.parameters()} == {torch.float32}
    states = [value for state in trainer.optimizer.state.values() for value in state.values()]
    assert {value.dtype for value in states if torch.is_tensor(value)} == {torch.float32}


def test_nothing_but_the_study_says_in_which_precision_a_run_trains(tiny_study, monkeypatch):
    """accelerate reads variables, which users set and a training in bf16 leaves behind in its process."""
    from tunegrid.training.trainer import GridTrainer

    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    found = []
    for precision in ("fp32", "bf16", "fp32"):
        trainer = GridTrainer(session_of(tiny_study(f"{{hardware: {{precision: {precision}}}}}")))
        found.append(trainer.accelerator.mixed_precision)
    assert found == ["no", "bf16", "no"]


def test_gradients_are_clipped(tiny_study):
    import torch
    from transformers import TrainerCallback

    from tunegrid.training.trainer import GridTrainer

    norms = []

    class Norm(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model, **_):
            gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
            norms.append(torch.nn.utils.get_total_norm(gradients).item())

    trainer = GridTrainer(session_of(tiny_study("training: {max_steps: 2, logging_steps: 1, max_grad_norm: 0.125}")))
    trainer.add_callback(Norm())
    trainer.train()
    assert norms == pytest.approx([0.125, 0.125], rel=1e-4)
    assert min(row["gradient_norm"] for row in trainer.history()) > 0.125, "logged as it was before"


@pytest.mark.parametrize("settings", [
    {"epochs": 2.0, "batch_size": 9}, {"epochs": 1.5, "batch_size": 7, "gradient_accumulation_steps": 4},
    {"epochs": 0.3, "batch_size": 3, "gradient_accumulation_steps": 2}, {"epochs": 3.0, "batch_size": 64}, {"max_steps": 5},
])  # fmt: skip
def test_the_steps_of_a_run_are_known_before_it(trained, settings):
    record, history, _ = trained(**{"max_steps": None} | settings, evaluations=3)
    training = Training(learning_rate=1.0, **settings, evaluations=3)
    assert record.cost.steps == training.steps(40)
    evaluated = [int(row["step"]) for row in history if "validation_loss" in row]
    interval = training.evaluation_interval(40)
    assert evaluated == sorted({*range(interval, record.cost.steps + 1, interval), record.cost.steps})
    assert len(evaluated) <= 3


# -- which weights are kept -------------------------------------------------------------------------------------------

WORSE = {"learning_rate": 0.2, "schedule": "constant", "warmup_ratio": 0.0, "evaluation_steps": 2, "max_steps": 30}


@pytest.mark.parametrize(
    ("model", "method"), slow_except(("t5", "adapters"), [("t5", "adapters"), ("flan-t5", "lora"), ("bart", "full")])
)
def test_the_best_weights_are_those_of_a_run_that_ends_there(trained, model, method):
    run = Run(Cell("qa", model, method), 1)
    settings = WORSE | {"learning_rate": 0.1}
    record, history, folder = trained(run, **settings, keep_best=True, early_stopping_patience=3)
    losses = {int(row["step"]): row["validation_loss"] for row in history if "validation_loss" in row}
    best = min(losses, key=losses.get)
    chosen = record.selection
    assert (chosen.kept, chosen.by, chosen.step, chosen.best_step) == ("best", "loss", best, best)
    assert chosen.validation_loss == chosen.best_value == losses[best]
    # It ends with the third evaluation in a row that is no better than all before; else at its last step.
    end, lowest, worse = 30, math.inf, 0
    for step, loss in losses.items():
        lowest, worse = (loss, 0) if loss < lowest else (lowest, worse + 1)
        if worse == 3:
            end = step
            break
    assert (record.cost.steps, max(losses), chosen.evaluations) == (end, end, end // 2)
    assert chosen.stopped_early == (end < 30)

    shorter, _, other = trained(run, **settings | {"max_steps": best}, out="shorter")
    assert weights(folder) == weights(other)
    assert (shorter.selection.kept, shorter.selection.step, shorter.selection.stopped_early) == ("last", best, False)
    assert shorter.selection.validation_loss == losses[best]


def test_without_keep_best_the_last_weights_are_kept_and_the_best_step_is_named(trained):
    record, history, folder = trained(**WORSE, early_stopping_patience=1, early_stopping_threshold=100.0)
    # The first evaluation is better than nothing; the second can be no 100 better.
    assert (record.cost.steps, record.selection.step, record.selection.stopped_early) == (4, 4, True)
    assert record.selection.kept == "last"
    losses = {int(row["step"]): row["validation_loss"] for row in history if "validation_loss" in row}
    assert record.selection.best_step == min(losses, key=losses.get)
    other = trained(**WORSE | {"max_steps": 4, "evaluation_steps": None}, out="other")
    assert weights(folder) == weights(other[2])
    assert not list(Path("results/tiny/checkpoints").glob("*/*/*/*")), "early stopping alone writes none"


def test_who_evaluates_more_often_trains_the_same_weights(trained):
    _, _, plain = trained(max_steps=5, out="plain")
    _, _, evaluated = trained(max_steps=5, out="evaluated", evaluation_steps=1, checkpoint_steps=2)
    assert weights(plain) == weights(evaluated)


@pytest.mark.parametrize(("task", "limit"), [("qa", None), ("sentiment", 4), ("translation", None)])
def test_selection_by_the_metric_is_by_what_the_evaluation_stage_computes(tiny_study, trained, task, limit):
    from tunegrid.data.parquet import read_parquet
    from tunegrid.data.tokens import load_tokenizer, read_tokens
    from tunegrid.tasks.predict import predict_rows

    run = Run(Cell(task, "bart", "full"), 1)
    settings = WORSE | {"learning_rate": 0.02, "max_steps": 8}
    record, history, folder = trained(run, **settings, keep_best=True, select_by="metric", validation_rows=limit)
    values = {int(row["step"]): row["validation_metric"] for row in history if "validation_metric" in row}
    chosen = record.selection
    assert chosen.step == chosen.best_step == max(values, key=values.get)  # the first of equals
    assert chosen.best_value == chosen.validation_metric == max(values.values())
    if limit is not None:
        assert all(value * limit == pytest.approx(round(value * limit)) for value in values.values())
        return
    study = tiny_study()
    task_ = study.task(task)
    assert chosen.by == task_.primary
    base = study.paths.model("bart")
    model = study.method(run.cell).load(base, folder / "weights").eval()
    rows = read_parquet(study.paths.split(task, "validation"))
    tokens = read_tokens(study.paths.tokens(task, "bart") / "validation.arrow")
    predicted = predict_rows(model, load_tokenizer(base), task_, tokens, len(rows), precision="fp32")
    assert task_.score(predicted.texts, rows).metrics[task_.primary] == chosen.validation_metric


# -- what does not fit together ---------------------------------------------------------------------------------------

EVALUATES = {"evaluations": 4}


@pytest.mark.parametrize(("settings", "said"), [
    ({"keep_best": True}, "keep_best needs evaluations"),
    ({"early_stopping_patience": 2}, "give evaluations or evaluation_steps"),
    ({"early_stopping_threshold": 0.1, **EVALUATES}, "no effect without early_stopping_patience"),
    ({"select_by": "metric", **EVALUATES}, "no effect without keep_best or early_stopping_patience"),
    ({"validation_rows": 9, "keep_best": True, **EVALUATES}, "no effect without select_by: metric"),
    ({"keep_best": True, "checkpoint_steps": 5, **EVALUATES}, "leave checkpoint_steps and checkpoints out"),
    ({"keep_best": True, "checkpoints_kept": 1, **EVALUATES}, "at least 2"),
    ({"keep_checkpoints": "always"}, "give checkpoint_steps or checkpoints"),
    ({"evaluation_steps": 5, **EVALUATES}, "only one of evaluation_steps and evaluations"),
    ({"checkpoint_steps": 5, "checkpoints": 5}, "only one of checkpoint_steps and checkpoints"),
    ({"warmup_steps": 5, "warmup_ratio": 0.1}, "exactly one of warmup_ratio and warmup_steps"),
])  # fmt: skip
def test_settings_that_do_not_fit_together_are_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        Training(learning_rate=1.0, max_steps=5, **settings)


def test_such_a_mistake_is_shown_where_it_stands(tiny_study):
    with pytest.raises(TuneGridError, match=r"changes\.yaml, line 1: training: keep_best needs evaluations"):
        tiny_study("training: {keep_best: true}")
    with pytest.raises(TuneGridError, match=r"overrides\[0\]\.training.*: keep_best needs evaluations"):
        tiny_study("overrides: [{where: {task: qa}, training: {keep_best: true}}]")


def test_an_override_that_names_one_of_two_ways_means_it_instead_of_the_other(tiny_study):
    study = tiny_study(
        "{training: {warmup_ratio: 0.1, evaluations: 3, checkpoint_steps: 2}, overrides: [{where: {task: qa}, "
        "training: {warmup_steps: 2, evaluation_steps: 5, checkpoints: 4}}, {where: {task: qa, model: bart}, "
        "training: {warmup_ratio: 0.3}}]}"
    )
    names = ("warmup_ratio", "warmup_steps", "evaluations", "evaluation_steps", "checkpoints", "checkpoint_steps")

    def of(*cell: str) -> tuple:
        training = study.training_settings(Cell(*cell))
        return tuple(getattr(training, name) for name in names)

    assert of("sentiment", "t5", "full") == (0.1, None, 3, None, None, 2)
    assert of("qa", "t5", "full") == (None, 2, None, 5, 4, None)
    assert of("qa", "bart", "full") == (0.3, None, None, 5, 4, None)
