"""Times of a plan: steps, evaluations, and seconds that follow work and device."""

import json

import pytest

from tests.support.planned import architecture, batch, tuned
from tunegrid.models import FAMILIES, Shape
from tunegrid.runtime.device_models import GPUS, assumed_cpu
from tunegrid.study.plan.duration import evaluations, examples, passes, training_seconds
from tunegrid.training.settings import Training


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"max_steps": 10, "batch_size": 4}, (10, 10, 40)),
        ({"max_steps": 10, "batch_size": 4, "gradient_accumulation_steps": 3}, (10, 30, 120)),
        ({"epochs": 2, "batch_size": 8}, (26, 26, 200)),  # 13 batches an epoch, the last of 4 rows
        ({"epochs": 2, "batch_size": 8, "gradient_accumulation_steps": 4}, (8, 26, 200)),
        ({"epochs": 0.5, "batch_size": 10}, (5, 5, 50)),
    ],
)
def test_length_of_a_run_of_100_rows(settings, expected):
    training = Training(learning_rate=1.0, **settings)
    assert (training.steps(100), passes(training, 100), round(examples(training, 100))) == expected


def test_evaluations_are_at_the_end_and_now_and_then():
    assert evaluations(Training(learning_rate=1.0, max_steps=100), 10) == 1
    assert evaluations(Training(learning_rate=1.0, max_steps=100, evaluation_steps=30), 10) == 4
    assert evaluations(Training(learning_rate=1.0, max_steps=100, evaluations=10), 10) == 10


def test_time_follows_work_and_device():
    training, split = Training(learning_rate=1.0, max_steps=100, batch_size=32), batch(3200, 512, 16)
    shape = Shape.from_config(FAMILIES["t5"], json.loads(architecture("google-t5--t5-base")))
    full, lora = (tuned(shape, kind) for kind in ("full", "lora"))
    seconds = {name: training_seconds(full, training, split, GPUS[name], "bf16") for name in ("h100", "a100", "t4")}
    assert seconds["h100"] < seconds["a100"] < seconds["t4"]
    low, high = (training_seconds(full, training, split, GPUS["h100"], "bf16", share) for share in (0.08, 0.35))
    assert high < seconds["h100"] < low
    # A LoRA has fewer gradients, but its many small modules keep a large GPU waiting; a CPU is slow enough anyway.
    cpu = assumed_cpu(1, "fp32")
    assert training_seconds(lora, training, split, cpu, "fp32") < training_seconds(full, training, split, cpu, "fp32")
    again = training.model_copy(update={"gradient_checkpointing": True})
    assert training_seconds(full, again, split, cpu, "fp32") > 1.2 * training_seconds(
        full, training, split, cpu, "fp32"
    )
