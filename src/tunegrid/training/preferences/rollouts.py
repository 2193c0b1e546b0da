"""Answers that a model samples, and what the models say of each of their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import LogitsProcessorList

from tunegrid.models.decoding import Generation
from tunegrid.models.generate import FiniteLogits, generation_config
from tunegrid.models.likelihood import IGNORED, encode, label_log_probabilities, token_log_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Answers:
    """Sampled answers to a batch of prompts.

    Attributes:
        batch: `input_ids` and `attention_mask` of the prompts, and `labels` of the answers (`IGNORED` after their end).
        mask: the tokens that the model chose, [answers, tokens]: those of `labels` but a first one that is forced.
        ended: which answers the model ended, [answers]; the others the length limit did.
    """

    batch: dict[str, torch.Tensor]
    mask: torch.Tensor
    ended: torch.Tensor

    def token_ids(self) -> list[list[int]]:
        return [row[row != IGNORED].tolist() for row in self.batch["labels"]]


@torch.no_grad()
def sample(
    model: Any, tokenizer: PreTrainedTokenizerBase, sources: Sequence[Sequence[int]], generation: Generation
) -> Answers:
    """Samples an answer to each prompt from the model's own distribution; draws from torch's generator.

    Args:
        model: in evaluation mode.
        generation: of the task, of which the length limit is kept.

    Raises:
        NonFiniteLogits: what the model computes is no number.
    """
    device = next(model.parameters()).device
    batch = dict(tokenizer.pad({"input_ids": [list(source) for source in sources]}, return_tensors="pt"))
    batch = {name: batch[name].to(device) for name in ("input_ids", "attention_mask")}
    config = generation_config(model, tokenizer, generation)
    config.update(do_sample=True, num_beams=1, temperature=1.0, top_k=0, top_p=1.0)
    finite = FiniteLogits("bf16" if torch.is_autocast_enabled(device.type) else "fp32")
    tokens = model.generate(
        **batch, generation_config=config, use_model_defaults=False, logits_processor=LogitsProcessorList([finite])
    )[:, 1:]
    ends = (tokens == config.eos_token_id).int()
    written = ends.cumsum(-1) - ends == 0
    mask = written.clone()
    if config.forced_bos_token_id is not None:
        mask[:, 0] = False
    labels = tokens.masked_fill(~written, IGNORED)
    return Answers({**batch, "labels": labels}, mask, ends.any(-1))


def log_probabilities(model: Any, answers: Answers) -> torch.Tensor:
    """Log-probability of each token of the answers, [answers, tokens]."""
    batch = answers.batch
    return token_log_probabilities(model, encode(model, batch), batch["attention_mask"], batch["labels"])


def divergences(model: Any, reference: Any, answers: Answers) -> torch.Tensor:
    """KL of the model from the reference in each answer, [answers]: the sum over the states that its tokens led to.

    At each state the KL of the two distributions of the next token is exact, so that the mean over sampled answers has
    far less noise than that of log-ratios, and is never negative.
    """
    batch = answers.batch

    def logs(of: Any) -> torch.Tensor:
        inputs = of.prepare_decoder_input_ids_from_labels(labels=batch["labels"])
        sources = {name: batch[name] for name in ("input_ids", "attention_mask")}
        return of(**sources, decoder_input_ids=inputs, use_cache=False).logits.float().log_softmax(-1)

    own, other = logs(model), logs(reference)
    # A token that is as good as impossible in both adds nothing.
    each = (own.exp() * (own - other)).nan_to_num(0.0).sum(-1)
    return each.masked_fill(~answers.mask, 0.0).sum(-1)


def log_probabilities_and_values(
    model: Any, head: torch.nn.Module, batch: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(log-probability of each token, value of the state before it), [answers, tokens]; `head`: state to value."""
    labels = batch["labels"]
    output = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        decoder_input_ids=model.prepare_decoder_input_ids_from_labels(labels=labels),
        output_hidden_states=True,
        use_cache=False,
    )
    values = head(output.decoder_hidden_states[-1].float()).squeeze(-1)
    return label_log_probabilities(output.logits, labels), values
