"""What a model that learns from preferences has come to: reward, divergence, length and the task's own metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tunegrid.data.tokens import take_rows
from tunegrid.training.preferences.rollouts import divergences, sample
from tunegrid.training.selection import primary_score

if TYPE_CHECKING:
    from tunegrid.models.reward import RewardModel
    from tunegrid.training.session import TrainingSession

ROWS = 200  # validation rows that are answered at each observation, where the study names no number
SEED = 0  # of the sampled answers: the same for every observation


class Observer:
    """Answers validation rows in two ways: as the task decodes, for its metric, and by sampling, for all else.

    Args:
        reference: the model at the start, for the divergence.
    """

    def __init__(self, session: TrainingSession, reference: Any, reward: RewardModel) -> None:
        self.task, self.tokenizer, self.precision = session.task, session.tokenizer, session.precision
        self.reference, self.reward, rows = reference, reward, session.validation_rows
        chosen = np.arange(min(session.training.validation_rows or ROWS, len(rows)))
        self.rows, self.tokens = [rows[place] for place in chosen], take_rows(session.validation, chosen)

    def __call__(self, model: Any) -> dict[str, float]:
        metric = primary_score(model.eval(), self.tokenizer, self.task, self.tokens, self.rows, self.precision)
        device = next(model.parameters()).device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(SEED)
            return {"metric": metric, **self._sampled(model)}

    @torch.no_grad()
    def _sampled(self, model: Any) -> dict[str, float]:
        sources, size = self.tokens.column("input_ids").to_pylist(), self.task.settings.evaluation_batch_size
        rewards, gaps, lengths = [], [], []
        for start in range(0, len(sources), size):
            batch = sources[start : start + size]
            answers = sample(model, self.tokenizer, batch, self.task.settings.generation)
            gaps += divergences(model, self.reference, answers).tolist()
            lengths += answers.mask.sum(-1).tolist()
            rewards += self.reward.scores(self.tokenizer, batch, answers.token_ids(), size).tolist()
        return {
            "reward": float(np.mean(rewards)),
            "reward_error": float(np.std(rewards, ddof=1) / len(rewards) ** 0.5) if len(rewards) > 1 else 0.0,
            "kl": float(np.mean(gaps)),
            "length": float(np.mean(lengths)),
        }
