"""Floating-point operations of training and of prediction, by formula."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tunegrid.models.shape import Shape

if TYPE_CHECKING:
    import torch


FLOPS_FORMULA = (
    "source tokens x (4 N_encoder + 2 T_encoder) + target tokens x (4 (N_decoder + V d) + 2 (T_decoder + T_head)); "
    "N: parameters outside the embeddings and the LM head, T: trainable ones among them; V d: the LM head's matrix, "
    "vocabulary x width, be it tied to the embeddings or not, T_head: V d if it is trained, else 0; 2 FLOPs per "
    "parameter and token forward, 2 for the gradient of the activations, 2 for that of the weights"
)
PREDICTION_FORMULA = (
    "mean over the test examples of: 2 N_encoder S + 4 w E S^2, and for each of B texts "
    "2 C S + 2 (N_decoder - C + V d) T + 4 w D (S T + T (T + 1) / 2); S: source tokens, T: tokens that are written, "
    "B: beams, or labels; N: parameters outside the embeddings and the LM head, C = 2 d w D those that make the keys "
    "and values of the source; E, D: layers; d: width, w: that of the attention, V: vocabulary"
)

# What methods add that learn from preferences: forward passes, in which a token costs 2 FLOPs per parameter.
SAMPLING_FORMULA = (
    "plus, of each answer once: 2 x [source tokens x (2 N_encoder + 2 M_encoder) + target tokens x (2 (N_decoder + "
    "V d) + M_decoder + V d) + (target tokens + answers) x M_decoder]: it is written and read by the model, and read "
    "by the model at the start and by the reward model (which has no LM head, and reads the start token too); M: N of "
    "a plain model"
)
REFERENCE_FORMULA = (
    "plus, once for each pair of the training and validation splits: 2 x [source tokens x M_encoder + target tokens x "
    "(M_decoder + V d)], by the model at the start; target tokens are those of both answers; M: N of a plain model"
)


class Tokens(NamedTuple):
    """Tokens of sources and targets, without padding, and how many targets there are."""

    targets: float
    source: float
    target: float


def numbers_in(parameter: torch.nn.Parameter) -> int:
    """How many numbers a parameter holds: of packed weights those that they are unpacked to."""
    state = getattr(parameter, "quant_state", None)  # of bitsandbytes
    return parameter.numel() if state is None else state.shape.numel()


def total_parameters(model: torch.nn.Module) -> int:
    """The number of all parameters, each tensor once, those of packed weights unpacked."""
    return sum(map(numbers_in, model.parameters()))


def trainable_parameters(model: torch.nn.Module) -> int:
    """The number of parameters that the optimiser changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@dataclass(frozen=True)
class Stacks:
    """Parameters that tokens are multiplied with, by stack, and the trainable ones among them.

    Attributes:
        encoder, decoder: parameters of the stack outside the embeddings and the LM head.
        head: vocabulary x width: every target token is multiplied with that matrix, be it tied to the embeddings or
            parameters of its own.
        head_trainable: `head` if the matrix is trained (tied: with the embeddings), else 0.
    """

    encoder: int
    encoder_trainable: int
    decoder: int
    decoder_trainable: int
    head: int
    head_trainable: int


def training_flops(stacks: Stacks, source_tokens: float, target_tokens: float) -> float:
    """FLOPs of a training by `FLOPS_FORMULA` (Kaplan et al. 2020, section 2.1), the number in `train.json`."""
    return float(
        source_tokens * (4 * stacks.encoder + 2 * stacks.encoder_trainable)
        + target_tokens * (4 * (stacks.decoder + stacks.head) + 2 * (stacks.decoder_trainable + stacks.head_trainable))
    )


def reference_flops(plain: Stacks, tokens: Tokens) -> float:
    """FLOPs of reading answers once, by `REFERENCE_FORMULA`."""
    return 2.0 * (tokens.source * plain.encoder + tokens.target * (plain.decoder + plain.head))


def sampling_flops(own: Stacks, plain: Stacks, tokens: Tokens) -> float:
    """FLOPs of writing answers and of what three models say of them, by `SAMPLING_FORMULA`.

    Args:
        own: the model that is trained, what its method added included; `plain`: the two others.
    """
    own_passes = 2 * reference_flops(own, tokens)
    reward = 2.0 * (tokens.source * plain.encoder + (tokens.target + tokens.targets) * plain.decoder)
    return own_passes + reference_flops(plain, tokens) + reward


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
    cross = 2 * width * inner * shape.decoder_layers
    total = 0.0
    for source, written in lengths:
        total += 2 * stacks.encoder * source + 4 * inner * shape.encoder_layers * source**2
        pairs = source * written + written * (written + 1) / 2
        per_text = 2 * cross * source + 2 * (stacks.decoder - cross + stacks.head) * written
        total += texts * (per_text + 4 * inner * shape.decoder_layers * pairs)
    return total / rows


def counted(model: Any, without: str | None = None) -> Stacks:
    """Counts the parameters of a model by their names: embeddings in no stack, the LM head apart, tied or not.

    Args:
        without: a part of the names of parameters that do not count, for no token is multiplied with them.
    """
    sizes = {"encoder": [0, 0], "decoder": [0, 0]}
    head = model.get_output_embeddings().weight
    for name, parameter in model.named_parameters():
        if parameter is head or "shared" in name or "embed" in name or (without and without in name):
            continue
        size = sizes["encoder" if ".encoder." in f".{name}" else "decoder"]
        size[0] += numbers_in(parameter)
        size[1] += numbers_in(parameter) * parameter.requires_grad
    return Stacks(*sizes["encoder"], *sizes["decoder"], head.numel(), head.numel() * head.requires_grad)


def base_stacks(shape: Shape) -> Stacks:
    """The stacks of a model in which nothing is trained, as `counted` finds them."""
    # BART's normalisation of the embeddings counts as an embedding, by its name in the model.
    normalisation = 0 if shape.positions is None else 2 * shape.d_model
    encoder = shape.encoder_parameters - normalisation
    return Stacks(encoder, 0, shape.decoder_parameters - normalisation, 0, shape.vocabulary * shape.d_model, 0)
