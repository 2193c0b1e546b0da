"""The equations of learning from preferences, against values worked by hand."""

import math

import pytest
import torch

from tunegrid.training.preferences.objectives import (
    adapted,
    advantages,
    bradley_terry,
    clipped_policy_loss,
    clipped_value_loss,
    last_token,
    token_rewards,
    whitened,
)

MASK = torch.tensor([[True, True, True], [True, True, False]])


def test_the_bradley_terry_loss():
    """Differences of 1 and -2: -log σ(1) = log(1 + e^-1), -log σ(-2) = log(1 + e^2)."""
    loss = bradley_terry(torch.tensor([2.0, 0.0]), torch.tensor([1.0, 2.0]))
    assert float(loss) == pytest.approx((math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2))) / 2, rel=1e-6)
    assert float(bradley_terry(torch.zeros(3), torch.zeros(3))) == pytest.approx(math.log(2))


def test_the_last_token_of_an_answer_is_rewarded_and_each_pays_for_its_divergence():
    policy = torch.tensor([[-1.0, -2.0, -0.5], [-1.0, -1.0, -9.0]])
    reference = torch.tensor([[-1.5, -2.0, -0.2], [-1.0, -3.0, -7.0]])
    found = token_rewards(torch.tensor([4.0, -1.0]), policy, reference, MASK, 0.1)
    assert last_token(MASK).tolist() == [2, 1]
    torch.testing.assert_close(found, torch.tensor([[-0.05, 0.0, 4.03], [0.0, -1.2, 0.0]]))


def test_a_first_token_that_was_forced_is_neither_rewarded_nor_charged():
    mask = torch.tensor([[False, True, True]])
    found = token_rewards(torch.tensor([1.0]), torch.zeros(1, 3), torch.tensor([[5.0, 1.0, 1.0]]), mask, 1.0)
    torch.testing.assert_close(found, torch.tensor([[0.0, 1.0, 2.0]]))


def test_generalised_advantages_by_hand():
    """γ 0.9, λ 0.5. Row 1: residuals 1 + .9 * 2 - 1 = 1.8, 0 + .9 * 3 - 2 = .7, 2 - 3 = -1; row 2 ends a token earlier."""
    rewards = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.0, 0.0]])
    values = torch.tensor([[1.0, 2.0, 3.0], [0.5, 2.0, 7.0]])
    found = advantages(rewards, values, MASK, discount=0.9, decay=0.5)
    third, second = -1.0, 0.7 + 0.45 * -1.0
    first = 1.8 + 0.45 * second
    row2 = [0.5 + 0.9 * 2 - 0.5 + 0.45 * (1 - 2.0), 1 - 2.0, 0.0]
    torch.testing.assert_close(found, torch.tensor([[first, second, third], row2]))


def test_with_lambda_1_an_advantage_is_the_discounted_return_less_the_value():
    generator = torch.Generator().manual_seed(0)
    rewards, values = (torch.randn(4, 6, generator=generator) for _ in range(2))
    mask = torch.ones(4, 6, dtype=torch.bool)
    returns = torch.stack(
        [sum(0.8 ** (later - t) * rewards[:, later] for later in range(t, 6)) for t in range(6)], dim=1
    )
    torch.testing.assert_close(advantages(rewards, values, mask, 0.8, 1.0), returns - values)


def test_the_clipped_policy_loss_by_hand():
    """Ratios 1.5, 0.5, 1.1 and advantages 2, -1, 3 with ε 0.2: -min of (3, 2.4), (-0.5, -0.8), (3.3, 3.3)."""
    policy = torch.log(torch.tensor([[1.5, 0.5, 1.1]]))
    advantage, mask = torch.tensor([[2.0, -1.0, 3.0]]), torch.ones(1, 3, dtype=torch.bool)
    loss = clipped_policy_loss(policy, torch.zeros(1, 3), advantage, mask, 0.2)
    assert float(loss) == pytest.approx((-2.4 + 0.8 - 3.3) / 3, rel=1e-6)


def test_no_gradient_comes_from_a_ratio_that_has_gone_far_enough_and_none_from_padding():
    policy = torch.log(torch.tensor([[1.5, 0.5, 0.5]])).requires_grad_()
    mask = torch.tensor([[True, True, False]])
    clipped_policy_loss(policy, torch.zeros(1, 3), torch.tensor([[1.0, 1.0, -1.0]]), mask, 0.2).backward()
    assert policy.grad.tolist()[0][0] == 0.0
    assert policy.grad.tolist()[0][1] == pytest.approx(-0.5 / 2)
    assert policy.grad.tolist()[0][2] == 0.0


def test_the_clipped_value_loss_by_hand():
    """Old 0, return 1. Value .5 -> clipped .2: .5 * max(.25, .64); value -.1: .5 * 1.21 both."""
    values = torch.tensor([[0.5, -0.1]])
    loss = clipped_value_loss(values, torch.zeros(1, 2), torch.ones(1, 2), torch.ones(1, 2, dtype=torch.bool), 0.2)
    assert float(loss) == pytest.approx((0.32 + 0.605) / 2, rel=1e-6)


def test_whitened_advantages_have_mean_0_and_variance_1_over_tokens_alone():
    found = whitened(torch.tensor([[1.0, 2.0, 3.0], [5.0, 7.0, 99.0]]), MASK)
    assert float(found[MASK].mean()) == pytest.approx(0.0, abs=1e-6)
    assert float(found[MASK].var(unbiased=False)) == pytest.approx(1.0, rel=1e-5)
    assert float(found[1, 2]) == 0.0


@pytest.mark.parametrize(
    ("divergence", "expected"), [(6.6, 0.2 * 1.01), (60.0, 0.2 * 1.02), (3.0, 0.2 * 0.98), (6.0, 0.2)]
)
def test_the_adaptive_coefficient_follows_the_target_within_a_fifth(divergence, expected):
    assert adapted(0.2, divergence, target=6.0, gain=0.1) == pytest.approx(expected)
