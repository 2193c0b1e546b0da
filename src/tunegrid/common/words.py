"""Words and numbers of messages and tables: counts, units, durations."""

from __future__ import annotations

from collections.abc import Iterable

DASH = "–"

GIB = 2**30


def listed(texts: Iterable[str], most: int = 12) -> str:
    """Texts as an enumeration in a sentence: a, b and c."""
    texts = list(texts)
    if len(texts) > most:
        texts = [*texts[: most - 1], f"{len(texts) - most + 1} more"]
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1]))) if texts else "none"


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"


def absent(value: object) -> bool:
    """Whether a table's value is missing: None or NaN."""
    return value is None or value != value


def count(value: float | None) -> str:
    return DASH if absent(value) else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    return DASH if absent(value) else f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def bytes_(value: float | None) -> str:
    """Bytes in the unit that leaves one to four digits before the point: 412 MiB, 1.2 GiB."""
    if absent(value):
        return DASH
    size, units = float(value), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.0f} {units[0]}" if size >= 100 or units[0] == "bytes" else f"{size:.1f} {units[0]}"


def percent(value: float | None, decimals: int = 1) -> str:
    """A share, 0 to 1, as a percentage; one that is above 0 never prints as 0."""
    if absent(value):
        return DASH
    text = f"{100 * value:.{decimals}f}%"
    return f"<{10**-decimals:.{decimals}f}%" if value > 0 and float(text[:-1]) == 0 else text


def setting(value: object) -> str:
    """A setting as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(setting(item) for item in value)
    return str(value)
