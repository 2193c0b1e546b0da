"""Operations of a plan: by hand, as a run records them, and as torch counts them."""

import json

import pytest

from tests.support.planned import BLOCK, FEED_FORWARD, HAND, method_of
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.flops import Stacks, counted, training_flops
from tunegrid.study.plan.flops import decoding, executed


def test_training_flops_by_hand():
    # 4 per parameter and token, 2 more for each that is trained.
    assert training_flops(Stacks(100, 10, 200, 200), source_tokens=7, target_tokens=3) == 7 * 420 + 3 * 1200


@pytest.mark.parametrize("family", ["t5", "flan-t5", "bart"])
@pytest.mark.parametrize("kind", ["full", "lora", "adapters"])
def test_planned_flops_are_those_that_a_run_records(checkpoints, family, kind):
    method = method_of(kind, family)
    config = json.loads((checkpoints / family / "config.json").read_text())
    stacks = method.stacks(Shape.from_config(FAMILIES[family], config))
    model = method.inject(method.load_base(checkpoints / family))
    assert training_flops(stacks, 1000, 10) == training_flops(counted(model), 1000, 10)


def test_executed_flops_by_hand():
    work = executed(HAND, None, batch=1, source=10, target=5)
    norms, relative = 8, 32
    encoder = 2 * (BLOCK + FEED_FORWARD + 2 * norms) + norms + relative
    decoder = 2 * BLOCK + FEED_FORWARD + 3 * norms + norms + relative
    cross = 2 * 8 * 4  # keys and values of the source, in the decoder
    assert work.linear == 2 * (10 * (encoder + cross) + 5 * (decoder - cross))
    assert work.head == 2 * 5 * 100 * 8
    assert work.attention == 2 * 2 * 4 * (2 * 10 * 10 + 5 * 5 + 5 * 10)
    assert work.training(1.0, True, False) == 3 * work.forward
    assert work.training(0.0, False, False) == 2 * (work.linear + work.head) + 3 * work.attention
    assert work.training(1.0, True, True) == 4 * work.forward - work.head


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_executed_flops_are_what_torch_counts(checkpoints, family):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    method = method_of("full", family)
    model = method.load_base(checkpoints / family).train()
    model.set_attn_implementation("eager")  # torch does not count what its fused attention does on a CPU
    ids, labels = torch.randint(5, 100, (3, 40)), torch.randint(5, 100, (3, 20))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss.backward()
    shape = Shape.from_config(FAMILIES[family], json.loads((checkpoints / family / "config.json").read_text()))
    expected = executed(shape, None, 3, 40, 20).training(1.0, True, False)
    # Normalisations and biases are parameters, but no multiplications: much in so narrow a model.
    assert expected == pytest.approx(counter.get_total_flops(), rel=0.06)


def test_writing_a_text_word_by_word_costs_what_reading_it_at_once_does():
    at_once = executed(HAND, None, batch=3, source=10, target=6)
    encoder = executed(HAND, None, batch=3, source=10, target=0)
    cross = 2 * 3 * 10 * 2 * 8 * 4  # cross-attention's keys and values: without a target they are in neither
    encoded = encoder.forward - cross
    # With a triangle of attention instead of the whole square.
    triangle = 4 * 3 * 4 * 6 * 6 / 2
    assert decoding(HAND, None, 3, 10, 6) == at_once.forward - encoded - triangle
