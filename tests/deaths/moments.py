"""Random moments of deaths, by bisection where the first ones come too early or too late."""

from __future__ import annotations

import random


class Moments:
    """Draws moments, in seconds from the start of a run, from an interval that each useless moment narrows.

    The interval begins as the length of an undisturbed run. It has to narrow because a machine is not always as fast as
    it was then: of moments drawn over the whole length, every one might come too late.
    """

    def __init__(self, chance: random.Random, length: float) -> None:
        self.chance, self.length = chance, length
        self.earliest, self.latest = 0.0, length
        self.drawn = 0.0

    def draw(self) -> float:
        if self.earliest >= self.latest:  # the machine's speed has changed in between
            self.earliest, self.latest = 0.0, self.length
        self.drawn = self.chance.uniform(self.earliest, self.latest)
        return self.drawn

    def was_too_early(self) -> None:
        self.earliest = self.drawn

    def was_too_late(self) -> None:
        self.latest = self.drawn
