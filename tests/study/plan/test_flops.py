"""Operations of a plan: by hand, as a run records them, and as torch counts them."""

import json

import pytest

from tests.support.planned import BLOCK, FEED_FORWARD, HAND, method_of
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.flops import Stacks, base_stacks, counted, training_flops
from tunegrid.study.plan.flops import decoding, executed


def test_training_flops_by_hand():
    # 4 per parameter and token, 2 more for each that is trained.
    stacks = Stacks(100, 10, 200, 200, head=50, head_trainable=0)
    assert training_flops(stacks, source_tokens=7, target_tokens=3) == 7 * 420 + 3 * (1200 + 200)
    trained = Stacks(100, 10, 200, 200, head=50, head_trainable=50)
    assert training_flops(trained, source_tokens=7, target_tokens=3) == 7 * 420 + 3 * (1200 + 300)


@pytest.mark.parametrize("family", ["t5", "flan-t5", "bart"])
@pytest.mark.parametrize("kind", ["full", "lora", "adapters"])
def test_planned_flops_are_those_that_a_run_records(checkpoints, family, kind):
    method = method_of(kind, family)
    config = json.loads((checkpoints / family / "config.json").read_text())
    stacks = method.stacks(Shape.from_config(FAMILIES[family], config))
    model = method.inject(method.load_base(checkpoints / family))
    assert training_flops(stacks, 1000, 10) == training_flops(counted(model), 1000, 10)


@pytest.mark.parametrize("family", ["t5", "flan-t5", "bart"])
@pytest.mark.parametrize("kind", ["full", "lora", "adapters"])
def test_recorded_flops_are_what_torch_counts_with_the_head_tied_or_not(checkpoints, family, kind):
    """T5 and BART write with their embeddings, Flan-T5 with a matrix of its own: the same products, counted alike."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    method = method_of(kind, family)
    base = method.load_base(checkpoints / family)
    base.set_attn_implementation("eager")  # torch does not count what its fused attention does on a CPU
    model = method.inject(base).train()
    # As many source as target tokens: the formula takes cross-attention's keys and values to be of the target.
    tokens = 30
    ids, labels = torch.randint(5, 100, (1, tokens)), torch.randint(5, 100, (1, tokens))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss.backward()
    counts = counter.get_flop_counts()
    (head,) = [sum(ops.values()) for name, ops in counts.items() if name.endswith(".lm_head")]
    stacks = counted(model)
    assert stacks.head == base.config.vocab_size * base.config.d_model
    assert tokens * (4 * stacks.head + 2 * stacks.head_trainable) == head
    products = sum(count for op, count in counts["Global"].items() if "bmm" not in str(op))
    # Normalisations and biases count as if they were multiplied; with a frozen embedding torch saves the gradient of
    # the first layer's inputs, which is much of so shallow a model.
    assert 1 <= training_flops(stacks, tokens, tokens) / products <= (1.06 if kind == "full" else 1.25)


def test_executed_flops_by_hand():
    work = executed(HAND, base_stacks(HAND), batch=1, source=10, target=5)
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
    expected = executed(shape, base_stacks(shape), 3, 40, 20).training(1.0, True, False)
    # Normalisations and biases are parameters, but no multiplications: much in so narrow a model.
    assert expected == pytest.approx(counter.get_total_flops(), rel=0.06)


def test_writing_a_text_word_by_word_costs_what_reading_it_at_once_does():
    at_once = executed(HAND, base_stacks(HAND), batch=3, source=10, target=6)
    encoder = executed(HAND, base_stacks(HAND), batch=3, source=10, target=0)
    cross = 2 * 3 * 10 * 2 * 8 * 4  # cross-attention's keys and values: without a target they are in neither
    encoded = encoder.forward - cross
    # With a triangle of attention instead of the whole square.
    triangle = 4 * 3 * 4 * 6 * 6 / 2
    assert decoding(HAND, base_stacks(HAND), 3, 10, 6) == at_once.forward - encoded - triangle
