"""Prefix tuning: where prefixes stand, how many numbers they are, and what is saved of the network that makes them."""

import pytest

from tests.support.checkpoints import DECODER_LAYERS, ENCODER_LAYERS, HEADS, WIDTH, make_like
from tests.support.methods_on_checkpoints import (
    ATTENTIONS,
    FAMILY_NAMES,
    batch_of,
    logits,
    make,
    randomise,
    safe_tensors,
    shape_of,
)
from tunegrid.models.flops import trainable_parameters
from tunegrid.models.shape import known_config


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize("bottleneck", [None, 6])
def test_prefixes_stand_in_every_attention_and_count_as_the_architecture_says(injected, family, bottleneck):
    method, model = injected("prefix", family, length=4, bottleneck=bottleneck)
    assert len(method.injected_modules(model)) == ATTENTIONS == method.expected_modules(shape_of(method, model))
    # By hand: a key and a value of WIDTH numbers for each of 4 positions, in 3 encoder and twice 2 decoder attentions.
    prefixes = 4 * 2 * WIDTH * ATTENTIONS
    networks = 3 * (4 * WIDTH + (WIDTH + 1) * 6) + 7 * 2 * WIDTH * (ENCODER_LAYERS + 2 * DECODER_LAYERS)
    expected = prefixes if bottleneck is None else networks
    assert trainable_parameters(model) == expected == method.trainable_count(shape_of(method, model))
    assert all(".prefix_tunings." in name for name, parameter in model.named_parameters() if parameter.requires_grad)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_what_is_saved_is_the_prefixes_alone_and_they_give_the_same_answers(injected, checkpoints, tmp_path, family):
    import numpy as np

    method, model = injected("prefix", family, length=4, bottleneck=6)
    randomise(model)
    before = logits(model, batch_of(checkpoints, family))
    method.save(model, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["adapter.safetensors", "adapter_config.json"]
    saved = safe_tensors(tmp_path / "adapter.safetensors")
    assert sum(tensor.size for tensor in saved.values()) == 4 * 2 * WIDTH * ATTENTIONS
    assert np.array_equal(logits(model, batch_of(checkpoints, family)), before), "saving leaves the model as it is"
    again = method.load(checkpoints / family, tmp_path)
    np.testing.assert_allclose(logits(again, batch_of(checkpoints, family)), before, atol=1e-5)
    plain = method.load_base(checkpoints / family)
    assert abs(logits(plain, batch_of(checkpoints, family)) - before).max() > 0.1, "the prefixes count"


def test_heads_that_are_not_as_wide_as_the_model_keep_their_prefixes(tmp_path):
    """Flan-T5-small: 6 heads of 64 numbers, a hidden state of 512."""
    import numpy as np
    import torch

    sizes = {"d_model": 16, "num_heads": 3, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 2}
    base = make_like(tmp_path / "base", known_config("google/flan-t5-small"), **sizes)
    method = make("prefix", "flan-t5", length=5, bottleneck=6)
    model = method.inject(method.load_base(base))
    assert trainable_parameters(model) == method.trainable_count(shape_of(method, model))
    randomise(model)
    batch = {
        "input_ids": torch.tensor([[5, 6, 7, 1]]),
        "attention_mask": torch.ones(1, 4),
        "labels": torch.tensor([[8, 1]]),
    }
    before = logits(model, batch)
    (tmp_path / "weights").mkdir()
    method.save(model, tmp_path / "weights")
    assert sum(tensor.size for tensor in safe_tensors(tmp_path / "weights/adapter.safetensors").values()) == (
        5 * 2 * 3 * 4 * 6
    )
    np.testing.assert_allclose(logits(method.load(base, tmp_path / "weights"), batch), before, atol=1e-5)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_prefixes_are_no_parameters_that_tokens_are_multiplied_with(injected, family):
    method, model = injected("prefix", family, length=4, bottleneck=6)
    plain = make("untuned", family)
    shape = shape_of(method, model)
    assert method.counted(model) == method.stacks(shape) == plain.stacks(shape)
    assert HEADS * shape.d_kv == WIDTH
