"""Moments at which something dies: at random, and where one was of no use, between those that were."""

from __future__ import annotations

import random


class Moments:
    """Draws seconds from the start over the length of an undisturbed run, until one is of use.

    A machine is not always as fast as it was undisturbed: drawn over the whole length each time, every moment might come
    too late.
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
