"""Floating-point operations of training and prediction: the formula of the records, and what is really executed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tunegrid.methods import Method
from tunegrid.models import Shape

FLOPS_FORMULA = (
    "source tokens x (4 N_encoder + 2 T_encoder) + target tokens x (4 N_decoder + 2 T_decoder); "
    "N: parameters outside the embeddings, T: trainable ones among them; 2 FLOPs per parameter and token forward, "
    "2 for the gradient of the activations, 2 for that of the weights"
)
PREDICTION_FORMULA = (
    "mean over the test examples of: 2 N_encoder S + 4 w E S^2, and for each of B texts "
    "2 C S + 2 (N_decoder - C + V d) T + 4 w D (S T + T (T + 1) / 2); S: source tokens, T: tokens that are written, "
    "B: beams, or labels; N: parameters outside the embeddings and the LM head, C = 2 d w D those that make the keys "
    "and values of the source; E, D: layers; d: width, w: that of the attention, V: vocabulary"
)


@dataclass(frozen=True)
class Stacks:
    """Parameters outside the embeddings in each stack, and the trainable ones among them."""

    encoder: int
    encoder_trainable: int
    decoder: int
    decoder_trainable: int


def training_flops(stacks: Stacks, source_tokens: float, target_tokens: float) -> float:
    """FLOPs of a training by `FLOPS_FORMULA` (Kaplan et al. 2020, section 2.1), the number in `train.json`."""
    return float(
        source_tokens * (4 * stacks.encoder + 2 * stacks.encoder_trainable)
        + target_tokens * (4 * stacks.decoder + 2 * stacks.decoder_trainable)
    )


def stacks_of(shape: Shape, method: Method) -> Stacks | None:
    """The parameters as the training counts them in the model; None: the method does not know what it trains."""
    trainable = method.trainable_count(shape)
    if trainable is None:
        return None
    # An untied head is no embedding. BART's normalisation of the embeddings counts as one, by its name in the model.
    normalisation = 0 if shape.positions is None else 2 * shape.d_model
    encoder = shape.encoder_parameters - normalisation
    decoder = shape.decoder_parameters - normalisation + _untied_head(shape)
    if trainable == shape.parameters:
        return Stacks(encoder, encoder, decoder, decoder)
    # What a method trains is in the layers, so that a model without its encoder's layers says what is in those.
    in_decoder = method.trainable_count(replace(shape, encoder_layers=0))
    added, added_decoder = method.added_count(shape), method.added_count(replace(shape, encoder_layers=0))
    return Stacks(encoder + added - added_decoder, trainable - in_decoder, decoder + added_decoder, in_decoder)


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
        """Of a training step: forward, gradients of activations, and of the share of the weights that is trained.

        Gradient checkpointing does the layers' forward pass a second time.
        """
        weights = self.linear * trained + self.head * head_trained
        again = self.linear + self.attention if checkpointing else 0.0
        return 2 * (self.linear + self.head) + 3 * self.attention + weights + again


def executed(shape: Shape, added: Stacks | None, batch: float, source: float, target: float) -> Executed:
    """What a forward pass of `batch` x `source` and `batch` x `target` tokens computes, padding included.

    Args:
        added: the stacks with the method's own parameters; None: those of the model itself.

    Unlike `FLOPS_FORMULA` it knows that the decoder's cross-attention makes its keys and values of the source's
    tokens, and counts the LM head (a multiplication, be it tied or not) and the attention itself.
    """
    inner = shape.heads * shape.d_kv
    encoder = added.encoder if added else shape.encoder_parameters
    decoder = added.decoder - _untied_head(shape) if added else shape.decoder_parameters
    cross = 2 * shape.d_model * inner * shape.decoder_layers
    linear = 2 * batch * (source * (encoder + cross) + target * (decoder - cross))
    pairs = shape.encoder_layers * source**2 + shape.decoder_layers * (target**2 + source * target)
    head = 2 * batch * target * shape.vocabulary * shape.d_model
    return Executed(linear, head, 4 * batch * inner * pairs)


def decoding(shape: Shape, added: Stacks | None, rows: float, source: float, tokens: float) -> float:
    """FLOPs of writing `tokens` tokens for `rows` (rows times beams), one after the other, from encoded sources."""
    inner = shape.heads * shape.d_kv
    decoder = added.decoder - _untied_head(shape) if added else shape.decoder_parameters
    cross = 2 * shape.d_model * inner * shape.decoder_layers
    per_token = 2 * (decoder - cross + shape.vocabulary * shape.d_model)
    attention = 4 * inner * shape.decoder_layers * (source + tokens / 2)
    return rows * (tokens * (per_token + attention) + 2 * cross * source)


def prediction_flops(
    shape: Shape, stacks: Stacks, lengths: Iterable[tuple[int, float]], texts: int, rows: int
) -> float:
    """FLOPs of predicting one example, by `PREDICTION_FORMULA`: what it takes without padding, keys and values kept.

    Args:
        stacks: the parameters as they stand in the model (`counted`), what the method added included.
        lengths: of each entry of the token file the tokens of the source and those that are written.
        texts: how many are written for each entry: beams, or label words.
        rows: how many examples the entries are of.
    """
    inner, width = shape.heads * shape.d_kv, shape.d_model
    decoder = stacks.decoder - _untied_head(shape)
    cross = 2 * width * inner * shape.decoder_layers
    total = 0.0
    for source, written in lengths:
        total += 2 * stacks.encoder * source + 4 * inner * shape.encoder_layers * source**2
        pairs = source * written + written * (written + 1) / 2
        per_text = 2 * cross * source + 2 * (decoder - cross + shape.vocabulary * width) * written
        total += texts * (per_text + 4 * inner * shape.decoder_layers * pairs)
    return total / rows


def counted(model: Any) -> Stacks:
    """The parameters of a model that is there, by their names: those of embeddings in no stack, an untied head in the
    decoder's."""
    sizes = {"encoder": [0, 0], "decoder": [0, 0]}
    for name, parameter in model.named_parameters():
        if "shared" in name or "embed" in name:
            continue
        size = sizes["encoder" if ".encoder." in f".{name}" else "decoder"]
        size[0] += parameter.numel()
        size[1] += parameter.numel() * parameter.requires_grad
    return Stacks(*sizes["encoder"], *sizes["decoder"])


def _untied_head(shape: Shape) -> int:
    return 0 if shape.tied else shape.vocabulary * shape.d_model
