"""Words of messages and tables: enumerations, plurals, numbers in letters."""

from __future__ import annotations

from collections.abc import Iterable


def listed(texts: Iterable[str], most: int = 12) -> str:
    """Texts as an enumeration in a sentence: a, b and c."""
    texts = list(texts)
    if len(texts) > most:
        texts = [*texts[: most - 1], f"{len(texts) - most + 1} more"]
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1]))) if texts else "none"


def plural(number: int, noun: str) -> str:
    """A number with its noun: 1 row, 2 rows."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def number_word(number: int) -> str:
    """A number in letters up to twelve, in digits above."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    return words[number] if number < len(words) else str(number)
