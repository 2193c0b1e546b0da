"""Whether a model writes as it was trained: `generate()` step by step against one forward pass over the same tokens.

Training computes all tokens of a target at once; generation computes one at a time, with keys and values that it keeps.
A method whose modules work in one of the two ways only (a prefix that a cached step does not see, say) trains one model
and evaluates another, and no library warns.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import torch

from tunegrid.models.decoding import Generation
from tunegrid.models.encoder import encoding_in_parts
from tunegrid.models.generate import NonFiniteLogits, generation_config

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Share of the largest logit by which fp32 may round the two ways differently.
TOLERANCE = 1e-4


class Disagreement(ArithmeticError):
    """A model that generates with other logits than those that its training computes."""

    def __init__(self, difference: float) -> None:
        super().__init__(
            "generation disagrees with training: the logits of its steps differ from those of one pass over the same "
            f"tokens by {difference:.2g} of the largest (up to {TOLERANCE:.0e} is rounding), so that the scores would "
            "be those of another model than the one that was trained"
        )


def check_agreement(
    model: Any, tokenizer: PreTrainedTokenizerBase, sources: Sequence[list[int]], generation: Generation
) -> None:
    """Checks that a model generates with the logits of its forward pass. The model is left in its mode.

    Args:
        sources: token ids of a few sources, better of different lengths: they are padded to one batch.

    Raises:
        Disagreement: the logits differ by more than `TOLERANCE` of the largest.
        NonFiniteLogits: they are no numbers.
    """
    training = model.training
    model.eval()
    try:
        difference = disagreement(model, tokenizer, sources, generation)
    finally:
        model.train(training)
    if not isfinite(difference):
        raise NonFiniteLogits("fp32")
    if difference > TOLERANCE:
        raise Disagreement(difference)


@torch.inference_mode()
def disagreement(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[list[int]],
    generation: Generation,
    *,
    cached: bool = True,
) -> float:
    """Largest difference of the logits of generation and of one forward pass, as a share of the largest logit.

    Computed in fp32, over all steps of each answer (with beams: of the beam that is returned) up to its end.

    Args:
        model: in evaluation mode.
        cached: whether generation keeps the keys and values of earlier steps, as it does by default.
    """
    device = next(model.parameters()).device
    batch = tokenizer.pad({"input_ids": list(sources)}, return_tensors="pt")
    inputs = {name: batch[name].to(device) for name in ("input_ids", "attention_mask")}
    config = generation_config(model, tokenizer, generation)
    config.update(return_dict_in_generate=True, output_logits=True, use_cache=cached)
    with encoding_in_parts(model):
        output = model.generate(**inputs, generation_config=config, use_model_defaults=False)
    tokens = output.sequences
    at_once = model(**inputs, decoder_input_ids=tokens[:, :-1]).logits.float()
    largest, difference = 0.0, 0.0
    ended = torch.zeros(len(tokens), dtype=torch.bool, device=device)
    for step, logits in enumerate(output.logits[: tokens.shape[1] - 1]):
        by_step = logits.float()
        if config.num_beams > 1:
            by_step = by_step[output.beam_indices[:, step].clamp(min=0)]
        rows = ~ended
        largest = max(largest, float(at_once[rows, step].abs().max()))
        gap = float((by_step[rows] - at_once[rows, step]).abs().max())
        if not isfinite(gap):
            return gap
        difference = max(difference, gap)
        ended |= tokens[:, step + 1] == config.eos_token_id
        if ended.all():
            break
    return difference / largest if largest else difference
