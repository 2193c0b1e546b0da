"""The plan of methods that learn from preferences: their operations, memory and what they save."""

import json

import pytest

from tunegrid.models.flops import Stacks, Tokens, base_stacks, reference_flops, sampling_flops, training_flops
from tunegrid.runtime.device_models import GPUS
from tunegrid.study.cells import Cell
from tunegrid.study.plan.cells import Estimator, sampling_seconds
from tunegrid.study.plan.memory import training_memory
from tunegrid.study.plan.plan import Sum, plan
from tunegrid.study.plan.tuned import Tuned

LORA = {"kind": "lora", "r": 4}
WHOLE = 222_903_552  # parameters of T5-base


@pytest.fixture
def plan_of(paper):
    def make(method: dict):
        changes = {
            "seeds": [1],
            "grid": {"tasks": ["translation"], "models": ["t5-base"], "methods": ["full", "own"]},
            "methods": {"own": {"sft": "full", **method}},
            "preferences": {"worse": {"source": {"kind": "corrupted", "rows": {"train": 3200, "validation": 100}}}},
            "rewards": {"judge": {"pairs": "worse", "training": {"learning_rate": 1e-4, "max_steps": 10}}},
            "training": {"max_steps": 50, "epochs": None, "batch_size": 32},
            "overrides": [],
        }
        study, cell = paper(json.dumps(changes)), Cell("translation", "t5-base", "own")
        estimator = Estimator(study, GPUS["h100"])
        return estimator, study.method(cell), estimator.cell(cell), estimator.sizes.trained(cell)

    return make


def test_forward_flops_by_hand():
    own, plain = Stacks(110, 10, 220, 20, 50, 0), Stacks(100, 0, 200, 0, 50, 0)
    tokens = Tokens(targets=2, source=7, target=3)
    reference = 2 * (7 * 100 + 3 * 250)
    assert reference_flops(plain, tokens) == reference
    reward = 2 * (7 * 100 + (3 + 2) * 200)
    assert sampling_flops(own, plain, tokens) == 2 * 2 * (7 * 110 + 3 * 270) + reference + reward


@pytest.mark.parametrize("update", [{"kind": "full"}, LORA], ids=["full", "lora"])
def test_ppo(plan_of, update):
    estimator, method, plan, sizes = plan_of({"kind": "ppo", "reward": "judge", "update": update})
    shape, train = estimator.shape("t5-base"), sizes["train"]
    assert plan.saved_bytes == 4 * WHOLE, "a whole model is saved, the update merged"
    assert plan.checkpoint_bytes == 12 * method.trainable_count(shape)
    answers = 50 * 32
    assert plan.source_tokens == pytest.approx(4 * answers * train.source.mean, rel=1e-4)  # a short last batch
    own, seen = method.stacks(shape), Tokens(answers, answers * train.source.mean, answers * train.target.mean)
    steps = training_flops(own, 4 * seen.source, 4 * seen.target)
    assert plan.flops == pytest.approx(steps + sampling_flops(own, base_stacks(shape), seen), rel=1e-4)
    memory = training_memory(Tuned.of(shape, method), estimator.study.training, train, "bf16", True)
    assert memory.weights == 4 * (3 * WHOLE + method.added_count(shape)), "the start and the reward model beside it"


def test_dpo_reads_two_answers_and_its_start_reads_every_pair_once(plan_of):
    estimator, method, plan, sizes = plan_of({"kind": "dpo", "pairs": "worse"})
    shape, train, validation = estimator.shape("t5-base"), sizes["train"], sizes["validation"]
    answers = 2 * 50 * 32
    assert plan.target_tokens == pytest.approx(answers * train.target.mean)
    whole = Tokens(
        2 * 3300,
        3200 * train.source.mean + 100 * validation.source.mean,
        2 * (3200 * train.target.mean + 100 * validation.target.mean),
    )
    steps = training_flops(method.stacks(shape), plan.source_tokens, plan.target_tokens)
    assert plan.flops == pytest.approx(steps + reference_flops(base_stacks(shape), whole))
    memory = training_memory(Tuned.of(shape, method), estimator.study.training, train, "bf16", True)
    assert memory.weights == 4 * WHOLE, "what the start says is known before the first step"


def test_prefixes_are_saved_without_what_makes_them(paper):
    changes = {
        "seeds": [1],
        "grid": {"tasks": ["translation"], "models": ["t5-base"], "methods": ["own"]},
        "methods": {"own": {"kind": "prefix", "length": 10, "bottleneck": 512}},
    }
    plan = Estimator(paper(json.dumps(changes)), GPUS["h100"]).cell(Cell("translation", "t5-base", "own"))
    assert plan.saved_bytes == 4 * 10 * 2 * 768 * 36, "keys and values in three kinds of attention of twelve layers"


def test_answers_are_sampled_as_long_as_they_are_predicted(paper):
    source = {"kind": "sampled", "from": "full", "samples": 4, "rows": {"train": 500, "validation": 100, "test": 100}}
    changes = {
        "seeds": [1, 2],
        "grid": {"tasks": ["translation"], "models": ["t5-base"], "methods": ["full", "own"]},
        "methods": {"own": {"kind": "dpo", "sft": "full", "pairs": "mine"}},
        "preferences": {"mine": {"source": source}},
    }
    study = paper(json.dumps(changes))
    estimator = Estimator(study, GPUS["h100"])
    test = estimator.sizes.of("translation", "t5-base").splits["test"].rows
    one = estimator.cell(Cell("translation", "t5-base", "full")).evaluation_seconds * 4 * 700 / test
    assert sampling_seconds(estimator, "translation", "t5-base", "mine") == pytest.approx(one)
    assert plan(study, GPUS["h100"]).sums["sampling pairs"] == Sum(1, pytest.approx(one)), "for all seeds"
