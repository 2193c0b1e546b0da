"""The families of encoder-decoders: what the modules of each are called, what they have, and how they are prompted.

A family is one file of `resources/families/`, or an entry of a study's `families:`; nothing else has to know it. Every
family has, per layer, one attention block in the encoder, two in the decoder (self and cross), and one feed-forward
block in both; a linear layer is named by its *role*, so that a method can be configured once for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic.json_schema import SkipJsonSchema

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed, Title, Word
from tunegrid.common.package_data import families_folder
from tunegrid.common.yaml_file import ConfigFile

Role = Literal["query", "key", "value", "output", "feed-forward"]
ROLES: tuple[Role, ...] = ("query", "key", "value", "output", "feed-forward")


class Sizes(Closed):
    """The keys of config.json under which a family keeps its sizes; none: the family has no such size."""

    d_model: Word = Field(description="Width of the hidden states.")
    d_ff: Word = Field(description="Width inside the feed-forward block.")
    decoder_d_ff: Word | None = Field(None, description="The decoder's, where it may be another one.")
    heads: Word = Field(description="Attention heads of a block.")
    d_kv: Word | None = Field(None, description="Width of one head; none: d_model / heads.")
    encoder_layers: Word
    decoder_layers: Word = Field(description="If config.json does not have it: as many as the encoder's.")
    vocabulary: Word = Field("vocab_size", description="Rows of the embedding.")
    positions: Word | None = Field(None, description="Learned positions of each stack.")
    relative_buckets: Word | None = Field(None, description="Buckets of a learned relative position bias.")


class Family(Closed):
    """Names, traits and prompts of one family of models."""

    name: SkipJsonSchema[str] = ""  # never given: it is the file's name, or the key in a study
    title: Title = Field(description="Its name in sentences.")
    model_types: list[Word] = Field(min_length=1, description="`model_type` in config.json.")
    sizes: Sizes = Field(description="Size -> its key in config.json.")
    defaults: dict[str, Annotated[int, Field(ge=0, le=1_000_000_000)] | bool] = Field(
        default_factory=dict, description="What transformers takes for keys that config.json does not have."
    )
    linear: dict[Role, list[Word]] = Field(
        description="Role -> names of the linear layers in one block; of feed-forward ones the last leads out."
    )
    has_biases: bool = Field(description="Whether linear layers and normalisations have biases.")
    gated: bool = Field(False, description="Whether the feed-forward block is gated (`feed_forward_proj`).")
    decoder_start: Literal["pad", "eos", "bos"] | None = Field(
        None, description="The token that the decoder starts with, where a checkpoint does not say it."
    )
    position_offset: int = Field(0, ge=0, le=1_000, description="Rows of the position embedding beyond the positions.")
    prompts: dict[str, str] = Field(default_factory=dict, description="Kind of task -> template of the source.")
    label_words: dict[str, dict[str, Word]] = Field(
        default_factory=dict,
        description="Kind of task -> label -> the word that stands for it in text; a label without one is its own.",
    )

    @field_validator("name")
    @classmethod
    def _not_given(cls, name: str) -> str:
        raise ValueError("a family is called what its file, or its key in the study, is called: leave `name` out")

    @field_validator("linear")
    @classmethod
    def _all_roles(cls, linear: dict[Role, list[Word]]) -> dict[Role, list[str]]:
        for role in ROLES:
            if not linear.get(role):
                raise ValueError(f"the role {role} has no linear layer. Each of {', '.join(ROLES)} needs one")
        return linear

    def named(self, name: str) -> Family:
        """The family with its name, by which models and prompts are of it."""
        return self.model_copy(update={"name": name})

    def linear_names(self, roles: Iterable[Role]) -> list[str]:
        """Module names of the linear layers with these roles."""
        return [name for role in roles for name in self.linear[role]]

    def settings(self) -> dict[str, Any]:
        """What a result records of its family; of one that is the study's own, what it is too. Prompts stand apart."""
        own = self.model_dump(exclude={"name", "title", "prompts", "label_words"})
        return {"family": self.name} | ({} if self.name in FAMILIES else {"families": {self.name: own}})

    def problem(self, config: dict[str, Any]) -> str | None:
        """Why a checkpoint with this config.json is not of this family; None if it is."""
        if (found := config.get("model_type")) not in self.model_types:
            return f"config.json says model_type {found!r}, and not {' or '.join(map(repr, self.model_types))}"
        # Some families share their model type, and a wrong one would only show in its prompts.
        projection = str(config.get("feed_forward_proj", "not gated"))
        if projection.startswith("gated") != self.gated:
            return f"the feed-forward block is {projection}, and not {'gated' if self.gated else 'plain'}"
        return None


def load_family(path: Path) -> Family:
    """The family in a YAML file; its name is the file's.

    Raises:
        TuneGridError: something in the file is wrong; the message names file, line and key.
    """
    config = ConfigFile.read([path])
    try:
        return Family.model_validate(config.values).named(path.stem)
    except ValidationError as error:
        raise TuneGridError(config.explain(error)) from None


def load_families(folder: Path) -> dict[str, Family]:
    """The families of a folder, by name."""
    return {path.stem: load_family(path) for path in sorted(folder.glob("*.yaml"))}


FAMILIES: dict[str, Family] = load_families(families_folder())
