"""The ceiling of a vocabulary: the scores of the test references themselves after encoding and decoding.

A model cannot write what its tokenizer has no tokens for: T5's vocabulary has no Ö, so that "Österreich" comes back as
"sterreich", and no T5 can ever give that answer. Nor can it write what is longer than the task's lengths allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tunegrid.common.fields import Closed, Count, MetricValue
from tunegrid.models.decoding import decode
from tunegrid.tasks.base import Row, Task
from tunegrid.tasks.label_words import LabelWord, label_words
from tunegrid.tasks.tokenise import as_text, encode, special_token_names
from tunegrid.tasks.unreadable import unreadable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHARACTERS = 20  # lost characters that a record names
SAMPLE = 1_000  # rows whose tokens per word are counted

Scores = dict[str, MetricValue]


class LostCharacter(Closed):
    """A character that a vocabulary does not have."""

    character: str = Field(min_length=1, max_length=1, description="The character.")
    rows: Count = Field(description="Test rows in which it is lost.")


class TextTokens(Closed):
    """How many tokens a vocabulary spends on the texts of the first test rows, special tokens left out."""

    texts: Count = Field(description="Texts that were counted.")
    words: Count = Field(description="Their words: what white space separates.")
    tokens: Count = Field(description="Their tokens.")


class CeilingRecord(Closed):
    """`ceiling.json`: what a model's vocabulary and the task's lengths allow it to score on the test set."""

    schema_version: Literal[1] = Field(default=1, description="Version of this schema.")
    examples: Count = Field(description="Test rows.")
    max_target_length: Count = Field(description="The task's setting that targets are cut to in training.")
    max_new_tokens: Count = Field(description="The task's setting that answers are cut to.")
    references: Scores = Field(
        description="Scores of the references as they are, by metric: below 1 where the metric has no value, or gives "
        "less than 1 even to the right answer."
    )
    written: Scores = Field(description="Scores of the references after encoding and decoding, by metric.")
    within_lengths: Scores = Field(
        description="The same, cut to the lengths: what a model can score that is trained and answers within them."
    )
    not_written: Count = Field(
        description="Test rows none of whose references comes back whole; white space may differ."
    )
    spacing_changed: Count = Field(
        description="Further rows that come back with other white space: line breaks, tabs, double blanks."
    )
    too_long: Count = Field(description="Test rows all of whose references are longer than the lengths allow.")
    longest_target: Count = Field(
        description="Tokens that the longest test row needs, with its shortest reference, special tokens left out."
    )
    lost_characters: list[LostCharacter] = Field(
        description="Characters that the references lose, the commonest first; at most 20."
    )
    unread: Count = Field(description="Test rows whose source has characters that the vocabulary does not have.")
    unread_characters: list[LostCharacter] = Field(description="These characters, the commonest first; at most 20.")
    source: TextTokens = Field(description="Tokens of the source columns, without the prompt.")
    target: TextTokens = Field(description="Tokens of the targets.")
    labels: list[LabelWord] = Field(description="The label words; none where the model generates its answers.")


@dataclass
class _Answers:
    """The best answers that a model can give to test rows, and an account of what they lost.

    Attributes:
        texts: one per row.
        cut_texts: the same, cut to the task's lengths.
        lost: in how many rows a character is lost.
    """

    texts: list[str] = field(default_factory=list)
    cut_texts: list[str] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    not_written: int = 0
    spacing_changed: int = 0
    too_long: int = 0
    longest: int = 0


def ceiling(task: Task, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]) -> CeilingRecord:
    """The ceiling of a model on the test rows of a task.

    Of a row with several references the one counts that scores best after encoding and decoding. Where the model
    chooses among labels, it can always give each of them, unless two label words are the same tokens.
    """
    words = label_words(task, tokenizer)
    best = _choose(tokenizer, words, task, rows) if words else _write(tokenizer, task, rows)
    references = [task.references(row)[0] for row in rows]

    @cache
    def score(*texts: str) -> Scores:
        """Scores of answers; often all are the same, and BLEU takes its time."""
        return task.score(list(texts), rows).metrics

    sources = [" ".join(row[column] for column in task.source_columns) for row in rows]
    unread = unreadable(tokenizer, sources)
    return CeilingRecord(
        examples=len(rows),
        max_target_length=task.settings.max_target_length,
        max_new_tokens=task.settings.generation.max_new_tokens,
        references=score(*references),
        written=score(*best.texts),
        within_lengths=score(*best.cut_texts),
        not_written=best.not_written,
        spacing_changed=best.spacing_changed,
        too_long=best.too_long,
        longest_target=best.longest,
        lost_characters=_commonest(best.lost),
        unread=sum(map(bool, unread)),
        unread_characters=_commonest(Counter(character for text in unread for character in set(text))),
        source=_spent(tokenizer, "text", sources[:SAMPLE]),
        target=_spent(tokenizer, "text_target", [task.target_text(row) for row in rows[:SAMPLE]]),
        labels=words,
    )


def _write(tokenizer: PreTrainedTokenizerBase, task: Task, rows: Sequence[Row]) -> _Answers:
    """The references after encoding and decoding."""
    around = tokenizer.num_special_tokens_to_add()
    room = max(0, min(task.settings.generation.max_new_tokens, task.settings.max_target_length - around))
    references = [task.references(row) for row in rows]
    flat = as_text([text for texts in references for text in texts], special_token_names(tokenizer))
    ids = encode(tokenizer, "text_target", flat, special_tokens=False)
    decoded = decode(tokenizer, ids)
    cut = [
        text if len(tokens) <= room else decode(tokenizer, [tokens[:room]])[0]
        for text, tokens in zip(decoded, ids, strict=True)
    ]
    best, start = _Answers(), 0
    for texts in references:
        own = slice(start, start := start + len(texts))
        best.texts.append(_best(task, decoded[own], texts))
        best.cut_texts.append(_best(task, cut[own], texts))
        shortest = min(map(len, ids[own]))
        best.longest = max(best.longest, shortest)
        best.too_long += shortest > room
        pairs = list(zip(texts, decoded[own], strict=True))
        if any(reference.split() == text.split() for reference, text in pairs):
            best.spacing_changed += all(reference.strip() != text for reference, text in pairs)
        else:
            best.not_written += 1
            best.lost.update(min((_lost(*pair) for pair in pairs), key=len))
    return best


def _choose(
    tokenizer: PreTrainedTokenizerBase, words: Sequence[LabelWord], task: Task, rows: Sequence[Row]
) -> _Answers:
    """The labels of the rows; of labels whose words are the same tokens, the first."""
    ids = encode(tokenizer, "text_target", [word.word for word in words])
    first: dict[tuple[int, ...], str] = {}
    answers = {word.label: first.setdefault(tuple(tokens), word.label) for word, tokens in zip(words, ids, strict=True)}
    lost = {word.label: _lost(word.word, text) for word, text in zip(words, decode(tokenizer, ids), strict=True)}
    labels = [task.references(row)[0] for row in rows]
    texts = [answers.get(label, words[0].label) for label in labels]  # a reference that is no label is never given
    unwritten = {word.label for word in words if not word.written}
    return _Answers(
        texts=texts,
        cut_texts=texts,
        lost=Counter(character for label in labels for character in lost.get(label, ())),
        not_written=sum(label in unwritten for label in labels),
        longest=max(word.tokens for word in words) - tokenizer.num_special_tokens_to_add(),
    )


def _best(task: Task, texts: Sequence[str], references: Sequence[str]) -> str:
    """The text that scores best, by the task's primary metric first."""
    if len(texts) == 1 or texts[0] == references[0]:
        return texts[0]
    metrics = sorted(task.metrics, key=lambda metric: metric.name != task.primary)

    def scores(text: str) -> list[float]:
        return [
            metric.score({"prediction": [text], "references": [references], **metric.examples([text], [references])})
            for metric in metrics
        ]

    return max(texts, key=scores)


def _lost(reference: str, text: str) -> set[str]:
    """The characters that a text has less often than its reference, white space left out."""
    return {character for character in Counter(reference) - Counter(text) if not character.isspace()}


def _commonest(counts: Counter[str]) -> list[LostCharacter]:
    # Ties go by the characters, so that the order of the rows does not matter.
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [LostCharacter(character=character, rows=rows) for character, rows in ordered[:CHARACTERS]]


def _spent(tokenizer: PreTrainedTokenizerBase, name: str, texts: Sequence[str]) -> TextTokens:
    ids = encode(tokenizer, name, texts, special_tokens=False)
    return TextTokens(texts=len(texts), words=sum(len(text.split()) for text in texts), tokens=sum(map(len, ids)))
