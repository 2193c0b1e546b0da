"""Preference pairs to token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunegrid.tasks.base import Task
from tunegrid.tasks.pairs import Preferences
from tunegrid.tasks.tokenise import as_text, encode, special_token_names
from tunegrid.tasks.windows import first_ids

if TYPE_CHECKING:
    import pyarrow
    from transformers import PreTrainedTokenizerBase

    from tunegrid.data.sources.base import Row


def pair_table(
    preferences: Preferences, task: Task, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Row], first: int = 0
) -> pyarrow.Table:
    """Token ids of pairs: `input_ids` of the prompt, `labels` of the chosen answer, `rejected`, and `row`, a number.

    Answers are cut to the task's `max_target_length`, prompts to its `max_source_length`: a dialogue loses its
    beginning, for its last turns are what is answered; the text of a task's own row its end, as everywhere.

    Args:
        task: bound to the family of the model.
        first: the number of the first pair.
    """
    import pyarrow

    settings, rows = task.settings, as_text(list(pairs), special_token_names(tokenizer))
    prompts = encode(tokenizer, "text", [preferences.source_text(task, task.family.name, row) for row in rows])
    start = tokenizer.num_special_tokens_to_add() - 1  # special tokens in front: BART's `<s>`
    limit = settings.max_source_length
    fitted = [
        _last_ids(ids, limit, start) if "prompt" in row else first_ids(ids, limit)
        for ids, row in zip(prompts, rows, strict=True)
    ]
    columns = {"input_ids": fitted}
    for name, column in (("labels", "chosen"), ("rejected", "rejected")):
        answers = encode(tokenizer, "text_target", [row[column] for row in rows])
        columns[name] = [first_ids(ids, settings.max_target_length) for ids in answers]
    table = {name: pyarrow.array(ids, pyarrow.list_(pyarrow.int32())) for name, ids in columns.items()}
    numbers = pyarrow.array(range(first, first + len(rows)), pyarrow.int32())
    return pyarrow.table(table | {"row": numbers})


def prompt_ids(task: Task, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]) -> list[list[int]]:
    """Token ids of what a model reads of a task's own rows, cut as those of pairs."""
    plain = as_text(list(rows), special_token_names(tokenizer))
    ids = encode(tokenizer, "text", [task.source_text(row, task.family.name) for row in plain])
    return [first_ids(each, task.settings.max_source_length) for each in ids]


def _last_ids(ids: list[int], limit: int, start: int) -> list[int]:
    """The last ids, at most so many, with the first `start` in front of them."""
    return ids if len(ids) <= limit else [*ids[:start], *ids[start - limit :]]
