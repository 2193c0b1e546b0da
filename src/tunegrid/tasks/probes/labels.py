"""Probes of tasks with labels: how much the word changes the probability of a label.

The design is that of the Equity Evaluation Corpus (Kiritchenko and Mohammad 2018): sentences that say the same of two
groups of people, which a sentiment classifier should score the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tunegrid.common.fields import did_you_mean
from tunegrid.tasks.base import Task
from tunegrid.tasks.probes.base import ProbeModel, ProbePair, ProbeSet, Scored
from tunegrid.tasks.probes.templates import OneTextTemplates


class LabelSet(ProbeSet):
    """A set whose score is the probability of a label for both texts of each pair."""

    label: str = Field(description="The label whose probability is the score.")

    @property
    def measure(self) -> str:
        return f"probability of “{self.label}”"

    def unfit(self, task: Task) -> str | None:
        labels = task.labels()
        if labels is None or len(task.source_columns) != 1:
            return "probes of labels are for tasks that choose a label for one text"
        if self.label not in labels:
            return f"label: {self.label!r} is no label of the task. {did_you_mean(self.label, labels)}"
        return None

    def score(self, task: Task, model: ProbeModel, pairs: Sequence[ProbePair]) -> Scored:
        labels = task.labels()
        rows = [row for pair in pairs for row in pair.rows]
        chosen = model.choose(rows, [task.word(name) for name in labels])
        return Scored(chosen[:, labels.index(self.label)].reshape(-1, 2))


class LabelProbes(LabelSet, OneTextTemplates):
    """Texts for a task that chooses among labels."""

    kind: Literal["labels"]
