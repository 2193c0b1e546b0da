"""A model with a method in it, as the estimates see it."""

from __future__ import annotations

from dataclasses import dataclass

from tunegrid.methods import Method
from tunegrid.methods.full import Full, FullSettings
from tunegrid.models import Family, Shape
from tunegrid.models.flops import Stacks


@dataclass(frozen=True)
class Tuned:
    """A model with a method in it.

    Attributes:
        stacks: its parameters and trainable ones, by stack.
        trainable: all that the optimiser changes; `total`: all parameters.
        modules: modules that the method puts in.
    """

    shape: Shape
    method: Method
    stacks: Stacks
    trainable: int
    total: int
    modules: int

    @classmethod
    def of(cls, shape: Shape, method: Method) -> Tuned | None:
        """A model of a shape with a method in it; None: the method does not know what it trains."""
        stacks = method.stacks(shape)
        if stacks is None:
            return None
        trainable, total = method.trainable_count(shape), shape.parameters + method.added_count(shape)
        return cls(shape, method, stacks, trainable, total, method.expected_modules(shape))

    @classmethod
    def fully(cls, shape: Shape, family: Family) -> Tuned:
        """A model under full fine-tuning."""
        return cls.of(shape, Full(FullSettings(kind="full"), family))

    @property
    def layers(self) -> int:
        return self.shape.encoder_layers + self.shape.decoder_layers

    @property
    def trained_share(self) -> float:
        """Share of the weight matrices' parameters that get a gradient."""
        stacks = self.stacks
        return (stacks.encoder_trainable + stacks.decoder_trainable) / (stacks.encoder + stacks.decoder)

    @property
    def full(self) -> bool:
        return self.method.trains == "all"
