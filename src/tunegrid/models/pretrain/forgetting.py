"""The pretraining loss of a model: how well it still does what it learned in pretraining, on text that was held out.

Infilling: T5 and Flan-T5 write hidden spans behind their sentinels; BART writes the whole text from one with masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import MOST_TOKENS, Closed, Seed, Text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tunegrid.models.pretrain.batches import Corruption


class Forgetting(Closed):
    """Whether runs still do what their models learned in pretraining: the loss of it on text that was held out."""

    # Plain spans alone, as published models learned them; the names are those of `PretrainSource`.
    recurrence_share: ClassVar[float] = 0.0
    continuation_share: ClassVar[float] = 0.0

    objective: Literal["infilling", "exercises"] = Field(
        "infilling",
        description=(
            "infilling: hidden spans are restored. exercises: those of the generated world, which its models learned "
            "last and most."
        ),
    )
    text: Text | None = Field(
        None,
        description=(
            "Path of a text file with blank lines between its documents, which neither pretraining nor tuning has "
            "seen; none: text of the generated world, for models that were pretrained on it."
        ),
    )
    documents: int = Field(300, ge=10, le=100_000, description="Documents, or exercises, that are read.")
    max_length: int = Field(256, ge=16, le=MOST_TOKENS, description="Tokens of a document that are read.")
    corruption_rate: float = Field(0.15, gt=0, lt=1, description="Share of the tokens that is hidden.")
    mean_span: float = Field(3.0, ge=1, le=1_000, description="Mean length of a hidden span in tokens.")
    seed: Seed = Field(1, description="Seed of the generated text and of what is hidden.")
    batch_size: int = Field(8, gt=0, le=65_536, description="Documents that are read at once.")

    @model_validator(mode="after")
    def _exercises_are_generated(self) -> Forgetting:
        if self.objective == "exercises" and self.text is not None:
            raise ValueError("objective: exercises are of the generated world; a text file is for infilling")
        return self


def pretraining_losses(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    model_type: str,
    rows: Sequence[dict[str, str]],
    settings: Forgetting,
    precision: str,
) -> list[tuple[float, int]]:
    """(loss in nats, summed over the target; tokens of the target) of each row.

    What is hidden of a text depends on the seed, its place and its tokens: all runs of a model restore the same.

    Args:
        model_type: that of the checkpoint's config.json: `bart`, `t5`, ….
        rows: each with a `text`; of exercises with `source` and `target`.

    Raises:
        TuneGridError: the vocabulary has nothing to hide spans with.
        NonFiniteLogits: what the model computes is no number.
    """
    import torch

    from tunegrid.models.generate import NonFiniteLogits, autocast
    from tunegrid.models.pretrain.batches import collate

    pairs = _pairs(tokenizer, model_type, rows, settings)
    losses: list[tuple[float, int]] = [(0.0, 0)] * len(pairs)
    order = sorted(range(len(pairs)), key=lambda number: (-len(pairs[number][0]), number))
    for start in range(0, len(order), settings.batch_size):
        chosen = order[start : start + settings.batch_size]
        batch = collate([pairs[number] for number in chosen], tokenizer.pad_token_id)
        batch = {name: tensor.to(next(model.parameters()).device) for name, tensor in batch.items()}
        labels = batch.pop("labels")
        with torch.inference_mode(), autocast(model, precision):
            decoder = model.prepare_decoder_input_ids_from_labels(labels=labels)
            logits = model(**batch, decoder_input_ids=decoder, use_cache=False).logits
        nats = torch.nn.functional.cross_entropy(
            logits.float().transpose(1, 2), labels, ignore_index=-100, reduction="none"
        )
        if not nats.isfinite().all():
            raise NonFiniteLogits(precision)
        counts = (labels != -100).sum(-1).tolist()
        for number, total, count in zip(chosen, nats.double().sum(-1).tolist(), counts, strict=True):
            losses[number] = (total, count)
    return losses


def _pairs(
    tokenizer: PreTrainedTokenizerBase, model_type: str, rows: Sequence[dict[str, str]], settings: Forgetting
) -> list[tuple[list[int], list[int]]]:
    """(source, target) token ids of each row, as the pretraining makes them."""
    import numpy as np

    if settings.objective == "exercises":
        sources, targets = (
            tokenizer([row[side] for row in rows], truncation=True, max_length=settings.max_length)["input_ids"]
            for side in ("source", "target")
        )
        return list(zip(sources, targets, strict=True))
    corruption, pairs = _corruption(tokenizer, model_type, settings), []
    texts = [row["text"] for row in rows]
    for number, ids in enumerate(tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]):
        random = np.random.default_rng([settings.seed, number])
        pairs.append(corruption.apply(ids[: settings.max_length], {}, random))
    return pairs


def _corruption(tokenizer: PreTrainedTokenizerBase, model_type: str, settings: Forgetting) -> Corruption:
    """How texts are corrupted for a model. Raises TuneGridError for a vocabulary with nothing to hide spans with."""
    from tunegrid.models.pretrain.batches import Corruption

    bart = model_type == "bart"
    if bart and tokenizer.mask_token_id is None:
        raise TuneGridError("forgetting: this model's vocabulary has no mask, so that no span can be hidden.")
    corruption = Corruption.of(tokenizer, "bart" if bart else "t5", settings)
    if not bart and {None, tokenizer.unk_token_id} & set(corruption.sentinels):
        raise TuneGridError(
            "forgetting: this model's vocabulary has no sentinels (<extra_id_0>, …), so that no span can be hidden."
        )
    return corruption
