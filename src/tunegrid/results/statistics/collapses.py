"""Collapsed runs: seeds of a cell that learned nothing, or far less than the cell's other seeds.

One rule, in the task's primary metric. A run has collapsed if

- it *ends at chance*: it scores no more than the trivial baseline, or nothing separates it from that baseline (the
  paired 95 % interval over test examples holds 0) and it has come less than a tenth of the way from the baseline to 1;
- or it ends *20 points below* the best of the cell's other seeds.

A mean over seeds of which one collapsed describes no run, and its normal interval does not hold the truth (Mosbach et
al. 2021, Dodge et al. 2020). So a cell with a collapsed seed is counted, shown by its median and by its share of seeds
above the baseline, and is not recommended because it ties with another cell (`comparable`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tunegrid.common.words import plural
from tunegrid.results.statistics.intervals import wilson_interval

DROP = 0.20  # 20 points below the best other seed
NEAR = 0.10  # share of the way from the trivial baseline to 1
CHANCE, BELOW = "ends at chance", "20 points below another seed"
RULE = (
    "A run has collapsed if it ends at chance (no better than the trivial baseline: at or below it, or not separated "
    "from it and less than a tenth of the way from it to a perfect score), or 20 points below another seed of its cell."
)


@dataclass(frozen=True)
class Collapses:
    """The seeds of a cell in the primary metric, and which of them collapsed.

    Attributes:
        scores: [seeds], 0 to 1.
        reasons: why each seed counts as collapsed; "": it does not.
    """

    scores: tuple[float, ...]
    reasons: tuple[str, ...]

    @property
    def count(self) -> int:
        return sum(bool(reason) for reason in self.reasons)

    @property
    def rate(self) -> float:
        return self.count / len(self.scores)

    @cached_property
    def rate_interval(self) -> tuple[float, float]:
        """Interval of the rate of collapse (Wilson 1927)."""
        return wilson_interval(self.count, len(self.scores))

    @property
    def median(self) -> float:
        return float(np.median(self.scores))

    @property
    def above_baseline(self) -> float:
        """Share of the seeds that do not end at chance."""
        return sum(reason != CHANCE for reason in self.reasons) / len(self.reasons)

    def in_words(self, median: str) -> str:
        """`1 of 3 seeds collapsed (median 0.93, 67% of the seeds above the baseline)`; `median` as it is printed."""
        if len(self.scores) == 1:
            return "its only seed collapsed"
        how_many = f"{self.count} of {plural(len(self.scores), 'seed')} collapsed"
        return f"{how_many} (median {median}, {100 * self.above_baseline:.0f}% of the seeds above the baseline)"


def find_collapses(
    scores: Sequence[float], trivial: float | None = None, separated: Sequence[bool] | None = None
) -> Collapses:
    """Applies the rule to the seeds of a cell.

    Args:
        scores: of each seed, 0 to 1.
        trivial: score of the trivial baseline; None: unknown, and no run is then called at chance.
        separated: whether the paired interval of each seed's difference to the baseline lies above 0; None: unknown,
            and only runs at or below the baseline are then at chance.
    """
    reasons = []
    for number, score in enumerate(scores):
        others = [other for place, other in enumerate(scores) if place != number]
        apart = True if separated is None else separated[number]
        if trivial is not None and (score <= trivial or (not apart and score - trivial < NEAR * (1 - trivial))):
            reasons.append(CHANCE)
        elif others and max(others) - score >= DROP - 1e-9:
            reasons.append(BELOW)
        else:
            reasons.append("")
    return Collapses(tuple(map(float, scores)), tuple(reasons))


def comparable(means: Sequence[float], collapsed: Sequence[int]) -> np.ndarray:
    """Which cells a recommendation is made among, [cells] of bool.

    Those without a collapsed seed; a cell with one only where no other is left, or where its mean, the collapsed seeds
    counted in, is still 20 points above the best of the others.

    Args:
        means: of the cells' seeds.
        collapsed: number of each cell's seeds that collapsed.
    """
    means, sound = np.asarray(means, dtype=float), np.asarray(collapsed) == 0
    if not sound.any():
        return np.ones(len(means), dtype=bool)
    ahead = ~sound & (means >= means[sound].max() + DROP - 1e-9)
    return ahead if ahead.any() else sound
