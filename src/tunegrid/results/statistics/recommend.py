"""The rule of the recommendation, its cost and its rationale, the same for our results and for published ones.

1. Of the cells of a task that are within the study's limits (`limits.Recommend`), the tied set: the best one and all
   that nothing separates from it.
2. Of the tied set, the cheapest: the least of the study's cost (trainable parameters, unless it says otherwise), then
   the fewest trainable parameters, then the fewest parameters, then the least training time (where it is known), then
   the better score, then the order of the study.

Two cells are separated by one of two kinds of evidence: paired tests of all pairs with Holm's correction where there
are predictions (`from_tests`), or a difference at the printed precision where there are only printed numbers
(`from_printed`). Cells without a result are left out; the notes name them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf
from typing import Literal

import numpy as np

from tunegrid.common.citations import Formula
from tunegrid.common.digits import GIB, duration, fine_percent
from tunegrid.common.words import number_word
from tunegrid.results.statistics.intervals import ALPHA, ResampledScores
from tunegrid.results.statistics.paired_tests import compare_pairs, separated_in_resamples, tied_with_best
from tunegrid.study.limits import CostName, Measured

RULE = Formula(
    "The recommendation",
    rf"T = \{{ c : p^{{\mathrm{{Holm}}}}(c,\, \hat{{c}}) > {ALPHA:g} \}}, \quad "
    r"\mathrm{recommended} = \arg\min_{c \in T} \, \mathrm{cost}(c)",
    f"T are the cells whose p after Holm's correction, against the best cell, is above {ALPHA:g}; recommended is "
    "the cheapest of T",
    "Of the cells within the study's limits: the best one, c-hat, and all that nothing separates from it are tied; the "
    "cheapest of them is recommended. Stability is the share of resamples in which the rule says the same.",
)


@dataclass(frozen=True)
class Candidate:
    """A cell that may be recommended."""

    model: str
    method: str
    score: float  # primary metric, 0 to 1
    printed: str  # the score as the tables print it
    trainable: int  # parameters
    total: int  # parameters
    measured: Measured = field(default_factory=Measured)
    baseline: Literal["above", "level", "below"] | None = None  # where the interval of differences to it lies
    incomplete: str = ""  # which of its seeds are missing, in words
    cost_name: CostName = "trainable_parameters"

    @property
    def title(self) -> str:
        return f"{self.model} + {self.method}"

    @property
    def trainable_share(self) -> float:
        """Trainable share of the parameters, 0 to 1."""
        return self.trainable / self.total

    @property
    def price(self) -> float:
        """Cost of the cell by the study's measure of cost; infinite where it is not known."""
        value = {
            "trainable_parameters": self.trainable,
            "train_hours": self.measured.train_seconds,
            "train_gpu_memory": self.measured.train_memory_bytes,
            "train_flops": self.measured.train_flops,
            "saved_bytes": self.measured.saved_bytes,
            "prediction_seconds": self.measured.prediction_seconds,
            "prediction_memory": self.measured.prediction_memory_bytes,
            "latency": self.measured.latency_seconds,
        }[self.cost_name]
        return inf if value is None else value

    @property
    def cost(self) -> tuple[float, ...]:
        """Sort key of the cheapest cell: the study's cost, then what decides between cells of equal cost."""
        seconds = self.measured.train_seconds
        return (self.price, self.trainable, self.total, inf if seconds is None else seconds, -self.score)

    @property
    def price_in_words(self) -> str:
        """The cost as the predicate of a sentence about the cell: `trains 0.81% of its parameters`."""
        if self.cost_name == "trainable_parameters":
            return f"trains {fine_percent(self.trainable_share)} of its parameters"
        if self.price == inf:
            return "has a cost that is not known"
        return {
            "train_hours": f"trains in {duration(self.price)}",
            "train_gpu_memory": f"trains in {self.price / GIB:.3g} GiB",
            "saved_bytes": f"saves {self.price / 1e6:.3g} MB",
            "train_flops": f"trains with {self.price:.3g} floating-point operations",
            "prediction_seconds": f"predicts the test set in {duration(self.price)}",
            "prediction_memory": f"predicts in {self.price / GIB:.3g} GiB",
            "latency": f"answers in {duration(self.price)}",
        }[self.cost_name]


@dataclass(frozen=True)
class Recommendation:
    """A recommendation for one task, and the reasons for it."""

    chosen: Candidate | None  # None: no cell has a result
    tied: tuple[Candidate, ...]  # the best cell and those that nothing separates from it, the best first
    rationale: str
    stability: float | None  # share of the resamples that recommend the same cell; None without predictions
    notes: tuple[str, ...]  # cells that were left out, and why


def from_tests(
    candidates: Sequence[Candidate],
    scores: ResampledScores,
    metric: str,
    left_out: Sequence[str] = (),
    alpha: float = ALPHA,
) -> Recommendation:
    """Recommends by paired tests; `scores` has one row per candidate, in the order of `candidates`."""
    tests = compare_pairs(scores)
    again = separated_in_resamples(scores, tests, alpha)
    chosen = _choose(candidates, scores.point, tests.separated(alpha))[0]
    same = [
        _choose(candidates, point, separated)[0] == chosen
        for point, separated in zip(scores.resampled.T, again, strict=True)
    ]
    return recommend(candidates, scores.point, tests.separated(alpha), metric, float(np.mean(same)), left_out)


def from_printed(candidates: Sequence[Candidate], metric: str, left_out: Sequence[str] = ()) -> Recommendation:
    """Recommends by printed numbers alone: two cells are tied if they print the same."""
    printed = np.array([Decimal(candidate.printed.rstrip("%")) for candidate in candidates], dtype=object)
    separated = printed[:, None] != printed[None, :]
    return recommend(candidates, printed.astype(float), separated, metric, None, left_out, tested=False)


def recommend(
    candidates: Sequence[Candidate],
    point: np.ndarray,
    separated: np.ndarray,
    metric: str,
    stability: float | None = None,
    left_out: Sequence[str] = (),
    tested: bool = True,
) -> Recommendation:
    """Applies the rule to scores and to the pairs that are separated.

    Args:
        point: scores, [candidates].
        separated: whether two candidates are separated, [candidates, candidates].
        metric: name of the score in a sentence ("accuracy").
        left_out: cells that are not candidates, each with the reason.
        tested: whether tests separated the cells; the rationale must not claim more than a difference in print.
    """
    if not candidates:
        return Recommendation(None, (), "No cell has a result: nothing can be recommended.", None, tuple(left_out))
    chosen, tied = _choose(candidates, point, separated)
    best_first = sorted((int(i) for i in np.flatnonzero(tied)), key=lambda i: (-point[i], i))
    members = tuple(candidates[i] for i in best_first)
    rationale = _rationale(candidates[chosen], members, len(candidates), metric, tested)
    return Recommendation(candidates[chosen], members, rationale, stability, tuple(left_out))


def _choose(candidates: Sequence[Candidate], point: np.ndarray, separated: np.ndarray) -> tuple[int, np.ndarray]:
    """(number of the recommended candidate, whether each candidate is in the tied set)"""
    tied = tied_with_best(point, separated)
    return min((int(i) for i in np.flatnonzero(tied)), key=lambda i: (*candidates[i].cost, i)), tied


def _rationale(chosen: Candidate, tied: Sequence[Candidate], count: int, metric: str, tested: bool) -> str:
    """The reason for the recommendation, as a sentence made of the numbers."""
    best, others = tied[0], len(tied) - 1
    trains = chosen.price_in_words
    if count == 1:
        text = f"The only cell with a result ({metric} {chosen.printed}); {trains}"
    elif others == 0:
        how = "separated from" if tested else "in print above"
        text = f"Best {metric} ({chosen.printed}), {how} {_others(count - 1, all_of_them=True)}; {trains}"
    elif len(tied) == count:
        text = f"No clear winner: nothing separates the {number_word(count)} cells. The cheapest {trains}"
        if chosen is not best:
            text += f" ({metric} {chosen.printed}; the best is {best.title}, {best.printed})"
    elif chosen is best:
        text = f"Best {metric} ({chosen.printed}); ties with {_others(others)} and is the cheapest of them: {trains}"
    else:
        text = f"Ties with the best ({best.title}, {metric} {best.printed}"
        same = chosen.printed == best.printed
        text += ")" if same else f"; here {chosen.printed})"
        text += f" and {trains}{_compared(chosen, best)}"
    if chosen.baseline == "level":
        text += ". It is not separated from the trivial baseline"
    elif chosen.baseline == "below":
        text += ". It is below the trivial baseline"
    if chosen.incomplete:
        text += f". Not all of its seeds count: {chosen.incomplete}"
    return text + "."


def _compared(chosen: Candidate, best: Candidate) -> str:
    if chosen.price == best.price:
        return ", as much as the best"
    if inf in (chosen.price, best.price) or not best.price:
        return ""
    what = "of what the best trains" if chosen.cost_name == "trainable_parameters" else "of what the best takes"
    return f", {fine_percent(chosen.price / best.price)} {what}"


def _others(count: int, all_of_them: bool = False) -> str:
    if count == 1:
        return "the only other cell" if all_of_them else "one other cell"
    if all_of_them:
        return "both others" if count == 2 else f"all {number_word(count)} others"
    return f"{number_word(count)} others"
