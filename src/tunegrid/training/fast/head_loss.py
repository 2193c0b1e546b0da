"""The loss of a batch without the logits of padding, and a part of its tokens at a time where they would be large.

The head makes one logit per token and entry of the vocabulary; with their log-softmax and gradient they are 12 bytes
each, 0.4 GB of 1,000 tokens with T5's vocabulary, at the very moment when all activations are in memory too. Here a
part's logits become its gradient and are gone before the next part's. `torch.nn.functional.linear_cross_entropy` does
so as well, but with bf16 it rounds the loss to bf16, and it knows no head but a plain matrix.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from tunegrid.models.likelihood import IGNORED
from tunegrid.training.fast.groups import tokens_per_part

PADDING = 2**18  # logits; with fewer, leaving them out saves less than it costs


class HeadLoss:
    """The mean cross-entropy of a batch's target tokens on a CPU, as the model itself computes it.

    Args:
        model: an encoder-decoder of transformers, with or without a method's modules.
        smoothing: of the labels (Szegedy et al. 2016), as `transformers`' LabelSmoother does it.
    """

    def __init__(self, model: Any, smoothing: float = 0.0) -> None:
        self.model, self.smoothing = model, smoothing
        self.head = model.get_output_embeddings()
        self.bias = getattr(model, "final_logits_bias", None)  # BART adds it to what its head says

    def tokens(self) -> int:
        """Target tokens that a part has at most."""
        return tokens_per_part(self.head.out_features)

    def suits(self, inputs: dict[str, torch.Tensor]) -> bool:
        """Whether a batch has more than one part, or much padding, whose logits nobody needs.

        The model's own loss of another batch costs nothing more.
        """
        labels, vocabulary = inputs["labels"], self.head.out_features
        padding = int((labels == IGNORED).sum()) * vocabulary
        return labels.numel() > self.tokens() or padding > PADDING

    def __call__(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Computes the loss, a scalar in fp32 with a gradient.

        Args:
            inputs: the model's, with `decoder_input_ids`, and with IGNORED for padding in `labels`.
        """
        labels = inputs["labels"].flatten()
        states = self._states({name: tensor for name, tensor in inputs.items() if name != "labels"}).flatten(0, 1)
        counted = labels != IGNORED
        states, labels, size = states[counted], labels[counted], self.tokens()
        if torch.is_grad_enabled():
            trained = [parameter for parameter in self.head.parameters() if parameter.requires_grad]
            loss = _WithGradient.apply(self._loss, states, labels, size, *trained)
        else:
            loss = sum(self._loss(*part) for part in zip(states.split(size), labels.split(size), strict=True))
        return loss / counted.sum()

    def _states(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Runs the model without its head; returns the head's input, (rows, tokens, width)."""
        states = []

        def take(_: Any, arguments: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
            states.append(arguments[0])
            return (arguments[0][:, :0],)

        hook = self.head.register_forward_pre_hook(take)
        try:
            self.model(**inputs, use_cache=False)
        finally:
            hook.remove()
        return states[0]

    def _loss(self, states: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Sum of the losses of a part's tokens."""
        logits = self.head(states)
        if self.bias is not None:
            logits = logits + self.bias
        return functional.cross_entropy(
            logits.float(), labels, ignore_index=IGNORED, reduction="sum", label_smoothing=self.smoothing
        )


class _WithGradient(torch.autograd.Function):
    """Sums the parts' losses and computes their gradients at once, so that no part's logits are kept."""

    @staticmethod
    def forward(
        context: Any, loss: Any, states: torch.Tensor, labels: torch.Tensor, size: int, *trained: torch.Tensor
    ) -> torch.Tensor:
        total = torch.zeros((), device=states.device)
        states_gradient = torch.empty_like(states)
        trained_gradients = [torch.zeros_like(parameter) for parameter in trained]
        for start in range(0, len(states), size):
            part = slice(start, start + size)
            with torch.enable_grad():
                inputs = states[part].detach().requires_grad_()
                part_loss = loss(inputs, labels[part])
            states_gradient[part], *gradients = torch.autograd.grad(part_loss, [inputs, *trained])
            for sum_, summand in zip(trained_gradients, gradients, strict=True):
                sum_ += summand
            total += part_loss.detach()
        context.save_for_backward(states_gradient, *trained_gradients)
        return total

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # In place, for there is one backward pass.
        states_gradient, *trained_gradients = (saved.mul_(gradient) for saved in context.saved_tensors)
        return None, states_gradient, None, None, *trained_gradients
