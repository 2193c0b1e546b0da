"""Named entity recognition as text to text: a text to its entities and their types, in their order."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from string import punctuation
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from tunegrid.common.fields import Word, check_known
from tunegrid.data.formats import ClassIndex
from tunegrid.data.sources.base import Row
from tunegrid.models.families import Family
from tunegrid.tasks.base import Baseline, Task, TaskSettings
from tunegrid.tasks.entities import BEFORE_TYPE, BETWEEN, entities_of_spans, entities_of_tags, read_mentions, written
from tunegrid.tasks.metrics import METRICS
from tunegrid.tasks.values import as_number, column_error, is_missing, refuse_printed, shown, text_of


class NerSettings(TaskSettings):
    """Settings of a named entity recognition task."""

    rows_depend_on: ClassVar = ("types", "type_words", "scheme", "tags", "separator")
    tokens_depend_on: ClassVar = ("types", "type_words")
    scores_depend_on: ClassVar = ("types", "type_words", "separator")

    kind: Literal["ner"]
    separator: Literal[";", ",", "|"] = Field(
        ";",
        description="What stands between entities. Another one than this where a model has never seen it: tuning that "
        "leaves the embeddings as they are cannot write it then.",
    )
    types: list[Word] = Field(
        min_length=1, max_length=200, description="The types of entities, as the data call them, without `B-` or `I-`."
    )
    type_words: dict[str, Word] = Field(
        default_factory=dict,
        validate_default=True,
        description="Type -> the word that a model writes for it; a type without one is its own.",
    )
    scheme: Literal["iob2", "iob1", "bioes"] = Field(
        "iob2",
        description="How tags mark the words of an entity. iob2: the first has B. iob1: I, and B only right after an "
        "entity of the same type. bioes: B, I, E, and S for a single word (BILOU too).",
    )
    tags: list[Word] = Field(
        default_factory=list,
        max_length=1_000,
        description="Names of the tags, where the rows have their indices and the data set declares no names.",
    )

    @field_validator("type_words")
    @classmethod
    def _words_are_of_types(cls, words: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        types = info.data.get("types", list(words))
        check_known(words, types, "one of the types")
        own = [words.get(name, name) for name in types]
        for word in own:
            if own.count(word) > 1:
                raise ValueError(f"{word!r} is the word of two types")
        return words

    @field_validator("types", "type_words")
    @classmethod
    def _words_can_be_read(cls, value: Any, info: ValidationInfo) -> Any:
        separator = info.data.get("separator", BETWEEN)
        for word in value.values() if isinstance(value, dict) else value:
            if separator in word or BEFORE_TYPE in word:
                raise ValueError(
                    f"{word!r}: a type has neither a colon nor {separator!r}, which stand after and between entities"
                )
        return value


class Ner(Task):
    """A text to its entities: `Ann Lee: person; Rome: place`, or `none`."""

    Settings = NerSettings
    settings: NerSettings
    title = "Named Entity Recognition"
    columns: ClassVar = {"id": "id", "text": "text", "tokens": "tokens", "tags": "ner_tags", "spans": "entities"}
    optional: ClassVar = {"id": None, "text": None, "tokens": None, "tags": None, "spans": None}
    list_columns = mapping_columns = ("spans",)  # tokens and tags may be words with blanks between them
    source_columns = text_columns = ("text",)
    instead: ClassVar = {"text": "tokens"}
    truncatable = "text"
    example: ClassVar = {"text": "Ann Lee lives in Rome ."}
    metrics = tuple(METRICS[name]() for name in ("entity_f1", "entity_precision", "entity_recall", "entities_exact"))
    primary = "entity_f1"
    example_metric = "entities_exact"
    trivial_baseline = "known-entities"

    def __init__(self, settings: TaskSettings, family: Family | None = None) -> None:
        super().__init__(settings, family)
        types = tuple(map(self._word, self.settings.types))
        separator = self.settings.separator
        self.metrics = tuple(replace(metric, types=types, separator=separator) for metric in self.metrics)

    def _word(self, name: str) -> str:
        return self.settings.type_words.get(name, name)

    def clean_source(self, row: Row) -> Row:
        if not is_missing(row.get("tokens")):
            return {"text": text_of({"text": " ".join(_words(row, "tokens"))}, "text")}
        if "text" not in row:  # as in rows without answers
            raise column_error("tokens", f"expected a list of words, found {shown(row['tokens'])}")
        return super().clean_source(row)

    def clean(self, row: Row) -> Row:
        cleaned = self.clean_source(row)
        if is_missing(row["tokens"]):
            if not isinstance(row["spans"], list | tuple):
                raise column_error(
                    "spans",
                    f"expected a list of start, end and label, found {shown(row['spans'])}. A row has `tokens` and "
                    "`ner_tags`, or `text` and `entities`; `columns` says other names",
                )
            text = row["text"]  # as it is: the spans count its characters
            entities = entities_of_spans(row["spans"], text)
            mentions = [(text[entity.begin : entity.end], entity.type) for entity in entities]
        else:
            words, tags = _words(row, "tokens"), self._tags(row)
            if len(words) != len(tags):
                raise column_error("tags", f"{len(tags)} tags for {len(words)} words")
            entities = entities_of_tags(tags, self.settings.scheme)
            mentions = [(" ".join(words[entity.begin : entity.end]), entity.type) for entity in entities]
        column = "spans" if is_missing(row["tokens"]) else "tags"
        for text, name in mentions:
            if is_missing(text):
                raise column_error(column, f"an entity of the type {shown(name)} has no text")
            if name not in self.settings.types:
                known = ", ".join(self.settings.types)
                raise column_error(column, f"{shown(name)} is not one of the types: {known}")
        words = [(text, self._word(name)) for text, name in mentions]
        return {"id": row["id"], **cleaned, "entities": written(words, self.settings.separator)}

    def _tags(self, row: Row) -> list[str]:
        """The names of a row's tags."""
        names = self.settings.tags
        tags = []
        for tag in _items(row, "tags"):
            name = tag.name if isinstance(tag, ClassIndex) else None
            number = as_number(tag)
            if name is None and number is not None:
                if not (0 <= number < len(names) and number == int(number)):
                    known = (
                        f"`tags` of the task has {len(names)} names" if names else "say their names: `tags: [O, B-…]`"
                    )
                    raise column_error("tags", f"{shown(tag)} is the index of a tag; {known}")
                name = names[int(number)]
            tags.append(tag.strip() if name is None and isinstance(tag, str) else name)
        if None in tags:
            raise column_error("tags", f"expected names or indices of tags, found {shown(row['tags'])}")
        return tags

    def references(self, row: Row) -> list[str]:
        return [row["entities"]]

    def prompt_fields(self) -> dict[str, str]:
        return {"types": ", ".join(map(self._word, self.settings.types))}

    def baselines(self) -> dict[str, Baseline]:
        known = partial(known_entities, separator=self.settings.separator)
        return {self.trivial_baseline: Baseline("Known entities", known, ("entities",))}


def known_entities(
    train: Sequence[Row], test: Sequence[Row], generator: random.Random, separator: str = BETWEEN
) -> list[str]:
    """The longest parts of a text that are entities of training rows, with their most frequent type.

    A part is of whole words; punctuation around it is not of it ("Rome," is Rome), unless it is so in training rows.
    """
    counts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for row in train:
        for text, name in read_mentions(row["entities"], separator=separator)[0]:
            counts[tuple(text.split())][name] += 1
    # Ties go to the first in the alphabet, so that the order of the rows does not matter.
    types = {words: min(names, key=lambda name: (-names[name], name)) for words, names in counts.items()}
    longest = max(map(len, types), default=0)

    def mentions(words: list[str]) -> list[tuple[str, str]]:
        found, start = [], 0
        while start < len(words):
            ends = range(min(start + longest, len(words)), start, -1)
            parts = ((end, part) for end in ends for part in (tuple(words[start:end]), _bare(words[start:end])))
            end, part = next(((end, part) for end, part in parts if part in types), (start + 1, ()))
            if part:
                found.append((" ".join(part), types[part]))
            start = end
        return found

    return [written(mentions(row["text"].split()), separator) for row in test]


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    """Words without the punctuation in front of the first and behind the last."""
    return tuple(" ".join(words).strip(punctuation).split(" "))


def _items(row: Row, column: str) -> list[Any]:
    """A list; in CSV a JSON list, or items with blanks between them."""
    value = row[column]
    if isinstance(value, str):
        try:
            parsed = json.loads(value) if value.lstrip().startswith("[") else None
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, list):
            refuse_printed(value, column)
        value = parsed if isinstance(parsed, list) else value.split()
    if not isinstance(value, list | tuple):
        raise column_error(column, f"expected a list, found {shown(value)}")
    return list(value)


def _words(row: Row, column: str) -> list[str]:
    words = _items(row, column)
    for word in words:
        if not isinstance(word, str):
            raise column_error(column, f"expected a list of words, found {shown(word)} in it")
    return words
