"""Lengths of sources and targets: in tokens of tokenizers that are on this machine, else by their words."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.package_data import models_folder
from tunegrid.models.families import FAMILIES
from tunegrid.study.new.task import LABELLED, Draft
from tunegrid.tasks import Row, Task

SAMPLE = 1_000  # rows that are tokenised
PERCENTS = (50, 90, 95, 99, 100)
UNEVEN = 4  # tokens between the shortest and the longest word of a label that matter
# A word is what white space separates; of Chinese and Japanese, a character. T5 and BART spend 1.3 tokens on an English
# word, and up to 2.6 on a German one, whose letters beyond ASCII tell it from English.
TOKENS_PER_WORD, TOKENS_PER_FOREIGN_WORD = 1.3, 2.6
FOREIGN = 0.005  # share of letters beyond ASCII
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class Measured:
    """Percentiles of lengths in tokens, the prompt and the special tokens counted.

    Attributes:
        model: whose tokens; "" where words were counted.
        source, target: by percent, see PERCENTS.
        longest_label: tokens of the longest word of a label, its end counted; 0 without labels.
        shortest_label: the same of the shortest.
        factor: tokens that were taken for a word; None: tokens were counted.
    """

    model: str
    source: dict[int, int]
    target: dict[int, int]
    longest_label: int
    factor: float | None = None
    shortest_label: int = 0


def measure(draft: Draft, models: Sequence[tuple[str, str, str]]) -> list[Measured]:
    """Lengths by each model's tokenizer, or by words where one is not on this machine.

    Args:
        models: (name, family, packaged name or id on the Hub or folder) of each.
    """
    rows = [row for split in draft.rows.values() for row in split]
    if len(rows) > SAMPLE:
        rows = random.Random(0).sample(rows, SAMPLE)
    measured = []
    for name, family, place in models:
        task, tokenizer = draft.task(FAMILIES[family]), _tokenizer(place)
        if tokenizer is None:
            continue
        sources, targets, labels = (_token_counts(tokenizer, texts) for texts in _texts(task, family, rows))
        longest = max(labels, default=0)
        shortest = min(labels, default=0)
        lengths = _percentiles(sources), _percentiles(targets)
        measured.append(Measured(name, *lengths, longest, shortest_label=shortest))
    if len(measured) == len(models):
        return measured
    return [*measured, _by_words(draft.task(FAMILIES["flan-t5"]), "flan-t5", rows)]


def _by_words(task: Task, family: str, rows: Sequence[Row]) -> Measured:
    """Lengths by words; a label has as many tokens as bytes, at most."""
    sources, targets, labels = _texts(task, family, rows)
    text = "".join((*sources, *targets))
    foreign = sum(not character.isascii() for character in text) > FOREIGN * max(len(text), 1)
    factor = TOKENS_PER_FOREIGN_WORD if foreign else TOKENS_PER_WORD

    def count(texts: Sequence[str]) -> list[int]:
        return [round(factor * (len(text.split()) + len(WIDE.findall(text)))) + 2 for text in texts]

    longest = max((len(word.encode()) + 2 for word in labels), default=0)
    return Measured("", _percentiles(count(sources)), _percentiles(count(targets)), longest, factor)


def _texts(task: Task, family: str, rows: Sequence[Row]) -> tuple[list[str], list[str], list[str]]:
    """Sources, targets, and the words of the labels."""
    sources, targets = [task.source_text(row, family) for row in rows], [task.target_text(row) for row in rows]
    return sources, targets, [task.word(label) for label in task.labels() or ()]


def _token_counts(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    return [len(ids) for ids in tokenizer(texts, verbose=False)["input_ids"]] if texts else []


def _percentiles(lengths: Sequence[int]) -> dict[int, int]:
    ordered = sorted(lengths)
    return {percent: ordered[max(0, -(-len(ordered) * percent // 100) - 1)] for percent in PERCENTS}


def _tokenizer(place: str) -> Any:
    """The tokenizer of a model that is on this machine; None: it is not, or cannot be read."""
    folder = _folder(place)
    if folder is None:
        return None
    from tunegrid.data.tokens import load_tokenizer

    try:
        return load_tokenizer(folder)
    except TuneGridError:  # fetch-model says what is wrong
        return None


def _folder(place: str) -> Path | None:
    if (packaged := models_folder() / place).is_dir():
        return packaged
    if Path(place).is_dir():
        return Path(place)
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(place, "tokenizer.json")
    return Path(file).parent if isinstance(file, str) else None


def chosen_lengths(kind: str, measured: Sequence[Measured], most_source: int, most_target: int) -> tuple[int, int]:
    """(max_source_length, max_target_length): within bounds 99 of 100 sources are whole, and all targets.

    Where words were counted, all sources are: the number of tokens is a guess.
    """
    source = max(lengths.source[100 if lengths.factor else 99] for lengths in measured)
    target = max(lengths.target[100] for lengths in measured)
    if kind in LABELLED:
        return _up(min(source, most_source)), max(lengths.longest_label for lengths in measured) + 1
    return _up(min(source, most_source)), _up(min(target + 1, most_target))


def uneven_labels(measured: Sequence[Measured]) -> str:
    """A sentence where the words of the labels differ so much in length that it matters; else nothing.

    A label's score is the sum over its tokens, so that a model that has not learnt the words takes the shortest one.
    """
    for lengths in measured:
        shortest, longest = lengths.shortest_label - 1, lengths.longest_label - 1  # without the end, which all have
        if not lengths.factor and longest >= max(2 * shortest, shortest + UNEVEN):
            return (
                f"The labels have {shortest} to {longest} tokens in {lengths.model}: as long as a model has learnt "
                "little, it takes the shortest. Words of like length help: label_words."
            )
    return ""


def _up(length: int) -> int:
    """A length, rounded up to a multiple of 8, as GPUs prefer."""
    return max(8, -(-length // 8) * 8)
