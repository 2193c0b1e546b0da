"""A model of a shape, built from its configuration alone: to see what a library puts into it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from tunegrid.models.shape import Shape

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def empty_model(shape: Shape) -> PreTrainedModel:
    """The model on torch's current default device; on `meta` it takes no memory, elsewhere its weights are random."""
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    family = shape.family
    values = dict(family.defaults) | {"tie_word_embeddings": shape.tied}
    if family.gated:
        values["feed_forward_proj"] = "gated-gelu"
    for size in fields(shape):
        key, value = getattr(family.sizes, size.name, None), getattr(shape, size.name)
        if key and value is not None:
            values[key] = value
    config = AutoConfig.for_model(family.model_types[0], **values)
    return AutoModelForSeq2SeqLM.from_config(config)
