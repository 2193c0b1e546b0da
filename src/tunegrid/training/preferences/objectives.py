"""The equations of learning from preferences, each a function of tensors.

Tensors over tokens are [answers, tokens]; `mask` is true for the tokens that the model chose, the end included.
"""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid

LARGEST_ERROR = 0.2  # of the adaptive coefficient, Ziegler et al. 2019, section 2.2


def bradley_terry(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
    """Mean of -log σ(r(chosen) - r(rejected)) over the pairs (Stiennon et al. 2020, section 3.4)."""
    return -logsigmoid(chosen - rejected).mean()


def token_rewards(
    scores: torch.Tensor, policy: torch.Tensor, reference: torch.Tensor, mask: torch.Tensor, coefficient: float
) -> torch.Tensor:
    """-β (log π - log π_SFT) of each token, plus the answer's score at its last one (Ziegler et al. 2019, section 2).

    Args:
        scores: of the whole answers, [answers].
        policy, reference: log-probability of each token.
    """
    rewards = (-coefficient * (policy - reference)).masked_fill(~mask, 0.0)
    return rewards.scatter_add(1, last_token(mask)[:, None], scores[:, None])


def last_token(mask: torch.Tensor) -> torch.Tensor:
    """The place of the last token of each answer, [answers]."""
    places = torch.arange(mask.shape[1], device=mask.device)
    return (places * mask).amax(-1)


def advantages(
    rewards: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, discount: float, decay: float
) -> torch.Tensor:
    """Generalised advantages (Schulman et al. 2016, equation 16): sums of (γλ)^l times the residual l tokens later.

    The residual of a token is its reward, plus γ times the value of the next one, minus its own; after the last token
    of an answer there is no value.
    """
    values = values.masked_fill(~mask, 0.0)
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    residuals = (rewards + discount * following - values).masked_fill(~mask, 0.0)
    found, later = torch.empty_like(residuals), torch.zeros_like(residuals[:, 0])
    for place in reversed(range(residuals.shape[1])):
        later = residuals[:, place] + discount * decay * later
        found[:, place] = later
    return found.masked_fill(~mask, 0.0)


def whitened(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The values with mean 0 and variance 1 over the tokens of all answers."""
    chosen = values[mask]
    scaled = (values - chosen.mean()) / (chosen.var(unbiased=False) + 1e-8).sqrt()
    return scaled.masked_fill(~mask, 0.0)


def clipped_policy_loss(
    policy: torch.Tensor, old: torch.Tensor, advantage: torch.Tensor, mask: torch.Tensor, clip: float
) -> torch.Tensor:
    """-min(ρ A, clip(ρ, 1 - ε, 1 + ε) A), ρ = π / π_old: the mean over tokens (Schulman et al. 2017, equation 7)."""
    ratio = (policy - old).masked_fill(~mask, 0.0).exp()
    losses = torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - clip, 1 + clip))
    return losses[mask].mean()


def clipped_value_loss(
    values: torch.Tensor, old: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor, clip: float
) -> torch.Tensor:
    """Half the larger squared error of a value and of the value that moved by `clip` at most, mean over tokens."""
    near = old + (values - old).clamp(-clip, clip)
    losses = 0.5 * torch.maximum((values - returns).square(), (near - returns).square())
    return losses[mask].mean()


def adapted(coefficient: float, divergence: float, target: float, gain: float) -> float:
    """The next β: times 1 + K e, e = KL / target - 1 within ±0.2 (Ziegler et al. 2019, section 2.2)."""
    error = min(max(divergence / target - 1, -LARGEST_ERROR), LARGEST_ERROR)
    return coefficient * (1 + gain * error)
