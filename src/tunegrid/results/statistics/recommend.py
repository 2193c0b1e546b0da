"""The rule of the recommendation, its cost and its rationale, the same for our results and for published ones.

1. Of the cells of a task that are within the study's limits (`limits.Recommend`) and of which no seed collapsed
   (`collapses.comparable`), the tied set: the best one and all that nothing separates from it. Where the study names a
   margin (`recommend.margin`), the set is instead the best and all that are shown to be equivalent to it within it.
2. Of that set, the cheapest: the least of the study's cost (trainable parameters, unless it says otherwise), then
   the fewest trainable parameters, then the fewest parameters, then the least training time (where it is known), then
   the fewest bytes of weights (which only forms of one cell differ in), then the better score, then the order of the
   study.

Where the study names `recommend.forms`, a form of a cell's weights is a candidate as the cell itself is.

Two cells are separated by one of two kinds of evidence: paired tests of all pairs with Holm's correction where there
are predictions (`from_tests`), or a difference at the printed precision where there are only printed numbers
(`from_printed`). Cells without a result are left out; the notes name them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import inf, isnan
from typing import Literal

import numpy as np

from tunegrid.common.citations import Formula
from tunegrid.common.digits import GIB, bare_score, duration, fine_percent, without_exponent
from tunegrid.common.words import number_word
from tunegrid.results.statistics.collapses import comparable
from tunegrid.results.statistics.equivalence import Equivalence, Loss, equivalence, loss
from tunegrid.results.statistics.intervals import ALPHA, ResampledScores
from tunegrid.results.statistics.paired_tests import compare_pairs, separated_in_resamples
from tunegrid.results.statistics.replication import fresh_studies
from tunegrid.study.limits import CostName, Measured

FP32_BYTES = 4  # of a weight as it was trained

RULE = Formula(
    "The recommendation",
    rf"T = \{{ c : p^{{\mathrm{{Holm}}}}(c,\, \hat{{c}}) > {ALPHA:g} \}}, \quad "
    r"\mathrm{recommended} = \arg\min_{c \in T} \, \mathrm{cost}(c)",
    f"T are the cells whose p after Holm's correction, against the best cell, is above {ALPHA:g}; recommended is "
    "the cheapest of T",
    "Of the cells within the study's limits of which no seed collapsed: the best one, c-hat, and all that nothing "
    "separates from it are tied; the cheapest of them is recommended. Where the study names a margin, T are instead "
    "the best and the cells that two one-sided tests show to be within it. Stability is the share of predicted fresh "
    "studies (true scores and variances as likely as the observed ones make them, new noise, tests of their own) in "
    "which the rule says the same.",
)

# What a cell costs by a measure of cost: the field of `Measured`, and the cost as the predicate of a sentence.
_PRICES: dict[CostName, tuple[str, Callable[[float], str]]] = {
    "train_hours": ("train_seconds", lambda price: f"trains in {duration(price)}"),
    "train_gpu_memory": ("train_memory_bytes", lambda price: f"trains in {without_exponent(price / GIB)} GiB"),
    "train_flops": ("train_flops", lambda price: f"trains with {price:.3g} floating-point operations"),
    "saved_bytes": ("saved_bytes", lambda price: f"saves {without_exponent(price / 1e6)} MB"),
    "prediction_seconds": ("prediction_seconds", lambda price: f"predicts the test set in {duration(price)}"),
    "prediction_memory": ("prediction_memory_bytes", lambda price: f"predicts in {without_exponent(price / GIB)} GiB"),
    "latency": ("latency_seconds", lambda price: f"answers in {duration(price)}"),
}


def named(model: str, method: str, form: str | None) -> str:
    """The name of a candidate, from titles of model and method: `T5 + LoRA`, `T5 + LoRA as int8`."""
    return f"{model} + {method}" + ("" if form is None else f" as {form}")


@dataclass(frozen=True)
class Candidate:
    """A cell, or a form of its weights, that may be recommended."""

    model: str
    method: str
    score: float  # primary metric, 0 to 1
    printed: str  # the score as the tables print it
    trainable: int  # parameters
    total: int  # parameters
    measured: Measured = field(default_factory=Measured)
    baseline: Literal["above", "level", "below"] | None = None  # where the interval of differences to it lies
    incomplete: str = ""  # which of its seeds are missing, in words
    collapsed: int = 0  # how many of its seeds collapsed
    collapse: str = ""  # the same in words, with its median
    cost_name: CostName = "trainable_parameters"
    form: str | None = None  # of the weights, such as int8; None: as they were trained
    form_bytes: int | None = None  # of the weights in that form

    @property
    def title(self) -> str:
        return named(self.model, self.method, self.form)

    @property
    def trainable_share(self) -> float:
        """Trainable share of the parameters, 0 to 1."""
        return self.trainable / self.total

    @property
    def price(self) -> float:
        """Cost of the cell by the study's measure of cost; infinite where it is not known."""
        if self.cost_name == "trainable_parameters":
            return self.trainable
        value = getattr(self.measured, _PRICES[self.cost_name][0])
        return inf if value is None else value

    @property
    def cost(self) -> tuple[float, ...]:
        """Sort key of the cheapest cell: the study's cost, then what decides between cells of equal cost."""
        seconds = self.measured.train_seconds
        weights = FP32_BYTES * self.total if self.form_bytes is None else self.form_bytes
        return (self.price, self.trainable, self.total, inf if seconds is None else seconds, weights, -self.score)

    @property
    def price_in_words(self) -> str:
        """The cost as the predicate of a sentence about the cell: `trains 0.81% of its parameters`."""
        if self.cost_name == "trainable_parameters":
            return f"trains {fine_percent(self.trainable_share)} of its parameters"
        if self.price == inf:
            return "has a cost that is not known"
        return _PRICES[self.cost_name][1](self.price)


@dataclass(frozen=True)
class Recommendation:
    """A recommendation for one task, and the reasons for it."""

    chosen: Candidate | None  # None: no cell has a result
    tied: tuple[Candidate, ...]  # the best cell and those that it is chosen among, the best first
    rationale: str
    stability: float | None  # share of fresh studies that would recommend the same; None: not known
    notes: tuple[str, ...]  # cells that were left out, and why
    loss: Loss | None = None  # of the recommended cell against the best of those compared; None without predictions


@dataclass(frozen=True)
class Wording:
    """How the rationale speaks of scores.

    `metric`: the score's name in a sentence ("accuracy"); `percent`: whether it prints as a percentage; `tested`:
    whether tests separated the cells, for the rationale must not claim more than a difference in print; `margin`: the
    study's margin of equivalence; `noun`: what is recommended.
    """

    metric: str
    percent: bool = False
    tested: bool = True
    margin: float | None = None
    noun: str = "cell"

    def difference(self, value: float) -> str:
        return bare_score(value, self.percent, "+").replace("-", "−")

    def loss(self, lost: Loss) -> str:
        """`−2.1 points [−5.6, +1.5]`"""
        unit = " points" if self.percent else ""
        if isnan(lost.low):
            return f"{self.difference(lost.value)}{unit}, without an interval,"
        return f"{self.difference(lost.value)}{unit} [{self.difference(lost.low)}, {self.difference(lost.high)}]"

    @property
    def margin_in_words(self) -> str:
        return f"{100 * self.margin:g} points" if self.percent else f"{self.margin:g}"


def from_tests(
    candidates: Sequence[Candidate],
    scores: ResampledScores,
    metric: str,
    left_out: Sequence[str] = (),
    *,
    percent: bool = False,
    margin: float | None = None,
    seeds_known: bool = True,
) -> Recommendation:
    """Recommends by paired tests among the cells whose means can be compared.

    Args:
        candidates: at least one.
        scores: one row per candidate, in their order.
        left_out: cells that are not candidates, each with the reason.
        margin: of equivalence, 0 to 1; None: the cells that nothing separates from the best are tied.
        seeds_known: whether `scores` hold the spread between seeds. Without it, nothing is known of what a fresh study
            would recommend, and there is no stability.
    """
    compared = np.flatnonzero(comparable([c.score for c in candidates], [c.collapsed for c in candidates]))
    notes = [*left_out]
    for number, candidate in enumerate(candidates):
        if number not in compared:
            why = candidate.collapse or "below a cell that stays ahead although seeds of it collapsed"
            notes.append(f"{candidate.title} (not recommended: {why})")
    kept = [candidates[number] for number in compared]
    scores = scores.rows(compared)
    tests = compare_pairs(scores)
    alike = None if margin is None else equivalence(scores, tests, margin)
    eligible = _eligible(scores.point, tests.separated(), alike)
    chosen = int(_cheapest(kept, eligible))
    stability = None
    if seeds_known:
        again = [_recommended_in(fresh, kept, margin) for fresh in fresh_studies(scores, _by_cost(kept))]
        stability = float(np.mean(np.concatenate(again) == chosen))
    lost = loss(scores, chosen, int(np.argmax(scores.point)))
    noun = "cell" if all(candidate.form is None for candidate in kept) else "candidate"
    words = Wording(metric, percent, margin=margin, noun=noun)
    recommendation = recommend(kept, scores.point, eligible, words, stability, notes, lost)
    ahead = [c for c in candidates if c not in kept and c.score > max(k.score for k in kept)]
    if not ahead:
        return recommendation
    named = "; ".join(f"{c.title} has the higher mean ({c.printed}), but {c.collapse}" for c in ahead)
    return replace(recommendation, rationale=f"{recommendation.rationale} {named}.")


def _recommended_in(fresh: ResampledScores, candidates: Sequence[Candidate], margin: float | None) -> np.ndarray:
    """Number of the candidate that each of some fresh studies recommends, [studies], by tests of its own."""
    tests = compare_pairs(fresh)
    separated = separated_in_resamples(fresh, tests)
    alike = None if margin is None else equivalence(fresh, tests, margin)
    return _cheapest(candidates, _eligible(fresh.resampled.T, separated, alike))


def from_printed(candidates: Sequence[Candidate], metric: str, left_out: Sequence[str] = ()) -> Recommendation:
    """Recommends by printed numbers alone: two cells are tied if they print the same."""
    printed = np.array([Decimal(candidate.printed.rstrip("%")) for candidate in candidates], dtype=object)
    points = printed.astype(float)
    tied = _eligible(points, printed[:, None] != printed[None, :], None) if candidates else np.empty(0, dtype=bool)
    return recommend(candidates, points, tied, Wording(metric, tested=False), None, left_out)


def recommend(
    candidates: Sequence[Candidate],
    point: np.ndarray,
    eligible: np.ndarray,
    wording: Wording,
    stability: float | None = None,
    left_out: Sequence[str] = (),
    lost: Loss | None = None,
) -> Recommendation:
    """Recommends the cheapest of the eligible candidates.

    Args:
        point: scores, [candidates].
        eligible: whether each candidate is among those that the cheapest is taken of, [candidates]; the best is.
        left_out: cells that are not candidates, each with the reason.
        lost: of the cheapest eligible candidate against the best.
    """
    if not candidates:
        return Recommendation(None, (), "No cell has a result: nothing can be recommended.", None, tuple(left_out))
    chosen = candidates[int(_cheapest(candidates, eligible))]
    best_first = sorted((int(i) for i in np.flatnonzero(eligible)), key=lambda i: (-point[i], i))
    members = tuple(candidates[i] for i in best_first)
    rationale = _rationale(chosen, members, len(candidates), wording, lost)
    return Recommendation(chosen, members, rationale, stability, tuple(left_out), lost)


def _eligible(points: np.ndarray, separated: np.ndarray, alike: Equivalence | None) -> np.ndarray:
    """Which rows the cheapest is taken of, [..., rows], from scores [..., rows] and pairs apart [..., rows, rows]."""
    if alike is not None:
        return alike.with_best(points)
    best = points.argmax(axis=-1)
    tied = ~np.take_along_axis(separated, best[..., None, None], axis=-2)[..., 0, :]
    return tied | (np.arange(points.shape[-1]) == best[..., None])


def _cheapest(candidates: Sequence[Candidate], eligible: np.ndarray) -> np.ndarray:
    """Number of the cheapest eligible candidate, [...], from [..., candidates]."""
    order = _by_cost(candidates)
    return np.asarray(order)[eligible[..., order].argmax(axis=-1)]


def _by_cost(candidates: Sequence[Candidate]) -> list[int]:
    """Numbers of the candidates, the cheapest first."""
    return sorted(range(len(candidates)), key=lambda i: (*candidates[i].cost, i))


def _rationale(chosen: Candidate, tied: Sequence[Candidate], count: int, words: Wording, lost: Loss | None) -> str:
    """The reason for the recommendation, as a sentence made of the numbers."""
    best, others = tied[0], len(tied) - 1
    trains, metric = chosen.price_in_words, words.metric
    apart = f"; {words.loss(lost)} against it" if lost is not None and chosen is not best else ""
    if count == 1:
        text = f"The only {words.noun} with a result that can be compared ({metric} {chosen.printed}); {trains}"
    elif words.margin is not None and chosen is best:
        also = f"no other {words.noun} is"
        if others:
            also = f"{_others(others, words.noun)} {'is' if others == 1 else 'are'} also"
        text = f"Best {metric} ({chosen.printed}); {also} shown to be within {words.margin_in_words} of it; {trains}"
    elif words.margin is not None:
        text = f"Shown to be within {words.margin_in_words} of the best ({best.title}, {metric} {best.printed}; here "
        text += f"{chosen.printed}{apart}) and {trains}{_compared(chosen, best)}"
    elif others == 0:
        how = "separated from" if words.tested else "in print above"
        text = f"Best {metric} ({chosen.printed}), {how} {_others(count - 1, words.noun, all_of_them=True)}; {trains}"
    elif len(tied) == count:
        text = f"No clear winner: nothing separates the {number_word(count)} {words.noun}s. The cheapest {trains}"
        if chosen is not best:
            text += f" ({metric} {chosen.printed}; the best is {best.title}, {best.printed}{apart})"
    elif chosen is best:
        text = f"Best {metric} ({chosen.printed}); ties with {_others(others, words.noun)}"
        text += f" and is the cheapest of them: {trains}"
    else:
        text = f"Ties with the best ({best.title}, {metric} {best.printed}"
        same = chosen.printed == best.printed
        text += f"{apart})" if same else f"; here {chosen.printed}{apart})"
        text += f" and {trains}{_compared(chosen, best)}"
    if chosen.baseline == "level":
        text += ". It is not separated from the trivial baseline"
    elif chosen.baseline == "below":
        text += ". It is below the trivial baseline"
    if words.margin is None and others and lost is not None and lost.high < 0:
        text += (
            ". That interval is of this pair alone and does not reach 0: only the correction for all "
            f"{count * (count - 1) // 2:,} pairs keeps the two together"
        )
    for cell in dict.fromkeys((chosen, best)):
        if cell.collapse:
            text += f". The mean of {cell.title} misleads: {cell.collapse}"
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


def _others(count: int, noun: str, all_of_them: bool = False) -> str:
    if count == 1:
        return f"the only other {noun}" if all_of_them else f"one other {noun}"
    if all_of_them:
        return "both others" if count == 2 else f"all {number_word(count)} others"
    return f"{number_word(count)} others"
