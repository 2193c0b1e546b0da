"""The split in which a text may occur: a hash of its subject decides it, whatever the row counts."""

import hashlib
import re

SPLITS = ("train", "validation", "test")

_WORDS = re.compile(r"\w+")
_UNIT_END = re.compile(r"(?<=[.!?])\s+|\n+")
# Of 256 values of the first hash byte: half of all texts may train, a quarter each is held out.
_LAST_BYTE = {"train": 127, "validation": 191, "test": 255}


def normalise(text: str) -> str:
    """The words of `text` in lower case, so that case, spacing and punctuation do not make two texts different."""
    return " ".join(_WORDS.findall(text.casefold()))


def text_key(text: str) -> str:
    """A hash of the normalised text: 16 hexadecimal digits."""
    return _digest(normalise(text)).hex()


def split_of(identity: str) -> str:
    """The one split in which texts with this identity (a sentence, a cast of people, a title) may occur."""
    byte = _digest(normalise(identity))[0]
    return next(split for split, last in _LAST_BYTE.items() if byte <= last)


def contained_keys(text: str) -> set[str]:
    """The keys of every run of whole sentences or lines in `text`, from one sentence to all of it.

    Training text is checked by these keys, so that a document that *contains* a test text is found too.
    """
    units = [unit for unit in map(normalise, _UNIT_END.split(text)) if unit]
    keys = set()
    for first in range(len(units)):
        state = hashlib.blake2b(digest_size=8)
        for number, unit in enumerate(units[first:]):
            state.update((" " + unit if number else unit).encode())
            keys.add(state.hexdigest())
    return keys


def _digest(words: str) -> bytes:
    return hashlib.blake2b(words.encode(), digest_size=8).digest()
