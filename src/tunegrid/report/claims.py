"""What the paper's section 5.3 says about tuning techniques, in short, and what the results of a study say to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tunegrid.common.digits import absent
from tunegrid.common.words import plural
from tunegrid.report.instruction import held_out_side
from tunegrid.report.tables import Frames, cell_of
from tunegrid.results.expected import Expected

MARGIN = 1.1  # seconds differ by this factor before they count: clocks are no better
SHARE = 2 / 3
# Techniques that may train, and save, all weights too: the paper compares full fine-tuning with those that do not.
WHOLE = {"instruction", "dpo", "ppo"}
OUTCOMES = ("supported", "not supported", "not tested")
RULE = (
    "The rule: a claim about scores is held against every pair of cells of one task and model that it speaks of, and "
    "counts where the paired test separates them; a claim about costs against every such pair, or every cell, by means "
    f"over seeds (seconds have to differ by {100 * (MARGIN - 1):.0f}%). RLHF takes much computation where it and its "
    "reward model compute more than the tuning that it starts from. A claim about tasks that were held out is held "
    "against the interval of the difference to the untuned model, one about what is kept of pretraining against the "
    "pretraining loss, where the study measures them. Supported: two thirds of them or more count for the "
    "claim. Not supported: fewer do. Not tested: the study has nothing that could tell."
)

Counts = tuple[int, int, int]  # for the claim, against it, held against it in all


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes:
        section: where the paper says it.
        kind: what it is about, a value of `Named.technique`.
        text: what is said, in short.
        test: what the results say; None: they can say nothing.
        unit: what is counted.
        retention: whether it is about what is kept of pretraining.
    """

    section: str
    kind: str
    text: str
    test: Callable[[Cells, str], Counts] | None = None
    unit: str = "pair"
    retention: bool = False


@dataclass(frozen=True)
class Verdict:
    claim: Claim
    outcome: str  # of OUTCOMES
    evidence: str


class Cells:
    """The cells of a study by kind of method, their costs and the tests between them."""

    def __init__(self, frames: Frames, expected: Expected) -> None:
        self.expected, self.costs, self.pairs = expected, frames["costs"], frames["pairs"]
        self.preferences, self.rewards = frames.get("preferences"), frames.get("rewards")
        self.instruction = frames.get("instruction")
        self.forgetting, self.forgetting_pairs = frames.get("forgetting"), frames.get("forgetting_pairs")

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

    def cost(self, task: Any, model: str, method: str, name: str) -> float:
        """Mean of a column of costs over the seeds of a cell; NaN where it is not known."""
        runs = cell_of(self.costs, task, model, method)
        return runs[runs["status"] == "ok"][name].mean()

    def difference(self, task: Any, model: str, first: str, second: str) -> float | None:
        """Score of the first less that of the second; 0 where no test separates them; None where none was made."""
        own = self.pairs[self.pairs["task"] == task.name]
        for row in own.itertuples():
            ends = ((row.first_model, row.first_method), (row.second_model, row.second_method))
            if set(ends) == {(model, first), (model, second)} and not absent(row.difference):
                sign = 1 if ends[0] == (model, first) else -1
                return sign * row.difference if row.separated else 0.0
        return None


def higher_scores(other: str | None = None, sign: int = 1) -> Callable[[Cells, str], Counts]:
    """The kind scores higher (`sign` -1: lower) than other methods, or than those of one kind."""

    def test(cells: Cells, kind: str) -> Counts:
        differences = [cells.difference(*pair) for pair in cells.beside(kind, other)]
        known = [sign * value for value in differences if value is not None]
        return sum(value > 0 for value in known), sum(value < 0 for value in known), len(known)

    return test


def compared_cost(name: str, other: str | None, low: float, high: float) -> Callable[[Cells, str], Counts]:
    """The kind's cost is between `low` and `high` times that of other methods, or of those of one kind."""

    def test(cells: Cells, kind: str) -> Counts:
        ratios = []
        for task, model, first, second in cells.beside(kind, other):
            values = cells.cost(task, model, first, name), cells.cost(task, model, second, name)
            if not any(map(absent, values)) and values[1] > 0:
                ratios.append(values[0] / values[1])
        held = sum(low <= ratio <= high for ratio in ratios)
        return held, len(ratios) - held, len(ratios)

    return test


def share_within(low: float, high: float) -> Callable[[Cells, str], Counts]:
    """The trained share of all parameters is between two numbers, in every cell of the kind."""

    def test(cells: Cells, kind: str) -> Counts:
        shares = [cells.cost(*cell, "trainable_share") for cell in cells.of_kind(kind)]
        known = [share for share in shares if not absent(share)]
        held = sum(low <= share <= high for share in known)
        return held, len(known) - held, len(known)

    return test


def forgets(cells: Cells, kind: str) -> Counts:
    """The pretraining loss on held-out text rises by tuning: its interval is above 0, in cells of the kind."""
    if cells.forgetting is None:
        return 0, 0, 0
    rows = [row for cell in cells.of_kind(kind) for row in cell_of(cells.forgetting, *cell).itertuples()]
    known = [row for row in rows if not absent(row.change_low)]
    return sum(row.change_low > 0 for row in known), sum(row.change_high < 0 for row in known), len(known)


def keeps(cells: Cells, kind: str) -> Counts:
    """The pretraining loss on held-out text is lower than after full fine-tuning of the same model on the same task."""
    if cells.forgetting_pairs is None:
        return 0, 0, 0
    known = []
    for task, model, first, second in cells.beside(kind, "full"):
        table = cells.forgetting_pairs
        for row in table[(table["task"] == task.name) & (table["model"] == model)].itertuples():
            if {row.first_method, row.second_method} == {first, second}:
                sign = 1 if row.first_method == first else -1
                known.append(sign * row.difference if row.separated else 0.0)
    return sum(value < 0 for value in known), sum(value > 0 for value in known), len(known)


def over_optimised(cells: Cells, kind: str) -> Counts:
    """The reward model finds a cell's answers better than those of its start, the task's own score finds them worse."""
    if cells.preferences is None:
        return 0, 0, 0
    table, held, total = cells.preferences, 0, 0
    for task, model, method in cells.of_kind(kind):
        judged = {row.judge: row for row in cell_of(table, task, model, method).itertuples()}
        if {"reward", "metric"} <= judged.keys():
            total += 1
            held += judged["reward"].difference_low > 0 and judged["metric"].difference_high < 0
    return int(held), total - int(held), total


def computes_more_than_its_start(cells: Cells, kind: str) -> Counts:
    """A cell and its reward model compute more in training than the run that the cell starts from did."""
    if cells.rewards is None:
        return 0, 0, 0
    known = []
    for task, model, method in cells.of_kind(kind):
        start, name = cells.expected.judged.get((task.name, model, method), (None, None))
        rewards = cells.rewards[(cells.rewards["task"] == task.name) & (cells.rewards["model"] == model)]
        reward = rewards.loc[rewards["reward_model"] == name, "training_flops"].sum(min_count=1)
        own, before = (cells.cost(task, model, each, "training_flops") for each in (method, start))
        if not any(map(absent, (reward, own, before))):
            known.append(own + reward > before)
    return sum(known), len(known) - sum(known), len(known)


def answers_held_out_tasks(cells: Cells, kind: str) -> Counts:
    """On a task that was held out a cell scores above the untuned model, however that is asked."""
    if cells.instruction is None:
        return 0, 0, 0
    held, against, total = 0, 0, 0
    for cell in cells.of_kind(kind):
        rows = cell_of(cells.instruction, *cell)
        for row in rows[~rows["in_mixture"].astype(bool)].itertuples():
            side = held_out_side(row)
            held, against, total = held + (side == "above"), against + (side == "below"), total + 1
    return held, against, total


MORE, MOST = 1.0 + 1e-9, float("inf")
CLAIMS = (
    Claim("5.3.1.1", "full", "scores highest of all", higher_scores()),
    Claim("5.3.1.2", "full", "takes the most memory to train", compared_cost("peak_memory_bytes", None, MORE, MOST)),
    Claim("5.3.1.2", "full", "takes the most computation to train",
          compared_cost("training_flops", None, MORE, MOST)),
    Claim("5.3.1.2", "full", "saves the most bytes, a copy of all weights",
          compared_cost("saved_bytes", None, MORE, MOST)),
    Claim("5.3.1.2", "full", "forgets what was learned in pretraining", forgets, "cell", retention=True),
    Claim("5.3.1.2", "full", "overfits small data sets more than others"),
    Claim("5.3.2.1", "adapters", "trains 1 to 4% of the parameters", share_within(0.01, 0.04), "cell"),
    Claim("5.3.2.1", "adapters", "keeps what was learned in pretraining", keeps, retention=True),
    Claim("5.3.2.2", "adapters", "scores below full fine-tuning", higher_scores("full", -1)),
    Claim("5.3.2.2", "adapters", "computes more to predict",
          compared_cost("deployed_inference_flops", "full", MORE, MOST)),
    Claim("5.3.2.2", "adapters", "is slower to predict, but little",
          compared_cost("deployed_latency_seconds", "full", 1.0, 1.25)),
    Claim("5.3.3.1", "lora", "trains less than 1% of the parameters", share_within(0.0, 0.01), "cell"),
    Claim("5.3.3.1", "lora", "takes less memory to train than full fine-tuning",
          compared_cost("peak_memory_bytes", "full", 0.0, 1 - 1e-9)),
    Claim("5.3.3.1", "lora", "computes no more to predict than the base, once merged",
          compared_cost("deployed_inference_flops", "full", 0.0, 1.001)),
    Claim("5.3.3.1", "lora", "keeps what was learned in pretraining", keeps, retention=True),
    Claim("5.3.3.2", "lora", "scores below full fine-tuning", higher_scores("full", -1)),
    Claim("5.3.3.2", "lora", "depends on a rank that is chosen well"),
    Claim("5.3.4.1", "prefix", "trains 0.1 to 1% of the parameters", share_within(0.001, 0.01), "cell"),
    Claim("5.3.4.1", "prefix", "is as fast to predict as the base",
          compared_cost("deployed_latency_seconds", "full", 0.0, MARGIN)),
    Claim("5.3.4.1", "prefix", "keeps what was learned in pretraining", keeps, retention=True),
    Claim("5.3.4.2", "prefix", "leaves less room for the source"),
    Claim("5.3.4.2", "prefix", "scores below full fine-tuning", higher_scores("full", -1)),
    Claim("5.3.5.1", "prompt", "trains less than 0.1% of the parameters", share_within(0.0, 0.001), "cell"),
    Claim("5.3.5.1", "prompt", "saves the fewest bytes", compared_cost("saved_bytes", None, 0.0, 1 - 1e-9)),
    Claim("5.3.5.1", "prompt", "keeps what was learned in pretraining", keeps, retention=True),
    Claim("5.3.5.2", "prompt", "leaves less room for the source"),
    Claim("5.3.5.2", "prompt", "needs a learning rate and a length that are chosen well"),
    Claim("5.3.5.2", "prompt", "scores below full fine-tuning", higher_scores("full", -1)),
    Claim("5.3.6.1", "instruction", "answers tasks that it was not trained on", answers_held_out_tasks, "cell"),
    Claim("5.3.6.2", "instruction", "takes as much computation to train as full fine-tuning",
          compared_cost("training_flops", "full", 0.9, MOST)),
    Claim("5.3.6.2", "instruction", "depends on how an instruction is worded"),
    Claim("5.3.6.3", "instruction", "scores below a model that is tuned on the task alone", higher_scores("full", -1)),
    Claim("5.3.7.2", "ppo", "takes much computation for the reward model and for the tuning",
          computes_more_than_its_start, "cell"),
    Claim("5.3.7.2", "ppo", "finds weaknesses of its reward model", over_optimised, "cell"),
    Claim("5.3.7.2", "ppo", "is unstable to train"),
)  # fmt: skip


def verdicts(frames: Frames, expected: Expected) -> Iterator[Verdict]:
    """The verdict on each claim, in the order of the paper."""
    cells = Cells(frames, expected)
    for claim in CLAIMS:
        held, against, total = claim.test(cells, claim.kind) if claim.test else (0, 0, 0)
        if not total:
            has = any(True for _ in cells.of_kind(claim.kind))
            yield Verdict(claim, OUTCOMES[2], "not measured here" if has or claim.test is None else "not in this study")
            continue
        undecided = total - held - against
        evidence = f"{held} of {plural(total, claim.unit)} for it, {against} against"
        evidence += f", {undecided} not separated" if undecided else ""
        yield Verdict(claim, OUTCOMES[0] if held >= SHARE * total else OUTCOMES[1], evidence)
