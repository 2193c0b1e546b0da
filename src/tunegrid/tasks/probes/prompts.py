"""The texts of bias probes in a model's tokens, with the prompts of their task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunegrid.common.errors import TuneGridError
from tunegrid.tasks import Row, Task
from tunegrid.tasks.probes.base import ProbeSet
from tunegrid.tasks.tokenise import as_text, encode, special_token_names

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode_prompts(
    task: Task, family: str, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], place: str
) -> list[list[int]]:
    """Token ids of the source of each row of a set of probes. `place`: the set in the study, for messages.

    Raises:
        TuneGridError: a text is longer than `max_source_length`, for the word that differs might be cut away.
    """
    texts = [task.source_text(row, family) for row in as_text(list(rows), special_token_names(tokenizer))]
    sources = encode(tokenizer, "text", texts)
    longest = max(range(len(sources)), key=lambda number: len(sources[number]))
    if len(sources[longest]) > (limit := task.settings.max_source_length):
        raise TuneGridError(
            f"{place}: a text has {len(sources[longest])} tokens with its prompt, and max_source_length is "
            f"{limit}: {texts[longest]!r:.200}. Shorten the template, or raise max_source_length."
        )
    return sources


def check_prompts(
    task: Task, family: str, tokenizer: PreTrainedTokenizerBase, sets: Mapping[str, ProbeSet], most: int | None = None
) -> None:
    """Raises TuneGridError if a text of a task's sets of probes, by their names, is longer than `max_source_length`.

    `most`: how many texts of each set are looked at, those of the most characters; None: all.
    """
    for name, probes in sets.items():
        asked = {tuple(row.items()) for pair in probes.rows(task) for row in pair.rows}  # BBQ asks the same text twice
        rows = sorted(map(dict, asked), key=lambda row: -sum(map(len, row.values())))[:most]
        encode_prompts(task, family, tokenizer, rows, f"probes.{name}")
