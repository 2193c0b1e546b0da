"""Sets of probes that are made of templates, and of pairs of words that stand in them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from string import Formatter
from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator

from tunegrid.common.fields import Text, Word, did_you_mean
from tunegrid.tasks.base import Task
from tunegrid.tasks.probes.base import MOST_PAIRS, ProbePair, ProbeSet, Two


class TemplateSet(ProbeSet):
    """A set whose texts are made of templates and pairs of words."""

    conditions: ClassVar[tuple[str, ...]] = ("",)
    slots: ClassVar[tuple[str, ...]] = ("word",)  # that a template may name beside those of `fill`

    pairs: list[Annotated[list[Word], Two]] = Field(
        min_length=1, max_length=1_000, description="Pairs of words for the slot {word}, one of each side."
    )
    fill: dict[str, Annotated[list[Word], Field(min_length=1, max_length=1_000)]] = Field(
        default_factory=dict,
        max_length=10,
        description="Further slot -> words for it; a template is made with every combination of those that it names.",
    )

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
        unused, total = set(self.fill), 0
        counts = dict.fromkeys(self.conditions, 0)
        for number, (condition, texts) in enumerate(self.parts(), start=1):
            named = {slot for text in texts.values() for slot in self._slots_of(text)}
            if "word" not in named:
                raise ValueError(
                    f"template {number} does not use {{word}}, so that the texts of a pair would not differ"
                )
            unused -= named
            counts[condition] += 1
            total += len(self.pairs) * prod(len(words) for slot, words in self.fill.items() if slot in named)
        if unused:
            raise ValueError(f"no template uses {{{sorted(unused)[0]}}}, which `fill` has words for")
        for condition, count in counts.items():
            if count == 1:
                of_it = f" that are {condition}" if condition else ""
                raise ValueError(f"one template{of_it}: two are needed, as intervals are drawn over templates")
        if total > MOST_PAIRS:
            raise ValueError(f"makes {total:,} pairs of texts; {MOST_PAIRS:,} at most")
        return self

    @abstractmethod
    def parts(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yields the condition and the texts of each template, by the name of what they are of the task's row."""

    def fillings(self, texts: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], tuple[dict[str, str], ...]]]:
        """Yields (the words of a pair, what stands in the slots of its two texts) for the texts of a template."""
        named = [slot for slot in self.fill if any(slot in self._slots_of(text) for text in texts.values())]
        for values in product(*(self.fill[slot] for slot in named)):
            filled = dict(zip(named, values, strict=True))
            for first, second in self.pairs:
                sides = ({"word": first, "other": second}, {"word": second, "other": first})
                yield (first, second), tuple(filled | side for side in sides)

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


class OneTextTemplates(TemplateSet):
    """A set whose templates are the only source column of a task."""

    templates: list[Text] = Field(min_length=2, max_length=1_000, description="Texts with the slot {word}.")

    def parts(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        return (("", {"text": text}) for text in self.templates)

    def rows(self, task: Task) -> Iterator[ProbePair]:
        (column,) = task.source_columns
        for number, (condition, texts) in enumerate(self.parts()):
            for words, sides in self.fillings(texts):
                rows = tuple(task.clean_source({column: filled(texts["text"], side)}) for side in sides)
                yield ProbePair(number, condition, words, rows)
