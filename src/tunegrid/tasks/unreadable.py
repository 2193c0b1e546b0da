"""Characters of texts that a tokenizer has no token for, so that a model never sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunegrid.common.words import plural
from tunegrid.tasks.base import Row, Task
from tunegrid.tasks.tokenise import as_text, encode, special_token_names
from tunegrid.tasks.values import is_visible

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHARACTERS = 10  # that a warning names


def unreadable(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[set[str]]:
    """The characters of each text that become the unknown token, or no token at all.

    White space and control characters are left out: what tokenizers make of them says nothing about the text.
    """
    texts = as_text(list(texts), special_token_names(tokenizer))
    unknown = tokenizer.unk_token_id
    alphabet = sorted({character for text in texts for character in text if is_visible(character)})
    alone = encode(tokenizer, "text", alphabet, special_tokens=False)
    dropped = {character for character, ids in zip(alphabet, alone, strict=True) if not ids}
    unknown_alone = {character for character, ids in zip(alphabet, alone, strict=True) if unknown in ids}
    whole = encode(tokenizer, "text", texts, special_tokens=False)
    found = []
    for text, ids in zip(texts, whole, strict=True):
        # T5 has "Über", but no "Ü": such a character is unknown in some places alone.
        of_text = _unknown(tokenizer, text, unknown_alone) if unknown in ids else set()
        found.append(of_text | dropped & set(text))
    return found


class Unread:
    """Counts the rows that hold characters which a model's vocabulary does not have."""

    def __init__(self, task: Task, tokenizer: PreTrainedTokenizerBase) -> None:
        self.task, self.tokenizer = task, tokenizer
        self.rows = self.seen = 0
        self.characters: Counter[str] = Counter()

    def add(self, rows: Sequence[Row]) -> None:
        texts = [" ".join(row[column] for column in self.task.source_columns) for row in rows]
        for characters in unreadable(self.tokenizer, texts):
            self.seen += 1
            self.rows += bool(characters)
            self.characters.update(characters)

    def warning(self) -> str | None:
        """A sentence on what the model cannot read; None: it can read everything."""
        if not self.rows:
            return None
        shown = [character for character, _ in self.characters.most_common(CHARACTERS)]
        more = ", …" if len(self.characters) > len(shown) else ""
        return (
            f"{self.rows:,} of {plural(self.seen, 'row')} {'hold' if self.seen > 1 else 'holds'} characters that the "
            f"model's vocabulary does not have ({', '.join(shown)}{more}): it answers as if they were not there."
        )


def _unknown(tokenizer: PreTrainedTokenizerBase, text: str, alone: set[str]) -> set[str]:
    """The characters of a text's unknown tokens.

    Args:
        alone: the characters that are unknown when they stand alone.
    """
    if not tokenizer.is_fast:  # it does not say which token is of which character
        return alone & set(text)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    unknown: set[str] = set()
    for token, (begin, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
        if token == tokenizer.unk_token_id:
            # A tokenizer may give up a whole word for a single character.
            unknown |= alone & set(text[begin:end]) or set(filter(is_visible, text[begin:end]))
    return unknown
