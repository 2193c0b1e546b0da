"""The report's section on learning from preferences: reward models, and runs against those that they started from."""

from __future__ import annotations

from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import listed
from tunegrid.methods import METHODS
from tunegrid.report.cost_words import operations
from tunegrid.report.layout import Column, Figure, Section, Table, plain_table, right
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, cell_of, where
from tunegrid.results.expected import Expected, Named
from tunegrid.results.statistics.intervals import CONFIDENCE

CHANCE = 0.5  # share of the pairs that who knows nothing orders rightly


def section(frames: Frames, expected: Expected, figures: tuple[Figure, ...] = ()) -> Section | None:
    """The section; None for a study in which nothing learns from preferences."""
    if not (len(frames["rewards"]) or len(frames["observations"])):
        return None
    text = [
        "These methods start from the run of another method with the same seed (SFT) and learn which of two answers is "
        "preferred: DPO from the pairs, PPO from a reward model of the pairs."
    ]
    if len(frames["rewards"]):
        text.append(
            "A reward model is measured on pairs that it never saw. Rewards are in standard deviations of the rewards "
            "of validation answers. Its calibration error is the mean distance between the probability that it gives "
            "the answer it prefers and the share of such answers that were the preferred ones."
        )
    if len(frames["preferences"]):
        text.append(
            "Two judges compare the answers to the test rows with those of SFT: the reward model, which PPO was "
            "trained to please and which can be fooled, and the task's own score of an answer. A method that wins by "
            "the one and loses by the other is over-optimised: it writes for the judge. Ties count half."
        )
        ranked = [Titles(expected).methods[name] for name in dict.fromkeys(method for *_, method in expected.ranked)]
        text.append(
            "The task's own score had no part in the training of these methods, nor in that of their reward models."
            if not ranked
            else f"The task's own score ranked the pairs from which {listed(ranked)} learned: by it they are judged by "
            "what they were trained to raise, and a gain says nothing about other scores."
        )
    tables = (make(frames, expected) for make in (_rewards, _judged, _operations, _last))
    return Section("Learning from preferences", tuple(text), tuple(filter(None, tables)), figures)


def samplers(expected: Expected) -> list[Named]:
    """The methods whose training samples answers: their loss is none of the task's."""
    return [method for method in expected.methods if method.kind in METHODS and METHODS[method.kind].samples]


def warnings(frames: Frames, expected: Expected) -> list[str]:
    """Sentences for page one: reward models that are no judges, and cells that win by the reward model alone."""
    found = frames["preferences"]
    titles, texts = Titles(expected), []
    for row in frames["rewards"].itertuples():
        if not absent(row.accuracy_low) and row.accuracy_low <= CHANCE:
            of = f"{titles.models[row.model]} on {titles.tasks[row.task]}"
            texts.append(
                f"The reward model {row.reward_model} with {of} is not shown to be more than chance: it is right in "
                f"{_accuracy(row)} of {digits.count(row.test_pairs)} held-out pairs. What was trained to please it has "
                "learned nothing that is preferred."
            )
    for row in where(found, judge="reward").itertuples():
        metric = where(found, task=row.task, model=row.model, method=row.method, judge="metric")
        if row.difference_low > 0 and (metric["difference_high"] < 0).any():
            texts.append(
                f"Over-optimised: {titles.methods[row.method]} with {titles.models[row.model]} on "
                f"{titles.tasks[row.task]} gets a higher mean reward from its reward model than its start does, and "
                "scores lower by the task's own score of an answer."
            )
    return texts


def _rewards(frames: Frames, expected: Expected) -> Table | None:
    if not len(frames["rewards"]):
        return None
    titles, rows = Titles(expected), []
    for row in frames["rewards"].itertuples():
        cells = [titles.tasks[row.task], titles.models[row.model], row.reward_model]
        if row.status != "ok":
            rows.append([*cells, row.status, *[DASH] * 4])
            continue
        numbers = (_accuracy(row), f"{row.test_loss:.3f}", f"{row.calibration_error:.3f}")
        rows.append([*cells, digits.count(row.test_pairs), *numbers, digits.seconds(row.optimisation_seconds)])
    columns = [Column("Task"), MODEL, Column("Reward model")]
    columns += right("Pairs", "Accuracy", "Loss", "Calibration error", "Training, s")
    caption = (
        "Reward models on held-out pairs: in how many the preferred answer gets the higher reward (50% is chance) with "
        f"{CONFIDENCE} intervals (Wilson 1927), the Bradley-Terry loss (0.693 is chance), the calibration error, and "
        "the seconds of training."
    )
    return plain_table("reward-models", caption, columns, rows)


def _accuracy(row: Any) -> str:
    if absent(row.accuracy_low):
        return digits.percent(row.accuracy)
    low, high = digits.percent(row.accuracy_low), digits.percent(row.accuracy_high)
    return f"{digits.percent(row.accuracy)} ({low} to {high})"


def _judged(frames: Frames, expected: Expected) -> Table | None:
    found = frames["preferences"]
    if not len(found):
        return None
    titles, rows = Titles(expected), []
    for row in found.itertuples():
        task = next(task for task in expected.tasks if task.name == row.task)
        by = f"reward model {row.reward_model}" if row.judge == "reward" else f"{task.judge[0].title} of an answer"
        if row.judge == "metric" and (row.task, row.model, row.method) in expected.ranked:
            by += ", which ranked its pairs"
        name = f"{titles.methods[row.method]} against {titles.methods[row.start]}"
        low, high = digits.percent(row.win_rate_low), digits.percent(row.win_rate_high)
        rate = f"{digits.percent(row.win_rate)} ({low} to {high})"
        difference = f"{row.difference:+.3f} ({row.difference_low:+.3f} to {row.difference_high:+.3f})"
        rows.append([f"{titles.tasks[row.task]}, {titles.models[row.model]}", name, by, rate, difference])
    columns = [Column("Task, model"), METHOD, Column("Judge"), *right("Win rate", "Difference")]
    caption = (
        "Answers to the test rows against those of SFT, by two judges: the win rate (50%: no better, no worse) and the "
        "mean difference, in standard deviations of the reward or in the score of an answer, from 0 to 1, with "
        f"{CONFIDENCE} intervals over test rows" + (" and seeds." if len(expected.seeds) > 1 else ", of this one seed.")
    )
    return plain_table("preferences", caption, columns, rows)


def _operations(frames: Frames, expected: Expected) -> Table | None:
    """What the runs compute in training, beside those that they start from."""
    rows = []
    for task in expected.tasks:
        for model, method in expected.grid(task):
            start, name = expected.judged.get((task.name, model.name, method.name), (None, None))
            if start is None:
                continue
            own, before = (cell_of(frames["costs"], task, model.name, each) for each in (method.name, start))
            first, whole = (runs["training_flops"].mean() for runs in (before, own))
            forward = own["forward_flops"].mean()
            # A reward model that only judges has no part in the training.
            learnt = METHODS[method.kind].samples
            rewards = where(frames["rewards"], task=task.name, model=model.name, reward_model=name)
            reward = rewards["training_flops"].sum() if learnt else 0.0
            ratio = (whole + reward) / first
            rows.append(
                [
                    f"{task.title}, {model.title}",
                    method.title,
                    *map(operations, (first, whole - forward, forward)),
                    operations(reward) if learnt else DASH,
                    DASH if absent(ratio) else f"{ratio:.1f}",
                ]
            )
    if not rows:
        return None
    heads = ("SFT", "Updates", "Forward passes", "Reward model", "Times SFT")
    columns = [Column("Task, model"), METHOD, *right(*heads)]
    caption = (
        "Operations of training, means over seeds: of the run that a method starts from (SFT), of its own updates, of "
        "the forward passes beside them (answers that are sampled, what SFT and the reward model say of answers), of "
        "the training of the reward model that it learns from, and all but SFT's in multiples of SFT's."
    )
    return plain_table("preference-operations", caption, columns, rows)


def _last(frames: Frames, expected: Expected) -> Table | None:
    found: Any = frames["observations"]
    if not len(found):
        return None
    titles, rows = Titles(expected), []
    for (task, model, method, seed), points in found.groupby(["task", "model", "method", "seed"], sort=False):
        metric = next(one for one in expected.tasks if one.name == task).primary
        name = f"{titles.tasks[task]}, {titles.models[model]}"
        ends = points.iloc[[0, -1]] if len(points) > 1 else points
        for number, (_, row) in enumerate(ends.iterrows()):
            values = [
                _number(row["reward"], "+.3f"), _number(row["kl"], ".3f"), _number(row["length"], ".1f"),
                DASH if absent(row["score"]) else metric.text(row["score"]),
                digits.percent(row["pair_accuracy"]), _number(row["pair_margin"], "+.3f"),
            ]  # fmt: skip
            run = [titles.methods[method], f"{seed:.0f}"] if number == 0 else ["", ""]
            rows.append([name, *run, f"{row['step']:.0f}", *values])
    heads = ("Seed", "Step", "Reward", "KL", "Tokens", "Metric", "Pairs right", "Margin")
    columns = [Column("Task, model"), METHOD, *right(*heads)]
    caption = (
        "What each run came to on validation rows, at its first and at its last evaluation: the mean reward of sampled "
        "answers, their divergence from SFT in nats per answer, their tokens; the task's metric of its usual decoding; "
        "the share of validation pairs in the right order and their mean margin, by DPO's own reward. All evaluations "
        "are in observations.csv."
    )
    return plain_table("observations", caption, columns, rows)


def _number(value: Any, form: str) -> str:
    return DASH if absent(value) else format(value, form)
