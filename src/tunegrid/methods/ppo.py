"""Reinforcement learning from human feedback by PPO (the paper's section 5.2.7; Ziegler et al. 2019)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tunegrid.common.citations import OUYANG_2022, SCHULMAN_2017, STIENNON_2020, ZIEGLER_2019, Formula
from tunegrid.common.fields import Name
from tunegrid.methods.needs import Need, TrainedReward
from tunegrid.methods.start import StartedMethod, StartedSettings
from tunegrid.models.flops import SAMPLING_FORMULA, Stacks, Tokens, counted, sampling_flops
from tunegrid.training.preferences.settings import PpoOptions

if TYPE_CHECKING:
    import torch

    from tunegrid.training.preferences.rollouts import Answers
    from tunegrid.training.session import TrainingSession, TrainingSummary
    from tunegrid.training.settings import Training


class PpoSettings(StartedSettings):
    """Settings of reinforcement learning by PPO."""

    kind: Literal["ppo"]
    reward: Name = Field(description="The reward model, a name under `rewards`.")
    options: PpoOptions = Field(default_factory=PpoOptions, description="How PPO goes about it.")


class Ppo(StartedMethod):
    """Samples answers to the task's training prompts and raises the reward that a reward model gives them."""

    Settings = PpoSettings
    settings: PpoSettings
    title = "RLHF (PPO)"
    tunes = "all or an update, by a reward"
    samples = True
    forward_models = 2
    forward_formula = SAMPLING_FORMULA
    about = Formula(
        title,
        r"\max_{\phi}\; \mathbb{E}_{y \sim \pi_\phi(y \mid x)} \left[ R_\theta(x, y) - \beta \log "
        r"\dfrac{\pi_\phi(y \mid x)}{\pi_{\mathrm{SFT}}(y \mid x)} \right]",
        "the maximum over phi of the expected value, over answers y drawn from pi phi given x, of R theta of x and y "
        "minus beta times log of pi phi of y given x over pi S F T of y given x",
        "The model writes answers y to the task's prompts x. A reward model R, trained on preference pairs, scores "
        "them; each token pays β times its divergence from the model at the start (SFT, the run of another method with "
        "the same seed). PPO maximises this by clipped steps, with a value head and generalised advantages.",
        (ZIEGLER_2019, STIENNON_2020, OUYANG_2022, SCHULMAN_2017),
    )

    @property
    def effort(self) -> float:
        # Three forward passes, of both models and of the reward model, cost about as much as one with its gradient.
        return self.settings.options.passes + 1.0

    @property
    def passes(self) -> int:
        return self.settings.options.passes

    def forward_flops(self, own: Stacks, plain: Stacks, seen: Tokens, whole: Tokens) -> float:
        return sampling_flops(own, plain, seen)

    def needs(self) -> list[Need]:
        return [*super().needs(), TrainedReward(self.settings.reward)]

    @classmethod
    def training_problem(cls, training: Training) -> str | None:
        if training.keep_best or training.early_stopping_patience is not None:
            return "PPO keeps its last weights: leave keep_best and early_stopping_patience out for it"
        if training.gradient_accumulation_steps > 1 or training.gradient_checkpointing:
            return "PPO knows no gradient_accumulation_steps and no gradient_checkpointing: leave them out for it"
        return None

    def fit(self, session: TrainingSession) -> TrainingSummary:
        from tunegrid.training.preferences import ppo
        from tunegrid.training.preferences.observe import Observer

        device = next(session.model.parameters()).device
        reference = self.reference().to(device).requires_grad_(False)
        reward = self.inputs[TrainedReward(self.settings.reward)]().to(device)
        size = session.training.batch_size

        def scores(answers: Answers) -> torch.Tensor:
            batch = answers.batch
            sources = [ids[mask.bool()].tolist() for ids, mask in
                       zip(batch["input_ids"], batch["attention_mask"], strict=True)]  # fmt: skip
            return reward.scores(session.tokenizer, sources, answers.token_ids(), size).to(device)

        observed = replace(session, observe=Observer(session, reference, reward))
        sources = session.train.column("input_ids").to_pylist()
        summary = ppo.fit(observed, reference, scores, self.settings.options, sources)
        seen = Tokens(summary.examples, summary.source_tokens // self.passes, summary.target_tokens // self.passes)
        summary.forward_flops = sampling_flops(self.counted(session.model), counted(reference), seen)
        return summary
