"""The sizes of an encoder-decoder, and its parameters by formula: known before a weight is there, without torch.

Sources of the formulas: the layers as `transformers` builds them (`T5Stack`, `BartEncoder`, `BartDecoder`). A
normalisation stands at each block (two in an encoder layer, three in a decoder layer) and one more in each stack: T5's
after its last layer, BART's after its embeddings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.package_data import architectures_folder
from tunegrid.models.families import ROLES, Family, Role

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Linear:
    """Linear layers of equal size: `count` matrices of `inputs` x `outputs`."""

    inputs: int
    outputs: int
    count: int


@dataclass(frozen=True)
class Shape:
    """The sizes of an encoder-decoder that decide its parameters, cost and memory.

    Attributes:
        d_model: width of the hidden states.
        d_ff: width inside the feed-forward block (of the encoder, if `decoder_d_ff` names another for the decoder).
        d_kv: width of one head; `heads * d_kv` need not be `d_model`.
        vocabulary: rows of the embedding: config.json's vocab_size.
        positions: learned positions of each stack (BART), else None.
        tied: whether the LM head is the embedding.
        relative_buckets: buckets of the relative position bias (T5), one table for each stack, else None.
    """

    family: Family = field(hash=False)
    d_model: int
    d_ff: int
    heads: int
    d_kv: int
    encoder_layers: int
    decoder_layers: int
    vocabulary: int
    positions: int | None
    tied: bool
    relative_buckets: int | None = None
    decoder_d_ff: int | None = None

    @classmethod
    def of_model(cls, model: str, family: Family, config: dict[str, Any], known: Iterable[Family]) -> Shape:
        """The shape of a study's model from its config.json; `known` are the families that it could be of instead.

        Raises:
            TuneGridError: the model is of another family, or a size is not there.
        """
        if problem := family.problem(config):
            fitting = [other.name for other in known if other.problem(config) is None]
            raise TuneGridError(
                f"models.{model}.family: {family.name}, but {problem}. "
                + (f"Families that fit this model: {', '.join(fitting)}." if fitting else "No known family fits it.")
            )
        try:
            return cls.from_config(family, config)
        except TuneGridError as error:
            raise TuneGridError(f"models.{model}: {error}") from None

    @classmethod
    def from_config(cls, family: Family, config: dict[str, Any]) -> Shape:
        """The shape in the dict of a config.json.

        Raises:
            TuneGridError: a size is not there, or is no whole number above 0.
        """
        values = family.defaults | config

        def size(name: str, default: int | None = None) -> int | None:
            key = getattr(family.sizes, name)
            value = values.get(key) if key else None
            if value is None and (default is not None or key is None):
                return default
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise TuneGridError(
                    f"config.json: {key}: {'missing' if value is None else repr(value)}, but {family.title} "
                    "needs a whole number above 0 there."
                )
            return value

        d_model, heads, layers = size("d_model"), size("heads"), size("encoder_layers")
        return cls(
            family=family,
            d_model=d_model,
            d_ff=size("d_ff"),
            heads=heads,
            d_kv=size("d_kv", d_model // heads),
            encoder_layers=layers,
            decoder_layers=size("decoder_layers", layers),
            vocabulary=size("vocabulary"),
            positions=size("positions"),
            tied=bool(values.get("tie_word_embeddings", True)),
            relative_buckets=size("relative_buckets"),
            decoder_d_ff=size("decoder_d_ff"),
        )

    # -- linear layers ------------------------------------------------------------------------------------------------

    def linear(self, roles: Iterable[Role] = ROLES) -> list[Linear]:
        """The linear layers with these roles; the LM head is none of them."""
        inner, attentions = self.heads * self.d_kv, self.encoder_layers + 2 * self.decoder_layers
        layers = []
        for role in roles:
            names = self.family.linear[role]
            if role == "feed-forward":
                for width, count in ((self.d_ff, self.encoder_layers), (self._decoder_d_ff, self.decoder_layers)):
                    layers.append(Linear(self.d_model, width, (len(names) - 1) * count))
                    layers.append(Linear(width, self.d_model, count))
            elif role == "output":
                layers.append(Linear(inner, self.d_model, len(names) * attentions))
            else:
                layers.append(Linear(self.d_model, inner, len(names) * attentions))
        return layers

    def linear_count(self, roles: Iterable[Role]) -> int:
        """How many linear layers with these roles there are."""
        return sum(layer.count for layer in self.linear(roles))

    # -- parameters ---------------------------------------------------------------------------------------------------

    @cached_property
    def parameters(self) -> int:
        """All parameters, each tensor once."""
        return self.embedding_parameters + self.encoder_parameters + self.decoder_parameters

    @property
    def embedding_parameters(self) -> int:
        """Token and position embeddings, and the LM head where it is not tied."""
        positions = 0 if self.positions is None else self.positions + self.family.position_offset
        tables = (1 if self.tied else 2) * self.vocabulary + 2 * positions
        return tables * self.d_model

    @property
    def encoder_parameters(self) -> int:
        """Those of the encoder's layers and its own normalisation: all but embeddings."""
        return self._stack(self.encoder_layers, 1, self.d_ff)

    @property
    def decoder_parameters(self) -> int:
        """Those of the decoder's layers and its own normalisation: all but embeddings and LM head."""
        return self._stack(self.decoder_layers, 2, self._decoder_d_ff)

    @property
    def biases(self) -> int:
        """The bias terms of linear layers and normalisations among the parameters."""
        if not self.family.has_biases:
            return 0
        return sum(layer.outputs * layer.count for layer in self.linear()) + self.normalisations * self.d_model

    @property
    def normalisations(self) -> int:
        """How many normalisations there are."""
        return 2 * self.encoder_layers + 3 * self.decoder_layers + 2

    @property
    def _decoder_d_ff(self) -> int:
        return self.decoder_d_ff or self.d_ff

    def _stack(self, layers: int, attentions: int, d_ff: int) -> int:
        inner, biased = self.heads * self.d_kv, int(self.family.has_biases)
        norm = self.d_model * (1 + biased)
        into, out = len(self.family.linear["feed-forward"]) - 1, 1
        attention = 4 * self.d_model * inner + biased * (3 * inner + self.d_model) + norm
        feed_forward = (into + out) * self.d_model * d_ff + biased * (into * d_ff + self.d_model) + norm
        relative = (self.relative_buckets or 0) * self.heads
        return layers * (attentions * attention + feed_forward) + norm + relative


def empty_model(shape: Shape) -> PreTrainedModel:
    """A model of this shape, built from its configuration alone: to see what a library puts into it.

    It is on torch's current default device; on `meta` it takes no memory, elsewhere its weights are random.
    """
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


def known_config(hub_id: str) -> dict[str, Any] | None:
    """What matters of the config.json of a model of the Hub, if the project knows its architecture, else None."""
    file = architectures_folder() / f"{hub_id.replace('/', '--')}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
