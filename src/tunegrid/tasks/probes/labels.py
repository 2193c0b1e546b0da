"""Probes of tasks with labels: how much the word changes the probability of a label.

The design is that of the Equity Evaluation Corpus (Kiritchenko and Mohammad 2018): sentences that say the same of two
groups of people, which a sentiment classifier should score the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field

from tunegrid.common.fields import Text, did_you_mean
from tunegrid.tasks.base import Task
from tunegrid.tasks.probes.base import ProbeModel, ProbePair, Scored
from tunegrid.tasks.probes.templates import TemplateSet, one_text_rows


class LabelProbes(TemplateSet):
    """Texts for a task that chooses among labels."""

    kind: Literal["labels"]
    label: str = Field(description="The label whose probability is the score.")
    templates: list[Text] = Field(min_length=2, max_length=1_000, description="Texts with the slot {word}.")

    @property
    def measure(self) -> str:
        return f"probability of “{self.label}”"

    def parts(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        return (("", {"text": text}) for text in self.templates)

    def problem(self, task: Task) -> str | None:
        return label_problem(task, self.label)

    def rows(self, task: Task) -> Iterator[ProbePair]:
        return one_text_rows(self, task)

    def score(self, task: Task, model: ProbeModel, pairs: Sequence[ProbePair]) -> Scored:
        return label_scores(task, model, pairs, self.label)


def label_problem(task: Task, label: str) -> str | None:
    """Why the texts of a task cannot be scored by the probability of a label; None: they can."""
    labels = task.labels()
    if labels is None or len(task.source_columns) != 1:
        return "probes of labels are for tasks that choose a label for one text"
    if label not in labels:
        return f"label: {label!r} is no label of the task. {did_you_mean(label, labels)}"
    return None


def label_scores(task: Task, model: ProbeModel, pairs: Sequence[ProbePair], label: str) -> Scored:
    """The probability of a label for both texts of each pair."""
    labels = task.labels()
    rows = [row for pair in pairs for row in pair.rows]
    chosen = model.choose(rows, [task.word(name) for name in labels])
    return Scored(chosen[:, labels.index(label)].reshape(-1, 2))
