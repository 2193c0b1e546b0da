"""The families of encoder-decoders: what the modules of each are called, and what they have.

Every family has, per layer, one attention block in the encoder, two in the decoder (self and cross), and one
feed-forward block in both; a linear layer is named by its *role*, so that a method can be configured once for all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["query", "key", "value", "output", "feed-forward"]
ROLES: tuple[Role, ...] = ("query", "key", "value", "output", "feed-forward")


@dataclass(frozen=True)
class Family:
    """Names and traits of one family of models."""

    name: str
    model_types: tuple[str, ...]  # `model_type` in config.json
    linear: dict[Role, tuple[str, ...]]  # role -> names of the linear layers in one block
    has_biases: bool
    gated: bool = False  # whether the feed-forward block is gated (`feed_forward_proj` in config.json)

    def linear_names(self, roles: Iterable[Role]) -> list[str]:
        """Module names of the linear layers with these roles."""
        return [name for role in roles for name in self.linear[role]]

    def linear_count(self, roles: Iterable[Role], config: Any) -> int:
        """How many linear layers with these roles a model of this configuration has; the LM head is none of them."""
        encoder, decoder = layers(config)
        per_role = dict.fromkeys(ROLES, encoder + 2 * decoder) | {"feed-forward": encoder + decoder}
        return sum(per_role[role] * len(self.linear[role]) for role in roles)


def layers(config: Any) -> tuple[int, int]:
    """(encoder layers, decoder layers) of a `transformers` configuration."""
    if config.model_type == "bart":
        return config.encoder_layers, config.decoder_layers
    return config.num_layers, config.num_decoder_layers


_T5_ATTENTION: dict[Role, tuple[str, ...]] = {"query": ("q",), "key": ("k",), "value": ("v",), "output": ("o",)}
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("t5", ("t5",), {**_T5_ATTENTION, "feed-forward": ("wi", "wo")}, has_biases=False),
        # T5 v1.1, on which Flan-T5 is built, has a gated feed-forward block and an untied LM head.
        Family(
            "flan-t5", ("t5",), {**_T5_ATTENTION, "feed-forward": ("wi_0", "wi_1", "wo")}, has_biases=False, gated=True
        ),
        Family(
            "bart",
            ("bart",),
            {
                "query": ("q_proj",),
                "key": ("k_proj",),
                "value": ("v_proj",),
                "output": ("out_proj",),
                "feed-forward": ("fc1", "fc2"),
            },
            has_biases=True,
        ),
    )
}
