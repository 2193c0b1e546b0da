"""What counts for and against a claim of the paper's section 5.3 in the results of a study: the rules of `claims`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from statistics import NormalDist
from typing import Any, NamedTuple

from tunegrid.common.digits import absent
from tunegrid.report.instruction import held_out_side
from tunegrid.report.tables import Frames, cell_of, where
from tunegrid.results.expected import Expected
from tunegrid.results.statistics.intervals import ALPHA

# Seconds differ by this factor before they count, for clocks are no better; so do operations of prediction where those
# of one token are the same, for answers differ in length.
MARGIN = 1.1
# Techniques that may train, and save, all weights too: the paper compares full fine-tuning with those that do not.
WHOLE = {"instruction", "dpo", "ppo"}


class Counts(NamedTuple):
    """What a claim was held against; `note`: what else there is to say of it."""

    held: int  # for the claim
    against: int
    total: int
    note: str = ""


NOTHING = Counts(0, 0, 0)


def _of_signs(differences: Iterable[float]) -> Counts:
    """Counts differences above 0 for a claim, and those below against it."""
    known = list(differences)
    return Counts(sum(value > 0 for value in known), sum(value < 0 for value in known), len(known))


def _of_facts(facts: Iterable[bool], note: str = "") -> Counts:
    """Counts what is so for a claim, and what is not against it."""
    known = list(facts)
    held = int(sum(known))
    return Counts(held, len(known) - held, len(known), note)


class Cells:
    """The cells of a study by kind of method, with their rows in the tidy tables."""

    def __init__(self, frames: Frames, expected: Expected) -> None:
        self.expected, self.frames = expected, frames

    def rows(self, table: str, task: Any, model: str, method: str) -> Any:
        """Rows of a tidy table for one cell."""
        return cell_of(self.frames[table], task, model, method)

    def of_kind(self, kind: str) -> Iterator[tuple[Any, str, str]]:
        """(task, model, method) of the cells of a kind of method."""
        for task in self.expected.tasks:
            for model, method in self.expected.grid(task):
                if method.technique == kind:
                    yield task, model.name, method.name

    def beside(self, kind: str, other: str | None = None) -> Iterator[tuple[Any, str, str, str]]:
        """(task, model, method of the kind, another one); `other`: only methods of that kind, else none of `WHOLE`."""
        for task, model, method in self.of_kind(kind):
            for _, second in (pair for pair in self.expected.grid(task) if pair[0].name == model):
                known = second.technique not in WHOLE if other is None else second.technique == other
                if second.technique != kind and known:
                    yield task, model, method, second.name

    def variants(self, kind: str) -> Iterator[tuple[Any, str, str, str]]:
        """(task, model, two methods of the kind)."""
        for first, second in combinations(self.of_kind(kind), 2):
            if first[:2] == second[:2]:
                yield *first, second[2]

    def setting(self, task: Any, model: str, method: str, name: str) -> Any:
        """Value of a setting of a cell, None where it has no such setting."""
        return next(iter(where(self.rows("settings", task, model, method), setting=name)["value"]), None)

    def cost(self, task: Any, model: str, method: str, name: str) -> float:
        """Mean of a column of costs over the seeds of a cell; NaN where it is not known."""
        return where(self.rows("costs", task, model, method), status="ok")[name].mean()

    def difference(self, task: Any, model: str, first: str, second: str) -> float | None:
        """Score of the first less that of the second; 0 where no test separates them; None where none was made."""
        for row in where(self.frames["pairs"], task=task.name).itertuples():
            ends = ((row.first_model, row.first_method), (row.second_model, row.second_method))
            if set(ends) == {(model, first), (model, second)} and not absent(row.difference):
                sign = 1 if ends[0] == (model, first) else -1
                return sign * row.difference if row.separated else 0.0
        return None


Rule = Callable[[Cells, str], Counts]


def higher_scores(other: str | None = None, sign: int = 1) -> Rule:
    """The kind scores higher (`sign` -1: lower) than other methods, or than those of one kind."""

    def test(cells: Cells, kind: str) -> Counts:
        differences = [cells.difference(*pair) for pair in cells.beside(kind, other)]
        return _of_signs(sign * value for value in differences if value is not None)

    return test


def compared_cost(name: str, other: str | None, low: float, high: float) -> Rule:
    """The kind's cost is between `low` and `high` times that of other methods, or of those of one kind."""

    def test(cells: Cells, kind: str) -> Counts:
        ratios = []
        for task, model, first, second in cells.beside(kind, other):
            values = cells.cost(task, model, first, name), cells.cost(task, model, second, name)
            if not any(map(absent, values)) and values[1] > 0:
                ratios.append(values[0] / values[1])
        return _of_facts(low <= ratio <= high for ratio in ratios)

    return test


def share_within(low: float, high: float) -> Rule:
    """The trained share of all parameters is between two numbers, in every cell of the kind."""

    def test(cells: Cells, kind: str) -> Counts:
        shares = [cells.cost(*cell, "trainable_share") for cell in cells.of_kind(kind)]
        return _of_facts(low <= share <= high for share in shares if not absent(share))

    return test


def forgets(cells: Cells, kind: str) -> Counts:
    """The pretraining loss on held-out text rises by tuning: its interval is above 0, in cells of the kind."""
    rows = [row for cell in cells.of_kind(kind) for row in cells.rows("forgetting", *cell).itertuples()]
    known = [row for row in rows if not absent(row.change_low)]
    return Counts(sum(row.change_low > 0 for row in known), sum(row.change_high < 0 for row in known), len(known))


def keeps(cells: Cells, kind: str) -> Counts:
    """The pretraining loss on held-out text is lower than after full fine-tuning of the same model on the same task."""
    gains = []
    for task, model, first, second in cells.beside(kind, "full"):
        for row in where(cells.frames["forgetting_pairs"], task=task.name, model=model).itertuples():
            if {row.first_method, row.second_method} == {first, second}:
                sign = -1 if row.first_method == first else 1
                gains.append(sign * row.difference if row.separated else 0.0)
    return _of_signs(gains)


def over_optimised(cells: Cells, kind: str) -> Counts:
    """The reward model finds a cell's answers better than those of its start, the task's own score finds them worse."""
    known = []
    for cell in cells.of_kind(kind):
        judged = {row.judge: row for row in cells.rows("preferences", *cell).itertuples()}
        if {"reward", "metric"} <= judged.keys():
            known.append(judged["reward"].difference_low > 0 and judged["metric"].difference_high < 0)
    return _of_facts(known)


def computes_more_than_its_start(cells: Cells, kind: str) -> Counts:
    """A cell and its reward model compute more in training than the run that the cell starts from did."""
    known = []
    for task, model, method in cells.of_kind(kind):
        start, name = cells.expected.judged.get((task.name, model, method), (None, None))
        rewards = where(cells.frames["rewards"], task=task.name, model=model, reward_model=name)
        reward = rewards["training_flops"].sum(min_count=1)
        own, before = (cells.cost(task, model, each, "training_flops") for each in (method, start))
        if not any(map(absent, (reward, own, before))):
            known.append(own + reward > before)
    return _of_facts(known)


def answers_held_out_tasks(cells: Cells, kind: str) -> Counts:
    """On a task that was held out a cell scores above the untuned model, however that is asked."""
    known = [cells.rows("instruction", *cell) for cell in cells.of_kind(kind)]
    sides = [held_out_side(row) for rows in known for row in where(rows, in_mixture=False).itertuples()]
    return Counts(sides.count("above"), sides.count("below"), len(sides))


def depends_on(*settings: str) -> Rule:
    """Two cells of the kind that differ in one of these settings score differently: the paired test separates them."""

    def test(cells: Cells, kind: str) -> Counts:
        known = []
        for task, model, *pair in cells.variants(kind):
            first, second = ([cells.setting(task, model, method, name) for name in settings] for method in pair)
            difference = cells.difference(task, model, *pair)
            if first != second and difference is not None:
                known.append(difference != 0)
        return Counts(sum(known), 0, len(known))

    return test


def depends_on_wording(cells: Cells, kind: str) -> Counts:
    """A cell's answers differ between wordings by more than chance."""
    rows = [next(cells.rows("instruction", *cell).itertuples(), None) for cell in cells.of_kind(kind)]
    known = [row.wordings_p <= ALPHA for row in rows if row is not None and not absent(row.wordings_p)]
    return Counts(sum(known), 0, len(known))


def unstable(cells: Cells, kind: str) -> Counts:
    """A run diverges, collapses, or ends with less reward than it had; the note says how far scores spread."""
    known, spreads = [], []
    for task, model, method in cells.of_kind(kind):
        runs = where(cells.rows("results", task, model, method), primary=True)
        for run in runs[runs["status"].isin(["ok", "diverged"])].itertuples():
            points = where(cells.rows("observations", task, model, method), seed=run.seed)
            lost = _lost_reward(points.sort_values("step"))
            known.append(run.status == "diverged" or not absent(run.collapse) or lost)
        start, _ = cells.expected.judged.get((task.name, model, method), (None, None))
        spreads.append([_spread(cells, task, model, each) for each in (method, start)])
    ratios = [own / before for own, before in spreads if not absent(own) and not absent(before) and before > 0]
    note = f"scores of seeds spread {max(ratios):.1f} times as far as those of SFT" if ratios else ""
    return _of_facts(known, note)


def _lost_reward(points: Any) -> bool:
    """Whether the last mean reward is below an earlier one by more than noise (Bonferroni over the earlier ones)."""
    if len(points) < 2:
        return False
    *earlier, last = points.itertuples()
    limit = NormalDist().inv_cdf(1 - ALPHA / len(earlier))
    errors = [(point.reward_error**2 + last.reward_error**2) ** 0.5 for point in earlier]
    return any(point.reward - last.reward > limit * error for point, error in zip(earlier, errors, strict=True))


def _spread(cells: Cells, task: Any, model: str, method: str | None) -> float | None:
    """Standard deviation of a cell's primary metric over its seeds."""
    rows = where(cells.rows("cells", task, model, method), primary=True, kind="run")
    return next(iter(rows["sd"]), None)
