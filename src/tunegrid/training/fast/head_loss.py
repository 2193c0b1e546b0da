"""The loss of a batch, a part of its tokens at a time, where the logits of all of them would be large.

The head makes one logit per token and entry of the vocabulary; with their log-softmax and gradient they are 12 bytes
each, 0.4 GB of 1,000 tokens with T5's vocabulary, at the very moment when all activations are in memory too. Here a
part's logits become its gradient and are gone before the next part's. `torch.nn.functional.linear_cross_entropy` does
so as well, but with bf16 it rounds the loss to bf16, and it knows no head but a plain matrix.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from tunegrid.training.fast.parts import tokens_per_part

IGNORED = -100  # the label of padding, for transformers and for torch


class HeadLoss:
    """The mean cross-entropy of a batch's target tokens, as the model itself computes it.

    Args:
        model: an encoder-decoder of transformers, with or without a method's modules.
        smoothing: of the labels (Szegedy et al. 2016), as `transformers`' LabelSmoother does it.
    """

    def __init__(self, model: Any, smoothing: float = 0.0) -> None:
        self.model, self.smoothing = model, smoothing
        self.head = model.get_output_embeddings()
        self.bias = getattr(model, "final_logits_bias", None)  # BART adds it to what its head says

    def tokens(self, device: torch.device) -> int:
        """Of a part."""
        return tokens_per_part(self.head.out_features, gpu=device.type != "cpu")

    def suits(self, inputs: dict[str, torch.Tensor]) -> bool:
        """Whether a batch has more than one part. Of one that has not, the model's own loss costs nothing."""
        return inputs["labels"].numel() > self.tokens(inputs["labels"].device)

    def __call__(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """A scalar with a gradient, in fp32.

        Args:
            inputs: of the model; with `decoder_input_ids`, and `labels` in which IGNORED stands for padding.
        """
        labels = inputs["labels"].flatten()
        states = self._states({name: tensor for name, tensor in inputs.items() if name != "labels"}).flatten(0, 1)
        tokens = (labels != IGNORED).sum()
        if states.device.type == "cpu":  # padding is left out; a GPU would have to wait for the count
            counted = labels != IGNORED
            states, labels = states[counted], labels[counted]
        size = self.tokens(states.device)
        if torch.is_grad_enabled():
            trained = [parameter for parameter in self.head.parameters() if parameter.requires_grad]
            loss = _WithGradient.apply(self._loss, states, labels, size, *trained)
        else:
            loss = sum(self._loss(*part) for part in zip(states.split(size), labels.split(size), strict=True))
        return loss / tokens

    def _states(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the decoder hands to the head: (rows, tokens, width). The head computes nothing meanwhile."""
        taken = []

        def take(_: Any, arguments: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
            taken.append(arguments[0])
            return (arguments[0][:, :0],)

        hook = self.head.register_forward_pre_hook(take)
        try:
            self.model(**inputs, use_cache=False)
        finally:
            hook.remove()
        return taken[0]

    def _loss(self, states: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum over a part."""
        logits = self.head(states)
        if self.bias is not None:
            logits = logits + self.bias
        return functional.cross_entropy(
            logits.float(), labels, ignore_index=IGNORED, reduction="sum", label_smoothing=self.smoothing
        )


class _WithGradient(torch.autograd.Function):
    """The sum of the parts' losses; the gradients are there with it, so that no part's logits are kept."""

    @staticmethod
    def forward(
        context: Any, loss: Any, states: torch.Tensor, labels: torch.Tensor, size: int, *trained: torch.Tensor
    ) -> torch.Tensor:
        total = torch.zeros((), device=states.device)
        of_states, of_trained = torch.empty_like(states), [torch.zeros_like(one) for one in trained]
        for start in range(0, len(states), size):
            part = slice(start, start + size)
            with torch.enable_grad():
                inputs = states[part].detach().requires_grad_()
                one = loss(inputs, labels[part])
            gradient, *gradients = torch.autograd.grad(one, [inputs, *trained])
            of_states[part] = gradient
            for sum_, summand in zip(of_trained, gradients, strict=True):
                sum_ += summand
            total += one.detach()
        context.save_for_backward(of_states, *of_trained)
        return total

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        of_states, *of_trained = (saved.mul_(gradient) for saved in context.saved_tensors)  # there is one way back
        return None, of_states, None, None, *of_trained
