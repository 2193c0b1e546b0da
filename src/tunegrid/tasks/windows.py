"""Sources that are longer than a model's input: split into overlapping windows, or cut at their end.

Only the text of `task.truncatable` is ever shortened, never the question or the words of the prompt around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunegrid.tasks import Row, Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Window:
    """The whole prompt of a row around a slice of its long text.

    Attributes:
        ids: token ids of the prompt, at most `max_source_length`.
        text: the slice.
        begin: where the slice begins in the whole text, in characters.
    """

    ids: list[int]
    text: str
    begin: int


def window_sources(
    task: Task, family: str, tokenizer: PreTrainedTokenizerBase, row: Row, overlap: int
) -> list[Window] | None:
    """Windows over `row[task.truncatable]`, in order.

    Slices begin and end between tokens of the text, every token is in one of them, and neighbours share `overlap`
    tokens; less where the rest of the prompt leaves so little room that they would be more than half of it. A slice is
    tokenised again in its prompt, so it can come out a token or two longer than it was inside the text; it then loses
    as many at its end, and the next window begins earlier.

    None: the prompt leaves no room for a single token of the text.
    """

    def prompt(text: str) -> list[int]:
        return tokenizer(task.source_text({**row, task.truncatable: text}, family), verbose=False)["input_ids"]

    text, limit = row[task.truncatable], task.settings.max_source_length
    offsets = _offsets(tokenizer, text)
    room = limit - len(prompt(""))
    overlap = min(overlap, room // 2)
    windows, start = [], 0
    while True:
        end = min(start + room, len(offsets))
        while True:
            if end <= start:
                return None
            begin = offsets[start][0]
            piece = text[begin : offsets[end - 1][1]]
            if len(ids := prompt(piece.strip())) <= limit:
                break
            end -= len(ids) - limit
        windows.append(Window(ids, piece.strip(), begin + len(piece) - len(piece.lstrip())))
        if end == len(offsets):
            return windows
        start = max(end - overlap, start + 1)


def fit_source(
    task: Task, family: str, tokenizer: PreTrainedTokenizerBase, row: Row, ids: list[int]
) -> tuple[list[Window], bool]:
    """(what the model reads of a row, whether it was cut): the whole source, its windows, or what was kept of it.

    `ids`: the token ids of the whole source.
    """
    if len(ids) <= task.settings.max_source_length:
        return [Window(ids, row[task.truncatable], 0)], False
    overlap = task.window_overlap()
    windows = overlap is not None and window_sources(task, family, tokenizer, row, overlap)
    if windows:
        return windows, False
    ids, kept = cut_source(task, family, tokenizer, row)
    return [Window(ids, kept, 0)], True


def cut_source(task: Task, family: str, tokenizer: PreTrainedTokenizerBase, row: Row) -> tuple[list[int], str]:
    """(token ids of at most `max_source_length`, what was kept of the column that was cut).

    Only the end of `task.truncatable` is cut, never the question or the instruction around it.
    """
    limit = task.settings.max_source_length
    text = row[task.truncatable]
    while True:
        ids = tokenizer(task.source_text({**row, task.truncatable: text}, family), verbose=False)["input_ids"]
        if len(ids) <= limit or not text:
            # With nothing left to cut, the template alone is too long: only its end can go.
            return first_ids(ids, limit), text
        offsets = _offsets(tokenizer, text)
        keep = max(len(offsets) - (len(ids) - limit), 0)
        text = text[: offsets[keep][0]].rstrip() if keep < len(offsets) else text[:-1]


def first_ids(ids: list[int], limit: int) -> list[int]:
    """The ids, at most so many, with the last one as their end."""
    return ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]


def _offsets(tokenizer: PreTrainedTokenizerBase, text: str) -> list[tuple[int, int]]:
    """(begin, end) of each token in the text, in characters."""
    # `verbose`: the warning that a text is longer than the model reads is what all this is about.
    return tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
