"""LoRA: where it is put, how much it trains, and its equation."""

import json

import pytest

from tests.support.checkpoints import INNER_WIDTH, WIDTH
from tests.support.methods_on_checkpoints import (
    ATTENTIONS,
    BLOCKS,
    FAMILY_NAMES,
    batch_of,
    logits,
    randomise,
    shape_of,
)
from tunegrid.models.flops import trainable_parameters

# By hand, for 3 encoder and 2 decoder layers: 3 + 2 x 2 = 7 attention blocks of q, k, v and o; 5 feed-forward blocks of
# 2 layers (3 in Flan-T5, gated).
LORA_MODULES = {"t5": 38, "flan-t5": 43, "bart": 38}


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_lora_touches_every_linear_layer_of_the_blocks_and_not_the_head(injected, family):
    method, model = injected("lora", family)
    modules = method.injected_modules(model)
    assert len(modules) == LORA_MODULES[family] == method.expected_modules(shape_of(method, model))
    assert not [name for name in modules if "lm_head" in name or "embed" in name]


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize(
    ("targets", "count"), [(["query"], 7), (["query", "value"], 14), (["output"], 7), (["key", "query"], 14)]
)
def test_lora_s_targets_are_roles_in_every_family(injected, family, targets, count):
    method, model = injected("lora", family, targets=targets)
    assert len(method.injected_modules(model)) == count == method.expected_modules(shape_of(method, model))


@pytest.mark.parametrize(("family", "count"), [("t5", 10), ("flan-t5", 15), ("bart", 10)])
def test_the_feed_forward_role_is_two_layers_a_block_and_three_where_it_is_gated(injected, family, count):
    method, model = injected("lora", family, targets=["feed-forward"])
    assert len(method.injected_modules(model)) == count == method.expected_modules(shape_of(method, model))


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_lora_trains_r_times_the_sides_of_each_matrix(injected, family):
    _, model = injected("lora", family, r=3)
    # A is r x in and B is out x r.
    attention = 4 * (WIDTH + WIDTH)
    feed_forward = (3 if family == "flan-t5" else 2) * (WIDTH + INNER_WIDTH)
    assert trainable_parameters(model) == 3 * (ATTENTIONS * attention + BLOCKS * feed_forward)
    assert all(".lora_" in name for name, parameter in model.named_parameters() if parameter.requires_grad)


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize(("r", "alpha"), [(2, 6.0), (4, 4.0)])
def test_lora_s_merged_weights_are_w0_plus_alpha_over_r_times_ba(injected, checkpoints, family, r, alpha):
    import numpy as np

    method, model = injected("lora", family, r=r, alpha=alpha)
    randomise(model)
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    batch = batch_of(checkpoints, family)
    unmerged = logits(model, batch)
    merged = method.merge(model)
    after = merged.state_dict()
    changed = 0
    for name, value in before.items():
        if ".base_layer.weight" in name:
            stem = name.removesuffix(".base_layer.weight")
            b, a = before[f"{stem}.lora_B.default.weight"], before[f"{stem}.lora_A.default.weight"]
            expected = value + alpha / r * (b @ a)
            assert np.abs(expected - value).max() > 1e-3
            plain = stem.removeprefix("base_model.model.") + ".weight"
            np.testing.assert_allclose(after[plain].numpy(), expected, atol=1e-5)
            changed += 1
    assert changed == LORA_MODULES[family]
    assert not [name for name in after if "lora" in name]
    np.testing.assert_allclose(logits(merged, batch), unmerged, atol=1e-4)


def test_lora_saves_the_same_bytes_in_every_process(injected, tmp_path):
    method, model = injected("lora", "t5")
    method.save(model, tmp_path)
    # The library keeps the targets in a set, whose order Python changes from process to process.
    targets = json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"]
    assert targets == ["k", "o", "q", "v", "wi", "wo"]
