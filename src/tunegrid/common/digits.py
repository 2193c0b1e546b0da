"""Numbers as messages and tables print them: digits, units, percentages."""

from __future__ import annotations

from math import floor, log10

DASH = "–"
GIB = 2**30


def absent(value: object) -> bool:
    """Whether a table's value is missing: None or NaN."""
    return value is None or value != value


def count(value: float | None) -> str:
    """A table's whole number; a dash where it is missing."""
    return DASH if absent(value) else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """A table's number of seconds, without the unit; a dash where it is missing."""
    return DASH if absent(value) else f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def without_exponent(value: float, figures: int = 3) -> str:
    """A number to so many significant figures, its whole part in full: 0.0123, 12.3, 1,234."""
    text = f"{value:.{figures}g}"
    return f"{value:,.0f}" if "e+" in text else text


def duration(seconds: float) -> str:
    """A measured time to three digits: 41 s, 3.2 min, 1.5 h."""
    if seconds < 60:
        return f"{without_exponent(seconds)} s"
    return f"{without_exponent(seconds / 60)} min" if seconds < 3600 else f"{without_exponent(seconds / 3600)} h"


def with_spread(mean: float, spread: float) -> str:
    """A mean and its standard deviation to two digits of the latter, four of the mean at most: 4.90 ± 0.30, 1,234 ± 56.

    The deviation of a few runs can be tiny by chance; the mean is not known as well as that: 3.228 ± <0.001.
    """
    if absent(spread) or spread <= 0:
        return without_exponent(mean)
    decimals = max(0, min(1 - floor(log10(spread)), 3 - floor(log10(abs(mean))) if mean else 3))
    least = 10.0**-decimals
    return f"{mean:,.{decimals}f} ± " + (
        f"{spread:,.{decimals}f}" if spread >= least / 2 else f"<{least:,.{decimals}f}"
    )


def duration_with_spread(mean: float, spread: float) -> str:
    """A mean of measured times with its standard deviation, in one unit: 4.90 ± 0.30 s."""
    size, unit = (1, "s") if mean < 60 else (60, "min") if mean < 3600 else (3600, "h")
    return f"{with_spread(mean / size, spread / size)} {unit}"


def rough_duration(seconds: float) -> str:
    """An estimated time to about two digits: 40 s, 12 min, 3.4 h, 5.1 days."""
    for size, unit, limit in ((1, "s", 100), (60, "min", 100), (3600, "h", 100)):
        if seconds / size < limit:
            number = seconds / size
            return f"{number:.1f} {unit}" if number < 10 and unit != "s" else f"{number:.0f} {unit}"
    return f"{seconds / 86400:.1f} days"


def megabytes(size: float) -> str:
    """Bytes in millions, as the Hub counts them: 25.2 MB."""
    return f"{size / 1e6:,.1f} MB"


def binary_size(value: float | None) -> str:
    """Bytes in the unit that leaves one to four digits before the point: 412 MiB, 1.2 GiB."""
    if absent(value):
        return DASH
    size, units = float(value), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.0f} {units[0]}" if size >= 100 or units[0] == "bytes" else f"{size:.1f} {units[0]}"


def percent(value: float | None, decimals: int = 1) -> str:
    """A share, 0 to 1, as a percentage with so many decimals; a share above 0 never prints as 0."""
    if absent(value):
        return DASH
    text = f"{100 * value:.{decimals}f}%"
    return f"<{10**-decimals:.{decimals}f}%" if value > 0 and float(text[:-1]) == 0 else text


def probability(value: float) -> str:
    """A probability that is estimated, with two decimals, and never 0 or 1."""
    return "<0.01" if value < 0.005 else ">0.99" if value >= 0.995 else f"{value:.2f}"


def fine_percent(value: float) -> str:
    """A share, 0 to 1, as a percentage of two digits or more: 100%, 3.1%, 0.047%."""
    percentage = 100 * value
    if percentage >= 99.95:
        return "100%"
    decimals = 1 if percentage >= 1 else 2 if percentage >= 0.1 else 3
    return f"{percentage:.{decimals}f}%"


def setting(value: object) -> str:
    """A setting as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(setting(item) for item in value)
    return str(value)


def score(value: float, percent: bool, decimals: int = 4) -> str:
    """A score, 0 to 1: its percentage with `decimals`, which are four in tables, or the fraction with four."""
    return f"{100 * value:.{decimals}f}%" if percent else f"{value:.4f}"


def significant(value: float) -> str:
    """A number with three digits, or with all digits before the point: 0.031, 4.57, 21.5, 1,234."""
    if absent(value):
        return DASH
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{decimals}f}"


def bare_score(value: float, percent: bool, sign: str = "", decimals: int = 1) -> str:
    """A score or a difference of scores without its unit: a percentage with `decimals`, or the fraction with four."""
    return f"{100 * value:{sign}.{decimals}f}" if percent else f"{value:{sign}.4f}"
