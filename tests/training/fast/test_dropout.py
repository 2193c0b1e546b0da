"""Dropout on a CPU: the right share, drawn from torch's generator, a byte of each number kept."""

from pathlib import Path

import pytest

from tunegrid.study.cells import Cell, Run


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.9])
def test_a_share_of_p_is_dropped_and_the_rest_scaled_at_every_position(p):
    import torch
    from torch.nn.functional import dropout

    from tunegrid.training.fast.dropout import sparing_dropout

    torch.manual_seed(1)
    x = torch.full((500, 401), 2.0)  # odd, so that the last draw is used in part
    with sparing_dropout():
        y = dropout(x, p)
    dropped = (y == 0).float()
    kept = y[y != 0]
    assert kept == pytest.approx(torch.full_like(kept, 2 / (1 - p)), rel=1e-3)
    error = (p * (1 - p) / (x.numel() / 4)) ** 0.5
    for lane in range(4):  # four numbers are decided by one draw
        assert dropped.flatten()[lane::4].mean().item() == pytest.approx(p, abs=4 * error)
    # Neighbours are independent: both dropped as often as chance has it.
    flat = dropped.flatten()
    assert (flat[:-1] * flat[1:]).mean().item() == pytest.approx(p * p, abs=4 * (p * p / x.numel()) ** 0.5)


def test_the_expected_output_is_the_input():
    """Whatever p is rounded to."""
    from torch import ones

    from tunegrid.training.fast.dropout import draw

    for p in (1e-4, 0.05, 0.3, 0.999):
        _, scale = draw(ones(8), p)
        dropped = round(p * 65536) / 65536
        assert abs(dropped - p) <= 2**-17
        assert scale * (1 - dropped) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradients_pass_where_the_input_did(dtype):
    import torch
    from torch.nn.functional import dropout

    from tunegrid.training.fast.dropout import sparing_dropout

    x = torch.randn(6, 7, dtype=getattr(torch, dtype)).requires_grad_()
    with sparing_dropout():
        y = dropout(x, 0.4)
    y.sum().backward()
    scale = 65536 / (65536 - round(0.4 * 65536))
    assert y.dtype == x.grad.dtype == x.dtype
    torch.testing.assert_close(y, x * x.grad, rtol=1e-2, atol=0)  # bf16 rounds either
    assert set(x.grad.unique().tolist()) == {0.0, torch.tensor(scale, dtype=x.dtype).item()}


def test_nothing_all_and_not_at_all():
    import torch
    from torch.nn.functional import dropout

    from tunegrid.training.fast.dropout import sparing_dropout

    x = torch.randn(5, 5)
    with sparing_dropout():
        assert torch.equal(dropout(x, 0.0), x)
        assert torch.equal(dropout(x, 1.0), torch.zeros(5, 5))
        assert torch.equal(dropout(x, 0.5, training=False), x)
        assert torch.equal(torch.nn.Dropout(0.5).eval()(x), x)


def test_masks_come_from_torch_s_generator():
    """So a run that goes on from a checkpoint, which holds its state, draws what it would have drawn."""
    import torch
    from torch.nn.functional import dropout

    from tunegrid.training.fast.dropout import sparing_dropout

    x = torch.ones(1000)
    with sparing_dropout():
        torch.manual_seed(3)
        first = dropout(x, 0.5)
        state = torch.get_rng_state()
        second = dropout(x, 0.5)
        torch.set_rng_state(state)
        assert torch.equal(dropout(x, 0.5), second)
        torch.manual_seed(3)
        assert torch.equal(dropout(x, 0.5), first)
    assert not torch.equal(first, second)


def test_a_byte_is_kept_of_each_number_also_inside_of_attention():
    import torch
    from torch.nn.functional import dropout, scaled_dot_product_attention

    from tunegrid.training.fast.dropout import sparing_dropout

    def masks(compute) -> list[torch.dtype]:
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            compute()
        return [t.dtype for t in kept if t.numel() and set(t.flatten().tolist()) <= {0, 1}]

    x = torch.randn(2, 4, 16, 8, requires_grad=True)
    with sparing_dropout():
        assert masks(lambda: dropout(x, 0.5)) == [torch.uint8]
        assert masks(lambda: scaled_dot_product_attention(x, x, x, dropout_p=0.5)) == [torch.uint8]


def test_outside_of_it_dropout_is_torch_s_own_again():
    import torch
    from torch.nn.functional import dropout

    from tunegrid.training.fast.dropout import sparing_dropout

    x, found = torch.randn(400), []
    for _ in range(2):
        torch.manual_seed(0)
        found.append(dropout(x, 0.5))
        with sparing_dropout():
            torch.manual_seed(0)
            assert not torch.equal(dropout(x, 0.5), found[0])
    assert torch.equal(*found)


@pytest.mark.parametrize("model", ["t5", "bart"])
def test_a_training_drops_so(tiny_study, monkeypatch, model):
    from tunegrid.stages.train import train
    from tunegrid.training.fast import dropout

    shapes, draw = [], dropout.draw
    monkeypatch.setattr(dropout, "draw", lambda x, p: shapes.append(x.shape) or draw(x, p))
    assert train(tiny_study("training: {max_steps: 2}"), Run(Cell("qa", model, "full"), 1), Path("out")).reason is None
    assert len(shapes) >= 2 * 2 * 5, "in each of two steps, two in each of five layers"
