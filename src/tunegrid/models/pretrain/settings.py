"""Settings of a model that the pipeline pretrains."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tunegrid.common.fields import MOST_STEPS, MOST_TOKENS, Seed, Title
from tunegrid.models.families import Family
from tunegrid.models.sources import ModelSource

FAMILIES = ("t5", "flan-t5", "bart")
MIN_POSITIONS = 512  # of a BART model
Share = Annotated[float, Field(ge=0, le=1)]


class PretrainSource(ModelSource):
    """A model that the pipeline pretrains itself, from random weights, on text that it has."""

    kind: Literal["pretrain"]
    licence: Title = Field(
        "that of the text it is pretrained on", description="The model's licence, as the report prints it."
    )
    families: ClassVar = FAMILIES
    text: Literal["miniworld", "tasks"] = Field(
        "miniworld", description="What to read: the generated world, or the training rows of the study's own tasks"
    )
    seed: Seed = Field(1, description="Seed of the initial weights, of the text and of its corruption")
    d_model: int = Field(64, ge=8, le=8_192, description="Width of the hidden states")
    layers: int = Field(2, ge=1, le=100, description="Layers of the encoder")
    decoder_layers: int = Field(2, ge=1, le=100, description="Layers of the decoder")
    heads: int = Field(4, ge=1, le=1_024, description="Attention heads; must divide d_model")
    d_ff: int = Field(128, ge=8, le=65_536, description="Width of the feed-forward layers")
    vocabulary: int = Field(
        1400, ge=400, le=1_000_000, description="Largest number of entries of the byte-level BPE vocabulary"
    )
    max_length: int = Field(
        160, ge=16, le=MOST_TOKENS, description="Longer documents are cut into pieces of this many tokens"
    )
    documents: int = Field(
        30_000, ge=1, le=10_000_000, description="Documents read; they are repeated, hidden differently, as needed"
    )
    exercises: int | None = Field(
        None, ge=1, le=10_000_000, description="Exercises read, and as many easy ones. Default: as many as `documents`"
    )
    steps: int = Field(2400, ge=1, le=MOST_STEPS, description="Optimiser steps")
    batch_size: int = Field(32, ge=1, le=65_536, description="Documents per step")
    learning_rate: float | None = Field(
        None,
        gt=0,
        le=10,
        description="AdamW's peak rate; T5 and Flan-T5: times each tensor's initial RMS. Default: 0.02, BART 0.002",
    )
    init_std: float = Field(0.05, gt=0, le=10, description="BART: standard deviation of the initial weights")
    locality: float = Field(
        0.0,
        ge=0,
        le=1_000,
        description="T5 and Flan-T5: slope, per token of distance, of the preference for near tokens that half of the "
        "encoder's heads start with, in one direction each, while the other half of the heads of its last layer start "
        "by looking at like tokens; BART: above 0, heads of the encoder start by looking three tokens back, and by "
        "copying tokens where they see the same. 0: a random start",
    )
    warmup_ratio: Share = Field(0.05, description="Share of the steps in which the rate rises")
    decay_ratio: Share = Field(0.4, description="Share of the steps, at the end, in which the rate falls to zero")
    weight_decay: float = Field(0.01, ge=0, le=10, description="AdamW's weight decay")
    corruption_rate: float = Field(0.4, gt=0, lt=1, description="Share of the tokens that is hidden")
    mean_span: float = Field(2.5, ge=1, le=1_000, description="Mean length of a hidden span in tokens")
    recurrence_share: Share = Field(
        0.5, description="Share of the documents in which words are hidden that occur again elsewhere in them"
    )
    continuation_share: Share = Field(
        0.0,
        description="Share of the documents of which the last sentence (in a glossary: the last translation) is not "
        "hidden but written as their continuation",
    )
    instruction_share: Share = Field(
        0.4, description="Share of the steps that are exercises; those on plain text come before, or between (`spread`)"
    )

    easy_share: Share = Field(
        0.0, description="Share of the steps on exercises, the first of them, whose exercises are easy"
    )

    first_steps: int = Field(
        0,
        ge=0,
        le=MOST_STEPS,
        description="Number of the first steps, all on easy exercises, in which the learning rate rises and falls; it "
        "does so again in the other steps, to which `instruction_share` and `easy_share` refer",
    )
    first_learning_rate: float | None = Field(
        None, gt=0, le=10, description="Peak rate of the first steps. Default: `learning_rate`"
    )
    spread: bool = Field(
        False,
        description="Whether the steps on plain text are evenly spread among those on exercises; else they come before",
    )

    @model_validator(mode="after")
    def _phases(self) -> Self:
        if self.first_steps > self.steps:
            raise ValueError(f"first_steps: {self.first_steps} of {self.steps} steps; give at most as many as steps")
        return self

    def known_config(self, family: Family) -> dict[str, Any] | None:
        """The sizes as `build_model` takes them; the vocabulary is the largest that it can become."""
        sizes = {
            "d_model": self.d_model,
            "d_ff": self.d_ff,
            "decoder_d_ff": self.d_ff,
            "heads": self.heads,
            "d_kv": self.d_model // self.heads,
            "encoder_layers": self.layers,
            "decoder_layers": self.decoder_layers,
            "vocabulary": self.vocabulary,
            "positions": max(MIN_POSITIONS, self.max_length),
        }
        keys = family.sizes.model_dump()
        return {keys[name]: value for name, value in sizes.items() if keys[name]} | {
            "model_type": family.model_types[0],
            "feed_forward_proj": "gated-gelu" if family.gated else "relu",
            "tie_word_embeddings": not family.gated,
        }

    def describe(self) -> str:
        text = "the generated language world" if self.text == "miniworld" else "the training rows of the study's tasks"
        return f"pretrained by the pipeline on {text}, {self.steps} steps, seed {self.seed}"
