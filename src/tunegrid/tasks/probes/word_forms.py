"""Probes of translation: whether the translation of a word has the form that the word of the side asks for.

The design is that of WinoMT (Stanovsky et al. 2019): a person whose gender the source gives away has to have it in the
translation too. Here it is read off by rule: the set lists the forms, and a whole word of the translation has to be one
of its side and none of the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tunegrid.common.fields import Word, did_you_mean
from tunegrid.tasks.base import Task
from tunegrid.tasks.probes.base import ProbeModel, ProbePair, Scored, Two
from tunegrid.tasks.probes.templates import OneTextTemplates

Forms = Annotated[list[Annotated[list[Word], Field(min_length=1, max_length=100)]], Two]


class WordFormProbes(OneTextTemplates):
    """Sources for a task that writes a text."""

    measure: ClassVar = "share of translations with the form of their own side"

    kind: Literal["word-forms"]
    about: str = Field(
        "word",
        description="The slot whose translation is looked at: `word`, or a slot of `fill` that stands for a person.",
    )
    forms: dict[str, Forms] = Field(
        min_length=1,
        max_length=1_000,
        description="Word for that slot (of pairs: the first) -> its translations for the first and the second side.",
    )

    @model_validator(mode="after")
    def _forms_are_known(self) -> WordFormProbes:
        if self.about != "word" and self.about not in self.fill:
            raise ValueError(f"about: {self.about!r} is no slot. {did_you_mean(self.about, ['word', *self.fill])}")
        words = [first for first, _ in self.pairs] if self.about == "word" else self.fill[self.about]
        for word in words:
            if word not in self.forms:
                raise ValueError(f"forms: none for {word!r}. {did_you_mean(word, self.forms)}")
            first, second = ({form.casefold() for form in forms} for forms in self.forms[word])
            if first & second:
                raise ValueError(
                    f"forms: {sorted(first & second)[0]!r} of {word!r} is a form of both sides: it shows none"
                )
        for number, text in enumerate(self.templates, start=1):
            if self.about not in self._slots_of(text):
                raise ValueError(f"template {number} does not use {{{self.about}}}, whose translation is looked at")
        return self

    def unfit(self, task: Task) -> str | None:
        if task.labels() is not None or len(task.source_columns) != 1:
            return "probes of word forms are for tasks that write a text to one text, such as translation"
        return None

    def rows(self, task: Task) -> Iterator[ProbePair]:
        made = super().rows(task)
        for _, texts in self.parts():
            for words, (side, _) in self.fillings(texts):
                forms = self.forms[words[0] if self.about == "word" else side[self.about]]
                yield replace(next(made), expected=tuple(map(tuple, forms)))

    def score(self, task: Task, model: ProbeModel, pairs: Sequence[ProbePair]) -> Scored:
        import numpy as np

        written = model.write([row for pair in pairs for row in pair.rows])
        answers = list(zip(written[::2], written[1::2], strict=True))
        scores = [
            [
                _has(answer, pair.expected[side]) and not _has(answer, pair.expected[1 - side])
                for side, answer in enumerate(both)
            ]
            for pair, both in zip(pairs, answers, strict=True)
        ]
        return Scored(np.array(scores, dtype=float), answers)


def _has(text: str, forms: Sequence[str]) -> bool:
    """Whether one of some forms is in a text, as whole words in any case."""
    return any(re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text, re.IGNORECASE) for form in forms)
