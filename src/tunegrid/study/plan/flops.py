"""Floating-point operations that training and prediction really execute, padding included."""

from __future__ import annotations

from dataclasses import dataclass

from tunegrid.models import Shape
from tunegrid.models.flops import Stacks


@dataclass(frozen=True)
class Executed:
    """FLOPs of one forward pass of a padded batch, by what a backward pass does with them.

    Attributes:
        linear: of the layers' weight matrices, in the encoder and decoder.
        head: of the LM head.
        attention: of queries with keys, and of their weights with values: there are no weights to train.
    """

    linear: float
    head: float
    attention: float

    @property
    def forward(self) -> float:
        return self.linear + self.head + self.attention

    def training(self, trained: float, head_trained: bool, checkpointing: bool) -> float:
        """FLOPs of a training step: forward, gradients of activations, and of the share of the weights that is trained.

        Gradient checkpointing does the layers' forward pass a second time.
        """
        weights = self.linear * trained + self.head * head_trained
        again = self.linear + self.attention if checkpointing else 0.0
        return 2 * (self.linear + self.head) + 3 * self.attention + weights + again


def executed(shape: Shape, stacks: Stacks, batch: float, source: float, target: float) -> Executed:
    """What a forward pass of `batch` x `source` and `batch` x `target` tokens computes, padding included.

    Args:
        stacks: with the method's own parameters.

    Unlike `FLOPS_FORMULA` it knows that the decoder's cross-attention makes its keys and values of the source's
    tokens, and counts the attention itself.
    """
    inner = shape.heads * shape.d_kv
    cross = 2 * shape.d_model * inner * shape.decoder_layers
    linear = 2 * batch * (source * (stacks.encoder + cross) + target * (stacks.decoder - cross))
    pairs = shape.encoder_layers * source**2 + shape.decoder_layers * (target**2 + source * target)
    head = 2 * batch * target * shape.vocabulary * shape.d_model
    return Executed(linear, head, 4 * batch * inner * pairs)


def decoding(shape: Shape, stacks: Stacks, rows: float, source: float, tokens: float) -> float:
    """FLOPs of writing `tokens` tokens for `rows` (rows times beams), one after the other, from encoded sources."""
    inner = shape.heads * shape.d_kv
    cross = 2 * shape.d_model * inner * shape.decoder_layers
    per_token = 2 * (stacks.decoder - cross + shape.vocabulary * shape.d_model)
    attention = 4 * inner * shape.decoder_layers * (source + tokens / 2)
    return rows * (tokens * (per_token + attention) + 2 * cross * source)
