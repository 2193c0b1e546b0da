"""BitFit: the biases that it trains, and the families that have none."""

import pytest

from tests.support.checkpoints import INNER_WIDTH, WIDTH
from tests.support.methods_on_checkpoints import shape_of
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES
from tunegrid.models.flops import trainable_parameters


def test_bitfit_trains_the_biases_of_bart(injected):
    method, model = injected("bitfit", "bart")
    # Encoder layer: q, k, v, o, norm, fc1, fc2, norm = 8; decoder layer: 5 more; a norm of the embeddings in each stack.
    assert len(method.injected_modules(model)) == 3 * 8 + 2 * 13 + 2 == method.expected_modules(shape_of(method, model))
    layer = 5 * WIDTH + INNER_WIDTH + WIDTH + WIDTH
    assert trainable_parameters(model) == 3 * layer + 2 * (layer + 5 * WIDTH) + 2 * WIDTH
    assert all(name.endswith(".bias") for name, p in model.named_parameters() if p.requires_grad)


@pytest.mark.parametrize("family", ["t5", "flan-t5"])
def test_bitfit_says_that_t5_has_no_biases(family):
    reason = METHODS["bitfit"].why_not(METHODS["bitfit"].Settings(kind="bitfit"), FAMILIES[family])
    assert family in reason
    assert "no bias" in reason
