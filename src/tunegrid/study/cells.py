"""Cells and runs: what a study is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

UNTUNED = "untuned"
MIXTURES = "mixtures"  # the folder of what is trained on several tasks at once


@dataclass(frozen=True, order=True)
class Cell:
    """A task, a model and a method. A cell has one training job per seed."""

    task: str
    model: str
    method: str

    def __str__(self) -> str:
        return f"{self.task}_{self.model}_{self.method}"

    @property
    def path(self) -> str:
        """The name of the cell in paths."""
        return f"{self.task}/{self.model}/{self.method}"

    @property
    def training_rule(self) -> str:
        """The name of the cell's training rule."""
        return f"train_{self}"

    @property
    def target(self) -> str:
        """The name of the rule that runs all seeds of the cell: a rule with a wildcard cannot be a target."""
        return f"cell_{self}"

    @property
    def names(self) -> dict[str, Any]:
        """What the records of the cell say of themselves: task, model and method."""
        return {"task": self.task, "model": self.model, "method": self.method}


@dataclass(frozen=True, order=True)
class MixtureCell(Cell):
    """A model that one method tunes on a mixture of tasks: one training for the cells of all tasks."""

    @classmethod
    def of(cls, model: str, method: str) -> MixtureCell:
        return cls(MIXTURES, model, method)

    def __str__(self) -> str:
        return f"mixture_{self.model}_{self.method}"

    @property
    def path(self) -> str:
        return f"{MIXTURES}/runs/{self.model}/{self.method}"

    @property
    def training_rule(self) -> str:
        return "train_mixture"


@dataclass(frozen=True)
class Run:
    """A cell with a seed.

    Attributes:
        seed: a number, or the wildcard that stands for it in a rule of the workflow.
        variant: another form of the same weights, such as a compressed one; None: the weights as they were trained.
    """

    cell: Cell
    seed: int | str
    variant: str | None = None

    @property
    def path(self) -> str:
        """The name of the run in paths, its variant's within it."""
        variant = "" if self.variant is None else f"/variants/{self.variant}"
        return f"{self.cell.path}/seed-{self.seed}{variant}"

    @property
    def names(self) -> dict[str, Any]:
        """What the records of the run say of themselves: task, model, method and seed."""
        return self.cell.names | {"seed": self.seed}
