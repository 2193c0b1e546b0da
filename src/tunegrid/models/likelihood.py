"""How probable a model finds given answers to given prompts."""

from __future__ import annotations

from typing import Any

import torch

IGNORED = -100  # the label of padding, for transformers and for torch


def encode(model: Any, batch: dict[str, torch.Tensor]) -> Any:
    """The encoder's output for the prompts of a batch, which several answers can share."""
    return model.get_encoder()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])


def token_log_probabilities(
    model: Any, encoded: Any, attention_mask: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Log-probability of each token of the answers, [rows, tokens]; 0 where there is padding (`IGNORED`)."""
    output = model(
        encoder_outputs=encoded,
        attention_mask=attention_mask,
        decoder_input_ids=model.prepare_decoder_input_ids_from_labels(labels=labels),
        use_cache=False,
    )
    return label_log_probabilities(output.logits, labels)


def label_log_probabilities(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Log-probability of each label, [rows, tokens]; 0 where there is padding (`IGNORED`)."""
    found = logits.float().log_softmax(-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return found.masked_fill(labels == IGNORED, 0.0)


def pair_log_probabilities(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """(log-probability of each chosen answer, of each rejected one), [rows]: the sums over their tokens."""
    encoded, mask = encode(model, batch), batch["attention_mask"]
    chosen, rejected = (
        token_log_probabilities(model, encoded, mask, batch[name]).sum(-1) for name in ("labels", "rejected")
    )
    return chosen, rejected


def without_dropout(model: torch.nn.Module) -> None:
    """Switches the dropout of a model off for good, in training mode too; what its configuration says stays.

    Log-probabilities of two models are compared token by token: dropout would be noise in their difference.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "activation_dropout", "attention_dropout", "dropout_rate"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
