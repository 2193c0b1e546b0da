"""Label words as a tokenizer writes them: how long they are, and whether the model can tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed, Count
from tunegrid.models.decoding import decode
from tunegrid.tasks.base import Task
from tunegrid.tasks.tokenise import encode, special_token_names

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class LabelWord(Closed):
    """A label with the text that the model reads and writes for it."""

    label: str = Field(description="The label.")
    word: str = Field(description="Its word: that of the model's family, or the label itself.")
    tokens: Count = Field(description="Tokens of the word, the tokenizer's special tokens included.")
    written: bool = Field(description="Whether the word comes back whole after encoding and decoding.")


def label_words(task: Task, tokenizer: PreTrainedTokenizerBase) -> list[LabelWord]:
    """The words of a task's labels in their order; none where the task has no labels."""
    labels = task.labels() or []
    words = [task.word(label) for label in labels]
    ids = encode(tokenizer, "text_target", words)
    return [
        LabelWord(label=label, word=word, tokens=len(tokens), written=text == word.strip())
        for label, word, tokens, text in zip(labels, words, ids, decode(tokenizer, ids), strict=True)
    ]


def check_label_words(task: Task, tokenizer: PreTrainedTokenizerBase, model: str) -> None:
    """Checks that a model is trained on whole label words, and that no two of them are the same tokens.

    Args:
        model: how messages call the model.

    Raises:
        TuneGridError: a label word is cut by `max_target_length`, holds a special token, or is the same tokens as
            another.
    """
    words = [task.word(label) for label in task.labels() or ()]
    kind, limit = task.settings.kind, task.settings.max_target_length
    special = special_token_names(tokenizer)
    seen: dict[tuple[int, ...], str] = {}
    for word, ids in zip(words, encode(tokenizer, "text_target", words), strict=True):
        if name := special.search(word):
            raise TuneGridError(
                f"tasks: the label word {word!r} of the {kind} task holds {name[0]!r}, a special token of {model}. "
                "Give the label another name, or the family another word for it: `label_words`."
            )
        if (other := seen.setdefault(tuple(ids), word)) is not word:
            raise TuneGridError(
                f"tasks: the label words {other!r} and {word!r} of the {kind} task are the same tokens for {model}: "
                "its vocabulary has not all of their characters, and it could not tell them apart. "
                "Give the labels other names, or the family other `label_words`."
            )
    length, longest = max(((len(tokens), word) for tokens, word in seen.items()), default=(0, ""))
    if length > limit:
        raise TuneGridError(
            f"tasks: max_target_length of the {kind} task is {limit}, but the label word {longest!r} takes {length} "
            f"tokens for {model}, special tokens included: it would be cut in training. Set it to {length} or more."
        )
