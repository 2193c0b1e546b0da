"""Numbers as they are printed. Their digits tell how they were rounded, so they are kept as text, not as floats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

EXACT = 1  # in halves of a unit of the last digit: how far rounding moves a number
ONE_UNIT = 2  # how far cutting digits off moves it
# A float of full precision ends in digits that are no longer those of the fraction behind it.
_MOST_DECIMALS = 12

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")


@dataclass(frozen=True)
class Printed:
    """A score from 0 to 1 that was printed as `digits` units of 1 / `scale`.

    Attributes:
        text: the number as in the table, without a percent sign.
        halves: uncertainty of the last digit, in half units: 1 if it was rounded, 2 if that is not known.
        percent: whether it was printed as a percentage.
    """

    text: str
    digits: int
    scale: int
    halves: int = EXACT
    percent: bool = False

    @property
    def value(self) -> Fraction:
        return Fraction(self.digits, self.scale)

    @property
    def unit(self) -> Fraction:
        """One unit of the last digit."""
        return Fraction(1, self.scale)

    def interval(self, halves: int = EXACT) -> tuple[Fraction, Fraction]:
        """The lowest and the highest score that is printed like this, both included."""
        reach = self.unit * max(halves, self.halves) / 2
        return self.value - reach, self.value + reach

    def __str__(self) -> str:
        return self.text + ("%" if self.percent else "")


def parse(text: str, percent: bool) -> Printed | None:
    """The score in a cell of a table; None for an empty cell or a dash.

    Raises:
        ValueError: the text is not a number in plain decimal notation, with the reason.
    """
    text = text.strip().replace("−", "-")
    if text in ("", "-", "–", "—"):
        return None
    if text.endswith("%"):
        if not percent:
            raise ValueError(f"{text!r} is a percentage, but the column is one of fractions")
        text = text[:-1].rstrip()
    if not _NUMBER.fullmatch(text):
        hint = " (write a decimal point)" if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", text) else ""
        raise ValueError(f"{text!r} is not a number such as {'85.23' if percent else '0.8523'}{hint}")
    whole, _, decimals = text.lstrip("+-").partition(".")
    halves = EXACT
    places = len(decimals) + (2 if percent else 0)
    digits = int((whole + decimals) or "0")
    if places > _MOST_DECIMALS:
        digits, places, halves = round(Fraction(digits, 10 ** (places - _MOST_DECIMALS))), _MOST_DECIMALS, ONE_UNIT
    return Printed(text, -digits if text.startswith("-") else digits, 10**places, halves, percent)


def full(value: float) -> Printed:
    """A score of full precision; its last digit may be off by one, because of the arithmetic with floats."""
    scale = 10**_MOST_DECIMALS
    return Printed(f"{value:.6f}" if 0 <= value <= 1 else repr(value), round(value * scale), scale, ONE_UNIT)


def below(low: Printed, high: Printed) -> bool:
    """Whether a score is below another, whatever rounding did to both."""
    return low.interval()[1] < high.interval()[0]
