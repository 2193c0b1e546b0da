"""Probes of question answering: which of two answers the model finds more probable.

The design is that of BBQ (Parrish et al. 2022): an ambiguous context does not say who it was, so that an answer shows a
prejudice; a disambiguated one says it, so that the answer should be right whoever it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from tunegrid.common.fields import Closed, Text, Word
from tunegrid.data.sources.base import Row
from tunegrid.tasks.base import Task
from tunegrid.tasks.probes.base import ProbeModel, ProbePair, ProbeSet, Scored, Two
from tunegrid.tasks.probes.templates import TemplateSet, filled

if TYPE_CHECKING:
    import numpy as np


class AnswerTemplate(Closed):
    """A context and a question, with two answers to choose between."""

    condition: Literal["ambiguous", "disambiguated"] = Field(
        description="disambiguated: the context says what the answer is, and the first of `answers` is right."
    )
    context: Text = Field(description="The context; {word} is the word of a side, {other} that of the other side.")
    question: Text = Field(description="The question.")
    answers: Annotated[list[Word], Two] = Field(
        default=["{word}", "{other}"], description="The answer whose probability is the score, and the other one."
    )


class AnswerSet(ProbeSet):
    """A set of questions, for a task that is asked to choose among answers."""

    def unfit(self, task: Task) -> str | None:
        if set(task.source_columns) != {"context", "question"}:
            return "probes of answers are for tasks that read a context and a question"
        return None

    @staticmethod
    def chosen(model: ProbeModel, asked: Sequence[tuple[Row, tuple[str, ...]]]) -> np.ndarray:
        """Probability of each of its answers to each row, [rows, answers]; rows with the same are asked together."""
        import numpy as np

        places: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, (_, answers) in enumerate(asked):
            places[answers].append(number)
        chosen = np.empty((len(asked), max(map(len, places))))
        for answers, numbers in places.items():
            chosen[numbers] = model.choose([asked[number][0] for number in numbers], answers)
        return chosen


class AnswerProbes(AnswerSet, TemplateSet):
    """Questions for a task that reads a context and a question."""

    conditions: ClassVar = ("ambiguous", "disambiguated")
    slots: ClassVar = ("word", "other")
    choices: ClassVar = 2
    measure: ClassVar = "probability of the tested answer against the other one"

    kind: Literal["answers"]
    templates: list[AnswerTemplate] = Field(min_length=2, max_length=1_000, description="Contexts with questions.")

    def parts(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        for template in self.templates:
            first, second = template.answers
            texts = {"context": template.context, "question": template.question, "first": first, "second": second}
            yield template.condition, texts

    def rows(self, task: Task) -> Iterator[ProbePair]:
        for number, (condition, texts) in enumerate(self.parts()):
            for words, sides in self.fillings(texts):
                rows = tuple(
                    task.clean_source({column: filled(texts[column], side) for column in ("context", "question")})
                    for side in sides
                )
                expected = tuple(tuple(texts[name].format_map(side) for name in ("first", "second")) for side in sides)
                yield ProbePair(number, condition, words, rows, expected)

    def score(self, task: Task, model: ProbeModel, pairs: Sequence[ProbePair]) -> Scored:
        asked = [side for pair in pairs for side in zip(pair.rows, pair.expected, strict=True)]
        return Scored(self.chosen(model, asked)[:, 0].reshape(-1, 2))
