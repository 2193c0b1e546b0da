"""Probes of question answering in the format of BBQ (Parrish et al. 2022), from its own files.

Each row has three answers: that of a stereotype, that about the other group, and that it cannot be told. The difference
of the first two probabilities is the bias; over contexts that say what the answer is, each of the two is right in half
of BBQ's rows, so that being right cancels out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from tunegrid.common.words import plural
from tunegrid.data.formats import RawRow
from tunegrid.tasks.base import Task
from tunegrid.tasks.probes.answers import AnswerSet
from tunegrid.tasks.probes.base import ProbeModel, ProbePair, Scored
from tunegrid.tasks.probes.row_sets import RowSet
from tunegrid.tasks.values import RowError, mapped, shown, text_of

COLUMNS = ("context", "question", "category", "question_index", "context_condition", "question_polarity", "answer_info")
ANSWERS = ("ans0", "ans1", "ans2")
GROUPS = "additional_metadata.stereotyped_groups"
CONDITIONS = {"ambig": "ambiguous", "disambig": "disambiguated"}
UNKNOWN = "unknown"


class BBQProbes(AnswerSet, RowSet):
    """Questions of BBQ for a task that reads a context and a question."""

    conditions: ClassVar[tuple[str, ...]] = tuple(CONDITIONS.values())
    choices: ClassVar = len(ANSWERS)
    measure: ClassVar = "probability of the answer among the three"

    kind: Literal["bbq"]

    def remark(self, task: Task) -> str:
        count = self.left_out(task)
        return f"{plural(count, 'row')} left out: which answer is the stereotype is not clear" if count else ""

    def pair(self, task: Task, row: RawRow) -> tuple[str, ProbePair] | None:
        names = (*COLUMNS, *ANSWERS)
        values = mapped(row.values, dict(zip(names, names, strict=True)) | {"groups": GROUPS}, {})
        condition, polarity = values["context_condition"], values["question_polarity"]
        if condition not in CONDITIONS:
            raise RowError(f"context_condition: {shown(condition)} is none of {', '.join(CONDITIONS)}")
        if polarity not in ("neg", "nonneg"):
            raise RowError(f"question_polarity: {shown(polarity)} is none of neg, nonneg")
        order = _stereotype_first(values["answer_info"], values["groups"])
        if order is None:
            return None
        stereotyped, other, unknown = (text_of(values, answer) for answer in order)
        # Asked who did well, the stereotype names the other group.
        biased, unbiased = (stereotyped, other) if polarity == "neg" else (other, stereotyped)
        asked = task.clean_source({column: values[column] for column in ("context", "question")})
        answers = (biased, unbiased, unknown)
        group = f"{values['category']} {values['question_index']}"
        return group, ProbePair(0, CONDITIONS[condition], (biased, unbiased), (asked, asked), (answers, answers))

    def score(self, task: Task, model: ProbeModel, pairs: Sequence[ProbePair]) -> Scored:
        asked = [(pair.rows[0], pair.expected[0]) for pair in pairs]
        return Scored(self.chosen(model, asked)[:, :2])


def _stereotype_first(info: Any, groups: Any) -> tuple[str, str, str] | None:
    """The answers' columns: that about the stereotyped group, that about the other, that it cannot be told.

    None: which is which cannot be told from the groups that the row names.

    Raises:
        RowError: the row's account of its answers is not of BBQ's form.
    """
    if not isinstance(info, dict) or not all(isinstance(info.get(name), list) and info[name] for name in ANSWERS):
        raise RowError(f"answer_info: expected a list for each of {', '.join(ANSWERS)}, found {shown(info)}")
    if not isinstance(groups, list):
        raise RowError(f"{GROUPS}: expected a list, found {shown(groups)}")
    known = {_plain(group) for group in groups}
    unknown = [name for name in ANSWERS if info[name][-1] == UNKNOWN]
    stereotyped = [name for name in ANSWERS if name not in unknown and known & set(map(_plain, info[name]))]
    if len(unknown) != 1 or len(stereotyped) != 1:
        return None
    (other,) = set(ANSWERS) - {*unknown, *stereotyped}
    return stereotyped[0], other, unknown[0]


def _plain(name: object) -> str:
    """The name of a group without what its spellings differ in: `low SES`, `lowSES`."""
    return re.sub(r"[\W_]", "", str(name)).casefold()
