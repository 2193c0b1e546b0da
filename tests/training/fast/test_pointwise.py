"""T5's normalisation and Flan-T5's activation at once: the same loss and gradients as transformers' formulas."""

import pytest

from tests.support.checkpoints import FAMILIES
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES as MODEL_FAMILIES


@pytest.mark.parametrize("method", ["full", "adapters"])
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_those_of_the_formulas(checkpoints, family, method):
    import torch

    from tunegrid.training.fast.pointwise import merge_pointwise

    tuned = METHODS[method](METHODS[method].Settings(kind=method), MODEL_FAMILIES[family])
    model = tuned.inject(tuned.load_base(checkpoints / family)).eval()  # no dropout
    ids, found = torch.arange(5, 45).reshape(2, 20), []
    for _ in ("formulas", "at once"):
        loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids[:, :4].contiguous()).loss
        loss.backward()
        # An embedding of positions that nobody reached has no gradient.
        found.append([loss.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
        model.zero_grad()
        merge_pointwise(model)
    assert len(found[0]) == len(found[1]) > 5
    assert sum(gradient.abs().sum() for gradient in found[0][1:]) > 0
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


def test_bf16_is_left_to_the_formula():
    """Which computes it in fp32 and rounds at the end."""
    import torch
    from transformers.models.t5.modeling_t5 import T5LayerNorm

    from tunegrid.training.fast.pointwise import merge_pointwise

    plain, merged = (torch.nn.ModuleList([T5LayerNorm(24)]) for _ in range(2))
    merge_pointwise(merged)
    x = torch.randn(3, 5, 24).bfloat16()
    assert torch.equal(merged[0](x), plain[0](x))
