"""PPO on an encoder-decoder (Schulman et al. 2017; Ziegler et al. 2019; Stiennon et al. 2020): one loop.

A step samples an answer to each prompt of a batch, scores it, charges each token for its divergence from the model at
the start, and takes a few passes of clipped updates over these answers. Dropout is off throughout.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import get_scheduler

from tunegrid.common.errors import TuneGridError
from tunegrid.models.generate import NonFiniteLogits
from tunegrid.runtime import measure
from tunegrid.runtime.stopping import Interrupted, Stopped
from tunegrid.training import history
from tunegrid.training.checkpoints import checkpoint, last_checkpoint, prune, seal
from tunegrid.training.preferences.objectives import (
    adapted,
    advantages,
    clipped_policy_loss,
    clipped_value_loss,
    token_rewards,
    whitened,
)
from tunegrid.training.preferences.rollouts import Answers, log_probabilities, log_probabilities_and_values, sample
from tunegrid.training.preferences.settings import PpoOptions
from tunegrid.training.session import Diverged, TrainingSession, TrainingSummary

Scores = Callable[[Answers], torch.Tensor]
TENSORS, STATE, PROGRESS = "tensors.safetensors", "optimiser.pt", "progress.json"


@dataclass
class Progress:
    """What a run has come to, all of it part of a checkpoint."""

    step: int = 0
    coefficient: float = 0.0
    examples: int = 0
    source_tokens: int = 0
    target_tokens: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    observations: list[dict[str, float]] = field(default_factory=list)


def fit(
    session: TrainingSession, reference: Any, scores: Scores, options: PpoOptions, sources: list[list[int]]
) -> TrainingSummary:
    """Trains `session.model` in place, from the session's last checkpoint if there is one.

    Args:
        reference: the model at the start, frozen.
        scores: the reward of each answer, [answers].
        sources: token ids of the prompts. A step takes `batch_size` of them, in an order by seed and epoch.

    Raises:
        Diverged: a loss, or logits of an answer, are not finite.
        Stopped: the process was asked to end; there is a checkpoint of the last step.
    """
    loop = _Loop(session, reference, scores, options, sources)
    if (before := last_checkpoint(session.checkpoints)) is not None:
        print(f"an interrupted run: it goes on from {before}", flush=True)
        loop.restore(before)
    try:
        loop.run()
    except (Diverged, NonFiniteLogits) as error:
        raise Diverged.after(loop.progress.step, error, loop.rows()) from error.__cause__
    return loop.summary()


class _Loop:
    def __init__(
        self, session: TrainingSession, reference: Any, scores: Scores, options: PpoOptions, sources: list[list[int]]
    ) -> None:
        self.session, self.reference, self.scores, self.options = session, reference, scores, options
        self.sources, self.model, training = sources, session.model.eval(), session.training
        device = next(self.model.parameters()).device
        self.devices = [device] if device.type == "cuda" else []  # with random numbers of their own
        self.head = torch.nn.Linear(self.model.get_input_embeddings().embedding_dim, 1).to(device)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)
        self.trained = {name: each for name, each in self.model.named_parameters() if each.requires_grad}
        self.parameters = [*self.trained.values(), *self.head.parameters()]
        self.steps = training.steps(len(sources))
        updates = self.steps * options.passes * options.minibatches
        warmup = training.warmup_steps or math.ceil(updates * (training.warmup_ratio or 0.0))
        betas = (training.adam_beta1, training.adam_beta2)
        self.optimiser = torch.optim.AdamW(
            self.parameters, lr=training.learning_rate, betas=betas, weight_decay=training.weight_decay
        )
        self.schedule = get_scheduler(training.schedule, self.optimiser, warmup, updates)
        self.progress = Progress(coefficient=options.kl_coefficient)
        self.times = measure.Timesheet()

    def run(self) -> None:
        session, training, progress = self.session, self.session.training, self.progress
        every, saves = training.evaluation_interval(len(self.sources)), training.checkpoint_interval(len(self.sources))
        begun, first = time.perf_counter(), progress.step
        while True:
            step = progress.step
            due = step in (0, self.steps) or (every and step % every == 0)
            if due and (not progress.observations or progress.observations[-1]["step"] != step):
                self.observe()
            if step >= self.steps:
                return
            row = self.step()
            progress.step += 1
            if progress.step % training.logging_steps == 0 or progress.step == self.steps:
                progress.history.append({"step": progress.step, **row})
                speed = (progress.step - first) / (time.perf_counter() - begun)
                text = "  ".join(f"{name} {row[name]:.4f}" for name in ("reward", "kl", "length"))
                left = (self.steps - progress.step) / speed
                place = f"step {progress.step}/{self.steps}"
                print(f"{place}  loss {row['loss']:.4f}  {speed:.1f} steps/s  {left:.0f} s left\n  {text}", flush=True)
                with suppress(OSError, TuneGridError):  # for a run that dies
                    history.write_history(self.rows(), session.checkpoints / history.NAME)
            if session.stop.requested or (saves and progress.step % saves == 0):
                self.save()
            if session.stop.requested:
                raise Stopped(session.stop, progress.step)

    # -- a step -------------------------------------------------------------------------------------------------------

    def prompts(self, step: int) -> list[list[int]]:
        """The prompts of a step (from 0): the next of a permutation that seed and epoch make."""
        size, count = self.session.training.batch_size, len(self.sources)
        places = range(step * size, (step + 1) * size)
        orders = {
            epoch: np.random.default_rng([self.session.seed, epoch]).permutation(count)
            for epoch in {place // count for place in places}
        }
        return [self.sources[orders[place // count][place % count]] for place in places]

    def step(self) -> dict[str, float]:
        """Samples, scores and learns from one batch of answers; returns what there is to tell of it."""
        options, progress, session = self.options, self.progress, self.session
        with session.autocast():
            answers = sample(
                self.model, session.tokenizer, self.prompts(progress.step), session.task.settings.generation
            )
            with torch.no_grad():
                old, old_values = log_probabilities_and_values(self.model, self.head, answers.batch)
                base = log_probabilities(self.reference, answers)
            raw = self.scores(answers)
        mask = answers.mask
        scores = raw - options.unended_penalty * (~answers.ended).float()
        rewards = token_rewards(scores, old, base, mask, progress.coefficient)
        advantage = advantages(rewards, old_values, mask, options.discount, options.decay)
        returns, advantage = advantage + old_values, whitened(advantage, mask)
        divergence = float((old - base).masked_fill(~mask, 0.0).sum(-1).mean())
        losses, norms = [], []
        for _ in range(options.passes):
            order = torch.randperm(len(scores), device="cpu")
            for part in order.tensor_split(options.minibatches):
                if not len(part):
                    continue
                batch = {name: tensor[part] for name, tensor in answers.batch.items()}
                with session.autocast():
                    policy, values = log_probabilities_and_values(self.model, self.head, batch)
                chosen = mask[part]
                loss = clipped_policy_loss(policy, old[part], advantage[part], chosen, options.clip)
                loss = loss + options.value_coefficient * clipped_value_loss(
                    values, old_values[part], returns[part], chosen, options.value_clip
                )
                if not torch.isfinite(loss):
                    raise Diverged(f"at step {progress.step + 1} the loss is {loss.item()}")
                loss.backward()
                norms.append(float(torch.nn.utils.clip_grad_norm_(self.parameters, session.training.max_grad_norm)))
                rate = self.schedule.get_last_lr()[0]
                self.optimiser.step()
                self.schedule.step()
                self.optimiser.zero_grad()
                losses.append(float(loss.detach()))
        if options.kl_target is not None:
            progress.coefficient = adapted(progress.coefficient, divergence, options.kl_target, options.kl_gain)
        progress.examples += len(scores)
        # Operations are counted as those of a training: each pass reads prompts and answers once.
        progress.source_tokens += options.passes * int(answers.batch["attention_mask"].sum())
        progress.target_tokens += options.passes * int(mask.sum())
        return {
            "epoch": round((progress.step + 1) * len(scores) / len(self.sources), 4),
            "loss": float(np.mean(losses)),
            "learning_rate": rate,
            "gradient_norm": float(np.mean(norms)),
            "reward": float(raw.mean()),
            "kl": divergence,
            "length": float(mask.sum(-1).float().mean()),
            "coefficient": progress.coefficient,
        }

    def observe(self) -> None:
        if self.session.observe is None:
            return
        try:
            with (
                self.times.counted_as("evaluation_seconds"),
                self.session.stop.interrupting(),
                torch.random.fork_rng(devices=self.devices),
            ):
                found = self.session.observe(self.model)
        except Interrupted:
            self.save()
            raise Stopped(self.session.stop, self.progress.step) from None
        found["coefficient"] = self.progress.coefficient
        self.progress.observations.append({"step": self.progress.step, **found})
        text = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
        print(f"step {self.progress.step}/{self.steps}  validation: {text}", flush=True)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def save(self) -> None:
        folder = checkpoint(self.session.checkpoints, self.progress.step)
        folder.mkdir(parents=True, exist_ok=True)
        with self.times.counted_as("saving_seconds"):
            tensors = {**self.trained, **{f"value_head.{name}": each for name, each in self.head.named_parameters()}}
            save_file({name: each.detach().contiguous() for name, each in tensors.items()}, folder / TENSORS)
            state = {"optimiser": self.optimiser.state_dict(), "schedule": self.schedule.state_dict()}
            state["random"] = torch.get_rng_state()
            if torch.cuda.is_available():
                state["random_cuda"] = torch.cuda.get_rng_state_all()
            torch.save(state, folder / STATE)
        (folder / PROGRESS).write_text(json.dumps(asdict(self.progress) | {"seconds": self.times.seconds()}))
        seal(folder)
        prune(self.session.checkpoints, self.session.training.checkpoints_kept)

    def restore(self, folder: Path) -> None:
        tensors = load_file(folder / TENSORS)
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(tensors[name])
            for name, parameter in self.head.named_parameters():
                parameter.copy_(tensors[f"value_head.{name}"])
        state = torch.load(folder / STATE, weights_only=True)
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        if "random_cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["random_cuda"])
        self.progress = Progress(**json.loads((folder / PROGRESS).read_text()))
        self.times.earlier = self.progress.seconds

    # -- outcome ------------------------------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, float]]:
        """Rows of history.csv."""
        return [{name: row[name] for name in history.COLUMNS if name in row} for row in self.progress.history]

    def summary(self) -> TrainingSummary:
        progress = self.progress
        return TrainingSummary(
            steps=progress.step,
            examples=progress.examples,
            source_tokens=progress.source_tokens,
            target_tokens=progress.target_tokens,
            **self.times.seconds(),
            history=self.rows(),
            observations=progress.observations,
        )
