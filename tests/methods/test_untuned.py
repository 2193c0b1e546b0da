"""The untuned model is its base."""

from tests.support.methods_on_checkpoints import batch_of, logits, make
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES


def test_the_untuned_model_is_the_base(checkpoints):
    import torch

    method = METHODS["untuned"](METHODS["untuned"].Settings(), FAMILIES["t5"])
    model, base = method.load(checkpoints / "t5", checkpoints / "t5"), make("full", "t5").load_base(checkpoints / "t5")
    batch = batch_of(checkpoints, "t5")
    assert torch.equal(logits(model, batch), logits(base, batch))
    assert not METHODS["untuned"].trains
