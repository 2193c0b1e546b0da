"""A reward model: an encoder-decoder that gives an answer to a prompt a number instead of the next token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.rnn import pad_sequence

from tunegrid.models.likelihood import IGNORED, encode

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

HEAD = "reward.safetensors"


class RewardModel(torch.nn.Module):
    """The encoder reads the prompt, the decoder the whole answer; the reward is linear in its last state.

    That state is taken by the answer's length, not by its end token, which an answer that was cut lacks. The head
    starts small and random, as in Ziegler et al. 2019.

    Attributes:
        mean, spread: of the raw rewards of answers that it was measured on: `score` is in such units.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        width = model.get_input_embeddings().embedding_dim
        self.head = torch.nn.Linear(width, 1)
        torch.nn.init.normal_(self.head.weight, std=(width + 1) ** -0.5)
        torch.nn.init.zeros_(self.head.bias)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))
        output = model.get_output_embeddings()
        if output.weight is not model.get_input_embeddings().weight:  # an LM head of its own, which nothing uses here
            output.requires_grad_(False)

    def forward(self, batch: dict[str, torch.Tensor], *answers: str) -> tuple[torch.Tensor, ...]:
        """The raw rewards, [rows], of several answers to the prompts of a batch: of each the labels' name."""
        encoded = encode(self.model, batch)
        return tuple(self.reward(encoded, batch["attention_mask"], batch[name]) for name in answers)

    def reward(self, encoded: Any, attention_mask: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The raw reward of each answer, [rows]. `labels`: its tokens, padded on the right with `IGNORED`."""
        padding = self.model.config.pad_token_id
        start = torch.full_like(labels[:, :1], self.model.config.decoder_start_token_id)
        states = self.model.get_decoder()(
            # The start and all of the answer, its end too: a state more than in a language model's training.
            input_ids=torch.cat([start, labels.masked_fill(labels == IGNORED, padding)], dim=1),
            encoder_hidden_states=encoded[0],
            encoder_attention_mask=attention_mask,
            use_cache=False,
        ).last_hidden_state
        last = (labels != IGNORED).sum(-1)
        return self.head(states[torch.arange(len(labels)), last].float()).squeeze(-1)

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.model.get_input_embeddings()

    def prepare_decoder_input_ids_from_labels(self, labels: torch.Tensor) -> torch.Tensor:
        return self.model.prepare_decoder_input_ids_from_labels(labels=labels)

    def gradient_checkpointing_enable(self, **options: Any) -> None:
        self.model.gradient_checkpointing_enable(**options)

    @torch.no_grad()
    def scores(
        self,
        tokenizer: PreTrainedTokenizerBase,
        sources: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        batch_size: int,
    ) -> torch.Tensor:
        """The reward of each answer in units of `spread` above `mean`, [answers], on the CPU.

        Args:
            sources, answers: token ids; the answers without a start token.
        """
        device, found = self.head.weight.device, torch.empty(len(sources))
        order = sorted(range(len(sources)), key=lambda index: (-len(sources[index]), index))
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            batch = dict(tokenizer.pad({"input_ids": [list(sources[place]) for place in places]}, return_tensors="pt"))
            labels = [torch.tensor(list(answers[place]), dtype=torch.int64) for place in places]
            batch["labels"] = pad_sequence(labels, batch_first=True, padding_value=IGNORED)
            (raw,) = self({name: tensor.to(device) for name, tensor in batch.items()}, "labels")
            found[places] = ((raw - self.mean) / self.spread).cpu()
        return found

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        self.model.save_pretrained(folder, safe_serialization=True)
        head = {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("model.")}
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in head.items()}, folder / HEAD)


def load_reward_model(folder: Path) -> RewardModel:
    """The reward model that `save` wrote, in evaluation mode, on the CPU."""
    from safetensors.torch import load_file

    from tunegrid.models.load import load_model

    with torch.random.fork_rng(devices=[]):
        reward = RewardModel(load_model(folder))
    reward.load_state_dict(load_file(folder / HEAD), strict=False)
    return reward.eval().requires_grad_(False)
