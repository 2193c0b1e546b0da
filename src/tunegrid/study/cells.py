"""Cells, runs, and the path of every artefact: nothing else in the project builds a path under `results/`."""

from dataclasses import dataclass

UNTUNED = "untuned"


@dataclass(frozen=True, order=True)
class Cell:
    """A task, a model and a method. A cell has one training job per seed."""

    task: str
    model: str
    method: str

    def __str__(self) -> str:
        return f"{self.task}_{self.model}_{self.method}"

    @property
    def training_rule(self) -> str:
        """The name of the cell's training rule."""
        return f"train_{self}"

    @property
    def target(self) -> str:
        """The name of the rule that runs all seeds of the cell: a rule with a wildcard cannot be a target."""
        return f"cell_{self}"


@dataclass(frozen=True, order=True)
class Run:
    """A cell with a seed."""

    cell: Cell
    seed: int
