"""Preference pairs: a prompt, a chosen answer and a rejected one; from files, the Hub, a tuned model, or by a rule.

Rows of a source have `prompt`, `chosen` and `rejected`, or, without `prompt`, whole dialogues `chosen` and `rejected`
in the form of HH-RLHF (Bai et al. 2022, arXiv 2204.05862): turns that begin with "\\n\\nHuman:" and "\\n\\nAssistant:".
The answer is the last turn of the assistant, the prompt all before it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from tunegrid.common.fields import Closed, Name, Text
from tunegrid.data.formats import RawRow
from tunegrid.data.sources.base import DataSource, Row, RowLimits
from tunegrid.data.sources.files import FilesSource
from tunegrid.data.sources.hub import HubSource
from tunegrid.tasks.base import Task
from tunegrid.tasks.values import RowError, column_error, identifier_of, is_missing, mapped, text_of

COLUMNS = ("prompt", "chosen", "rejected")
ASSISTANT, HUMAN = "\n\nAssistant:", "\n\nHuman:"
DRAWS = 20  # corruptions of one answer that are tried until it is another one


class CorruptedAnswers(DataSource):
    """Pairs from a task's own rows: the reference is chosen, and rejected is what a stated rule makes of it."""

    kind: Literal["corrupted"]
    rule: Literal["replace", "drop", "swap", "other"] = Field(
        "replace",
        description="What is rejected. replace: words of the reference are replaced by words of other references; "
        "drop: words are left out; swap: neighbours change places; other: the reference of another row.",
    )
    share: float = Field(
        0.3, gt=0, le=1, description="Share of the words that the rule changes, one at least; `other` changes all."
    )
    rows: RowLimits = Field(default_factory=RowLimits, description="At most so many pairs per split.")

    def describe(self) -> str:
        words = "" if self.rule == "other" else f", {self.share:g} of the words"
        return f"the task's references, corrupted by the rule {self.rule}{words}, seed {self.seed}"

    def corrupt(self, answer: str, others: Sequence[str], generator: random.Random) -> str | None:
        """Another answer by the rule; None where none is found, as for an answer of one word that is to lose a word.

        Args:
            others: the references of all rows, from which words and answers are drawn.
        """
        for _ in range(DRAWS):
            changed = self._draw(answer, others, generator)
            if changed != answer and not is_missing(changed):
                return changed
        return None

    def _draw(self, answer: str, others: Sequence[str], generator: random.Random) -> str:
        if self.rule == "other":
            return generator.choice(others)
        words = answer.split()
        count = max(1, round(self.share * len(words)))
        if self.rule == "swap":
            for _ in range(count if len(words) > 1 else 0):
                place = generator.randrange(len(words) - 1)
                words[place : place + 2] = reversed(words[place : place + 2])
            return " ".join(words)
        chosen = set(generator.sample(range(len(words)), min(count, len(words))))
        if self.rule == "drop":
            return " ".join(word for place, word in enumerate(words) if place not in chosen)
        return " ".join(
            generator.choice(generator.choice(others).split() or [word]) if place in chosen else word
            for place, word in enumerate(words)
        )


class SampledAnswers(DataSource):
    """Pairs of answers that a tuned model samples to the task's own rows, ranked by a stated rule."""

    kind: Literal["sampled"]
    start: Name = Field(
        alias="from",
        description="A method of the grid: the run of the study's first seed of it, of each model, writes the answers.",
    )
    rule: Literal["best-worst", "reference"] = Field(
        "best-worst",
        description="best-worst: of the answers to a row, the one with the highest score of a single answer (chrF, "
        "exact match, …) is preferred to the one with the lowest; reference: the reference is preferred to the latter.",
    )
    samples: int = Field(4, ge=2, le=64, description="Answers to each row.")
    rows: RowLimits = Field(default_factory=RowLimits, description="Answers to at most so many rows per split.")

    def describe(self) -> str:
        return (
            f"{self.samples} answers to each row sampled from {self.start}, by the rule {self.rule}, seed {self.seed}"
        )

    def pair(self, answers: Sequence[str], scores: Sequence[float], reference: str) -> tuple[str, str] | None:
        """(chosen, rejected) of the answers to a row; None where the rule prefers none."""
        worst = min(range(len(answers)), key=scores.__getitem__)
        if self.rule == "reference":
            return None if answers[worst] == reference else (reference, answers[worst])
        best = max(range(len(answers)), key=scores.__getitem__)
        return None if scores[best] == scores[worst] else (answers[best], answers[worst])


PairSource = Annotated[FilesSource | HubSource | CorruptedAnswers | SampledAnswers, Field(discriminator="kind")]


class Preferences(Closed):
    """Preference pairs: where they come from, and what a model reads of them."""

    columns: ClassVar = COLUMNS

    source: PairSource = Field(
        description="Files or a data set of the Hub with pairs, a rule on the task's rows, or answers of a tuned model."
    )
    template: Text = Field(
        "{prompt}",
        description="What a model reads, with `{prompt}` in it; of `corrupted` and `sampled` pairs it reads the task's "
        "own prompt.",
    )

    @field_validator("template")
    @classmethod
    def _names_the_prompt(cls, template: str) -> str:
        try:
            fields = [field[1:] for field in Formatter().parse(template) if field[1] is not None]
        except ValueError as error:
            raise ValueError(f"not a template: {error}. Write a brace that is text twice: {{{{ }}}}") from None
        if fields != [("prompt", "", None)] * max(1, len(fields)):
            raise ValueError("has to have {prompt} in it, and no other name in braces")
        return template

    @property
    def of_model(self) -> bool:
        """Whether each model of the study has pairs of its own."""
        return isinstance(self.source, SampledAnswers)

    def source_text(self, task: Task, family: str, pair: Row) -> str:
        """What the model reads of a pair."""
        return self.template.format(prompt=pair["prompt"]) if "prompt" in pair else task.source_text(pair, family)


@dataclass(frozen=True)
class PairRows:
    """Preference pairs as they were fetched: the rows of each split, and the settings by which a model reads them."""

    settings: Preferences
    rows: dict[str, list[Row]]


def pair_of(raw: RawRow, columns: Mapping[str, str | None]) -> Row:
    """The pair of a source's row: `id` ("" without one), `prompt`, `chosen`, `rejected`.

    Args:
        columns: canonical column -> column of the source, as far as the study names them.

    Raises:
        RowError: the row is no pair, with the reason.
    """
    if raw.problem:
        raise RowError(raw.problem)
    optional = {name: None for name in ("id", "prompt") if columns.get(name) is None}
    row = mapped(raw.values, {name: columns.get(name, name) for name in ("id", *COLUMNS)}, optional)
    chosen, rejected = (_kept(row, column) for column in ("chosen", "rejected"))
    if is_missing(row["prompt"]):
        (prompt, chosen), (other, rejected) = _last_turn(chosen, "chosen"), _last_turn(rejected, "rejected")
        if prompt != other:
            raise RowError(
                "columns chosen, rejected: the dialogues differ before the assistant's last turn, so that they answer "
                "different prompts",
                "rejected",
            )
        row["prompt"] = prompt
    pair = {"id": identifier_of(row, "id"), "prompt": text_of(row, "prompt")}
    pair |= {"chosen": text_of({"chosen": chosen}, "chosen"), "rejected": text_of({"rejected": rejected}, "rejected")}
    if pair["chosen"] == pair["rejected"]:
        raise RowError("columns chosen, rejected: the same answer twice, which prefers neither", "rejected")
    return pair


def _kept(row: Row, column: str) -> str:
    """The text of a column with the spaces around it: a dialogue begins with line breaks."""
    if isinstance(row[column], list | tuple) and all(isinstance(turn, Mapping) for turn in row[column]):
        raise column_error(
            column,
            "a list of messages; give the answer alone as text, and the messages before it as the text of `prompt`",
        )
    text_of(row, column)
    return row[column]


def _last_turn(dialogue: str, column: str) -> tuple[str, str]:
    """(all before the last turn of the assistant and its mark, that turn)."""
    before, mark, answer = dialogue.rpartition(ASSISTANT)
    if not mark:
        raise column_error(
            column,
            f"no turn of the assistant ({ASSISTANT!r}) and no column prompt: a row has either prompt, chosen and "
            "rejected, or whole dialogues. Name the prompt's column in the source's `columns`",
        )
    if HUMAN in answer:
        raise column_error(column, "the dialogue does not end with a turn of the assistant")
    return before + mark, answer


def corrupted_pairs(source: CorruptedAnswers, task: Task, rows: Sequence[Row], split: str) -> Iterator[Row]:
    """Pairs of a task's rows, in their order: the columns that a prompt names, `chosen`, `rejected`.

    Rows whose reference the rule cannot change are left out.
    """
    answers = [task.target_text(row) for row in rows]
    generator = random.Random(f"{source.seed} {split}")
    for row, answer in zip(rows, answers, strict=True):
        if (rejected := source.corrupt(answer, answers, generator)) is not None:
            columns: dict[str, Any] = {name: row[name] for name in task.source_columns}
            yield {"id": row["id"], **columns, "chosen": answer, "rejected": rejected}
