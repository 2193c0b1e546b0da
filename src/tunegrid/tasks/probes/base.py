"""What a set of probes is: templates, pairs of words that stand in them, and a score of each text by a model's answer.

The two texts of a pair differ in one word. What a model scores on the one less what it scores on the other is the
difference that the word makes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from string import Formatter
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

from pydantic import Field, field_validator, model_validator

from tunegrid.common.fields import Closed, Text, Title, Word, did_you_mean
from tunegrid.data.sources.base import Row
from tunegrid.tasks.base import Task

if TYPE_CHECKING:
    import numpy as np

MOST_PAIRS = 20_000  # of texts, in one set
Two = Field(min_length=2, max_length=2)


@dataclass(frozen=True)
class ProbePair:
    """Two texts that differ in one word.

    Attributes:
        template: number of the template that both are made of, from 0.
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

    conditions: ClassVar[tuple[str, ...]] = ("",)
    slots: ClassVar[tuple[str, ...]] = ("word",)  # that a template may name beside those of `fill`

    title: Title = Field(min_length=1, description="Name in tables.")
    sides: Annotated[list[Title], Two] = Field(
        description="What the first and the second words of the pairs stand for."
    )
    pairs: list[Annotated[list[Word], Two]] = Field(
        min_length=1, max_length=1_000, description="Pairs of words for the slot {word}, one of each side."
    )
    fill: dict[str, Annotated[list[Word], Field(min_length=1, max_length=1_000)]] = Field(
        default_factory=dict,
        max_length=10,
        description="Further slot -> words for it; a template is made with every combination of those that it names.",
    )
    shows: Text = Field(description="What the probe can show, for the report.")
    blind: Text = Field(description="What it cannot show.")

    @field_validator("pairs")
    @classmethod
    def _words_differ(cls, pairs: list[list[str]]) -> list[list[str]]:
        for first, second in pairs:
            if first == second:
                raise ValueError(f"{first!r} stands on both sides of a pair, so that nothing would differ")
        return pairs

    @field_validator("fill")
    @classmethod
    def _slots_are_free(cls, fill: dict[str, list[str]]) -> dict[str, list[str]]:
        for slot in fill:
            if slot in cls.slots or not slot.isidentifier():
                raise ValueError(
                    f"{slot!r} is no name for a slot: {{{'}, {'.join(cls.slots)}}} are taken, others words"
                )
        return fill

    @model_validator(mode="after")
    def _templates_fit(self) -> ProbeSet:
        unused = set(self.fill)
        counts = dict.fromkeys(self.conditions, 0)
        for number, (condition, texts) in enumerate(self.parts(), start=1):
            named = {slot for text in texts.values() for slot in self._slots_of(text)}
            if "word" not in named:
                raise ValueError(
                    f"template {number} does not use {{word}}, so that the texts of a pair would not differ"
                )
            unused -= named
            counts[condition] += 1
        if unused:
            raise ValueError(f"no template uses {{{sorted(unused)[0]}}}, which `fill` has words for")
        for condition, count in counts.items():
            if count == 1:
                of_it = f" that are {condition}" if condition else ""
                raise ValueError(f"one template{of_it}: two are needed, as intervals are drawn over templates")
        if (total := sum(self._sizes())) > MOST_PAIRS:
            raise ValueError(f"makes {total:,} pairs of texts; {MOST_PAIRS:,} at most")
        return self

    @property
    @abstractmethod
    def measure(self) -> str:
        """What a score is, in words."""

    @abstractmethod
    def parts(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yields the condition and the texts of each template, by the name of what they are of the task's row."""

    @abstractmethod
    def problem(self, task: Task) -> str | None:
        """Why a task cannot be probed with this set; None: it can."""

    @abstractmethod
    def rows(self, task: Task) -> Iterator[ProbePair]:
        """Yields all pairs of texts, template by template."""

    @abstractmethod
    def score(self, task: Task, model: ProbeModel, pairs: Sequence[ProbePair]) -> Scored: ...

    def fillings(self, texts: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], tuple[dict[str, str], ...]]]:
        """Yields (the words of a pair, what stands in the slots of its two texts) for the texts of a template."""
        named = [slot for slot in self.fill if any(slot in self._slots_of(text) for text in texts.values())]
        for values in product(*(self.fill[slot] for slot in named)):
            filled = dict(zip(named, values, strict=True))
            for first, second in self.pairs:
                sides = ({"word": first, "other": second}, {"word": second, "other": first})
                yield (first, second), tuple(filled | side for side in sides)

    def _sizes(self) -> Iterator[int]:
        for _, texts in self.parts():
            named = {slot for text in texts.values() for slot in self._slots_of(text)} & self.fill.keys()
            yield len(self.pairs) * prod(len(self.fill[slot]) for slot in named)

    def _slots_of(self, text: str) -> set[str]:
        """The slots that a template names. Raises ValueError for one that is no template, or names an unknown slot."""
        known = (*self.slots, *self.fill)
        try:
            fields = [parts[1:] for parts in Formatter().parse(text) if parts[1] is not None]
        except ValueError as error:
            raise ValueError(f"not a valid template: {error} (found {text!r:.200})") from None
        for field, form, conversion in fields:
            if field not in known:
                raise ValueError(f"unknown slot: {field!r:.80}. {did_you_mean(field, known)} (found {text!r:.200})")
            if form or conversion:
                raise ValueError(f"a format or conversion: write {{{field}}} alone (found {text!r:.200})")
        return {field for field, *_ in fields}


def filled(text: str, words: Mapping[str, str]) -> str:
    """A template with its words, its first letter in upper case."""
    made = text.format_map(words)
    return made[:1].upper() + made[1:]


def one_text_rows(probes: ProbeSet, task: Task) -> Iterator[ProbePair]:
    """The pairs of a set whose templates are the only source column of a task."""
    (column,) = task.source_columns
    for number, (condition, texts) in enumerate(probes.parts()):
        for words, sides in probes.fillings(texts):
            rows = tuple(task.clean_source({column: filled(texts["text"], side)}) for side in sides)
            yield ProbePair(number, condition, words, rows)
