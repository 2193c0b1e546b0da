"""LoRA's dropout that keeps little: the same numbers as torch's own modules, and fewer bytes."""

import pytest
from checkpoints import FAMILIES

from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES as MODEL_FAMILIES


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_output_and_gradients_are_those_of_dropout_and_linear_to_the_bit(precision):
    import torch
    from torch.nn.functional import dropout

    from tunegrid.methods.dropped_linear import DroppedLinear

    plain = torch.nn.Linear(24, 8, bias=False)
    x, gradient = torch.randn(3, 7, 24, requires_grad=True), torch.randn(3, 7, 8)
    found = []
    for module in (lambda x: plain(dropout(x, 0.3)), DroppedLinear(plain, 0.3)):
        torch.manual_seed(5)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            output = module(x)
        output.backward(gradient.to(output.dtype))
        found.append([output.detach(), x.grad, plain.weight.grad, torch.get_rng_state()])
        x.grad = plain.weight.grad = None
    assert all(torch.equal(ours, own) for own, ours in zip(*found, strict=True))
    assert found[0][0].dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)


def test_nothing_is_dropped_in_evaluation():
    import torch

    from tunegrid.methods.dropped_linear import DroppedLinear

    plain, x = torch.nn.Linear(24, 8, bias=False), torch.randn(5, 24)
    assert torch.equal(DroppedLinear(plain, 0.3).eval()(x), plain(x))


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_trains_as_peft_s_own_modules_do_and_keeps_less(checkpoints, family, monkeypatch):
    import torch

    from tunegrid.methods import lora

    def step() -> tuple[float, dict, int]:
        torch.manual_seed(0)
        settings = METHODS["lora"].Settings(kind="lora", r=4, alpha=8, dropout=0.3)
        method = METHODS["lora"](settings, MODEL_FAMILIES[family])
        model = method.inject(method.load_base(checkpoints / family)).train()
        kept = {}

        def keep(tensor):
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            held.append(tensor)  # so that no address is used twice
            return tensor

        held = []
        ids = torch.arange(5, 45).reshape(2, 20)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids[:, :4].contiguous()).loss
        loss.backward()
        gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
        return loss.item(), gradients, sum(kept.values())

    loss, gradients, kept = step()
    monkeypatch.setattr(lora, "_drop_sparingly", lambda *_: None)
    own_loss, own_gradients, own_kept = step()
    assert loss == own_loss
    assert gradients.keys() == own_gradients.keys()
    assert all(torch.equal(gradients[name], own_gradients[name]) for name in gradients)
    assert kept < 0.9 * own_kept
