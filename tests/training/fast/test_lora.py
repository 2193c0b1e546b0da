"""LoRA's layers that compute and keep little: the same numbers as peft's own modules, and fewer bytes."""

import pytest

from tests.support.checkpoints import FAMILIES
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES as MODEL_FAMILIES


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_output_and_gradients_are_those_of_dropout_and_linear_to_the_bit(precision):
    import torch
    from torch.nn.functional import dropout

    from tunegrid.training.fast.dropout import sparing_dropout
    from tunegrid.training.fast.lora import DroppedLinear

    plain = torch.nn.Linear(24, 8, bias=False)
    x, gradient = torch.randn(3, 7, 24, requires_grad=True), torch.randn(3, 7, 8)
    found = []
    for module in (lambda x: plain(dropout(x, 0.3)), DroppedLinear(plain, 0.3)):
        torch.manual_seed(5)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"), sparing_dropout():
            output = module(x)
        output.backward(gradient.to(output.dtype))
        found.append([output.detach(), x.grad, plain.weight.grad, torch.get_rng_state()])
        x.grad = plain.weight.grad = None
    assert all(torch.equal(ours, own) for own, ours in zip(*found, strict=True))
    assert found[0][0].dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)


def test_nothing_is_dropped_in_evaluation():
    import torch

    from tunegrid.training.fast.lora import DroppedLinear

    plain, x = torch.nn.Linear(24, 8, bias=False), torch.randn(5, 24)
    assert torch.equal(DroppedLinear(plain, 0.3).eval()(x), plain(x))


def lora_on(checkpoint, family: str):
    """A model in training whose updates are not zero, as they are at first."""
    import torch

    torch.manual_seed(0)
    settings = METHODS["lora"].Settings(kind="lora", r=4, alpha=6, dropout=0.3)
    method = METHODS["lora"](settings, MODEL_FAMILIES[family])
    model = method.inject(method.load_base(checkpoint)).train()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_trains_as_peft_s_own_modules_do_and_keeps_less(checkpoints, family, monkeypatch):
    from contextlib import nullcontext

    import torch

    from tunegrid.methods import lora
    from tunegrid.training.fast.dropout import sparing_dropout

    def step(dropout) -> tuple[list, int]:
        model, kept, held = lora_on(checkpoints / family, family), {}, []

        def keep(tensor):
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            held.append(tensor)  # so that no address is used twice
            return tensor

        ids = torch.arange(5, 45).reshape(2, 20)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), dropout:
            loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids[:, :4].contiguous()).loss
        loss.backward()
        gradients = [p.grad for p in model.parameters() if p.requires_grad]
        assert all(gradient.abs().sum() > 0 for gradient in gradients)
        return [loss.detach(), *gradients], sum(kept.values())

    ours, kept = step(sparing_dropout())
    monkeypatch.setattr(lora.Lora, "lighten", lambda *_: None)
    own, _ = step(sparing_dropout())
    torch.testing.assert_close(ours, own, rtol=1e-4, atol=1e-5)
    assert kept < 0.75 * step(nullcontext())[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_evaluated_while_training_is_what_peft_computes_to_the_bit(checkpoints, family, monkeypatch):
    import torch

    from tunegrid.methods import lora

    ids = torch.arange(5, 45).reshape(2, 20)
    said = []
    for _ in range(2):
        with torch.no_grad():
            said.append(lora_on(checkpoints / family, family).eval()(input_ids=ids, decoder_input_ids=ids).logits)
        monkeypatch.setattr(lora.Lora, "lighten", lambda *_: None)
    assert torch.equal(*said)


def test_it_can_be_merged_and_taken_out_again(checkpoints):
    import torch

    def outputs():
        with torch.no_grad():
            return model(input_ids=ids, decoder_input_ids=ids).logits

    ids, model = torch.arange(5, 45).reshape(2, 20), lora_on(checkpoints / "t5", "t5").eval()
    tuned = outputs()
    for change, expected in (("merge_adapter", tuned), ("unmerge_adapter", tuned), ("unload", None)):
        changed = getattr(model, change)()
        if expected is not None:
            torch.testing.assert_close(outputs(), expected, rtol=1e-4, atol=1e-4)
        else:
            model = changed
    assert (outputs() - tuned).abs().max() > 0.01, "the update altered something"


@pytest.mark.parametrize("bias", [False, True])
def test_a_narrow_layer_multiplies_by_the_sum_and_has_the_gradients_of_the_parts(bias):
    import torch
    from peft import LoraConfig, get_peft_model

    from tunegrid.training.fast import lora

    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Linear(24, 32, bias=bias))
    tuned = get_peft_model(plain, LoraConfig(r=4, lora_alpha=6, target_modules=["0"]))
    layer = tuned.base_model.model[0]
    torch.nn.init.normal_(layer.lora_B["default"].weight)
    x, gradient, found = torch.randn(3, 7, 24, requires_grad=True), torch.randn(3, 7, 32), []
    trained = [layer.lora_A["default"].weight, layer.lora_B["default"].weight]
    for _ in ("parts", "at once"):
        output = layer.train()(x)
        found.append([output.detach(), *torch.autograd.grad(output, [x, *trained], gradient)])
        in_evaluation = layer.eval()(x)
        lora.multiply_at_once(layer, "default")
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)
    assert type(output.grad_fn).__name__ == ("AddBackward0" if bias else "_AtOnceBackward")
    assert torch.equal(layer.eval()(x), in_evaluation), "as a model computes that was loaded by peft"
    with torch.autocast("cpu", torch.bfloat16):
        assert layer.train()(x).dtype == torch.bfloat16


def test_a_wide_layer_keeps_its_parts():
    import torch
    from peft import LoraConfig, get_peft_model

    from tunegrid.training.fast import lora

    plain = torch.nn.Sequential(torch.nn.Linear(64, 64))
    layer = get_peft_model(plain, LoraConfig(r=4, target_modules=["0"])).base_model.model[0]
    lora.multiply_at_once(layer, "default")
    assert "forward" not in vars(layer), "64 x 64 is 8 times as many numbers as 4 x (64 + 64)"
