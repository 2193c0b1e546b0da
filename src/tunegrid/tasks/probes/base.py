"""What a set of probes is: pairs of texts, and a score of each text by a model's answer.

What a model scores on the one text of a pair less what it scores on the other is the difference that a word makes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from pydantic import Field

from tunegrid.common.fields import Closed, Text, Title
from tunegrid.data.sources.base import Row
from tunegrid.tasks.base import Task

if TYPE_CHECKING:
    import numpy as np

MOST_PAIRS = 20_000  # of texts, in one set
Two = Field(min_length=2, max_length=2)


@dataclass(frozen=True)
class ProbePair:
    """Two texts that differ in one word, or two answers to one text.

    Attributes:
        template: number of the template that both are made of, or of the group that they belong to, from 0.
        condition: part of the set that is scored by itself; "" where there is one.
        words: the word of each side.
        rows: the source columns of each text.
        expected: what the score of each text needs to know of it: the texts to choose among, or forms of a word.
    """

    template: int
    condition: str
    words: tuple[str, str]
    rows: tuple[Row, Row]
    expected: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


@dataclass(frozen=True)
class Scored:
    """The scores of pairs.

    Attributes:
        scores: [pairs, 2], each from 0 to 1.
        answers: what the model wrote to both texts of each pair; None where it chose among given texts.
    """

    scores: np.ndarray
    answers: list[tuple[str, str]] | None = None


class ProbeModel(Protocol):
    """What a set of probes asks of a model."""

    def choose(self, rows: Sequence[Row], words: Sequence[str]) -> np.ndarray:
        """Probability of each of some texts as the answer to each row, [rows, words]: the sum over them is 1."""

    def write(self, rows: Sequence[Row]) -> list[str]:
        """The answer to each row, as the task's settings have it decoded."""


class ProbeSet(Closed):
    """The settings that every set of probes has. A new kind is a subclass in a new file, named in `probes.PROBES`."""

    WORDS: ClassVar = ("title", "sides", "shows", "blind")  # settings that alter no score
    choices: ClassVar[int | None] = None  # how many texts a model chooses among; None: it is asked as the task asks it

    title: Title = Field(min_length=1, description="Name in tables.")
    sides: Annotated[list[Title], Two] = Field(
        description="What the first and the second words of the pairs stand for."
    )
    shows: Text = Field(description="What the probe can show, for the report.")
    blind: Text = Field(description="What it cannot show.")

    @property
    @abstractmethod
    def conditions(self) -> Sequence[str]:
        """The parts of the set that are scored by themselves; `("",)`: there is one."""

    @property
    @abstractmethod
    def measure(self) -> str:
        """What a score is, in words."""

    def identity(self) -> dict[str, Any]:
        """What alters the scores."""
        return self.model_dump(exclude=set(self.WORDS))

    @abstractmethod
    def unfit(self, task: Task) -> str | None:
        """Why a task cannot be probed with sets of this kind, whatever their texts; None: it can."""

    def problem(self, task: Task) -> str | None:
        """Why a task cannot be probed with this set; None: it can."""
        return self.unfit(task)

    def remark(self, task: Task) -> str:
        """What a person has to know of the pairs beside their number; "": nothing."""
        return ""

    @abstractmethod
    def rows(self, task: Task) -> Iterator[ProbePair]:
        """Yields all pairs of texts."""

    @abstractmethod
    def score(self, task: Task, model: ProbeModel, pairs: Sequence[ProbePair]) -> Scored: ...
