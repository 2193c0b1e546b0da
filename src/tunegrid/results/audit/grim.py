"""Which test sizes printed means of zeros and ones allow: the GRIM test (Brown and Heathers 2017).

The mean of n zeros and ones is k / n for a whole k, so a printed mean fits a test of n examples only if some k / n
rounds to it. Integers throughout: nothing is lost to floating point.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from tunegrid.results.audit.printed import EXACT, Printed

HALF_UP, HALF_EVEN = "half up", "half to even"
ROUNDINGS = frozenset({HALF_UP, HALF_EVEN})
NO_ACCIDENT = 0.001  # probability below which an agreement is taken for no accident
WITHOUT_ONE = 0.05  # the same for a test size that fits all values but one, which is a warning
LEAST_AGREEING = 3  # values that have to fit such a size: two agree too easily
_ACCIDENTS = 500_000  # pairs of a size and a true test size for which accidents are counted one by one
_SHARES = tuple(Fraction(percent, 100) for percent in (5, 10, 15, 20, 25, 30, 40, 50))  # what people hold out


def roundings(printed: Printed, size: int, halves: int = EXACT) -> frozenset[str]:
    """Ways of rounding a tie under which some k / `size` is printed as `printed`; empty: no k fits.

    `halves`: how far k / size may lie from the printed number, in half units of its last digit. Above the one half unit
    that rounding explains, all ways of rounding fit alike.
    """
    halves = max(halves, printed.halves)
    over = printed.digits * size % printed.scale  # how far the number lies above a whole k, in 1 / (size * scale)
    under = -over % printed.scale  # and below the next
    if 2 * min(over, under) < halves * size or (halves > EXACT and 2 * min(over, under) == halves * size):
        return ROUNDINGS
    ways = set()
    if 2 * under == size and printed.digits % 2 == 0:  # k / size is half a unit above: only an even digit takes it
        ways.add(HALF_EVEN)
    if 2 * over == size:  # k / size is half a unit below: rounded up
        ways |= {HALF_UP, HALF_EVEN} if printed.digits % 2 == 0 else {HALF_UP}
    return frozenset(ways)


def common_roundings(values: Iterable[Printed], size: int) -> frozenset[str]:
    """Ways of rounding under which all values fit one test size."""
    ways = ROUNDINGS
    for value in values:
        ways &= roundings(value, size)
        if not ways:
            break
    return ways


@dataclass(frozen=True)
class Size:
    """A test size that fits, and the ways of rounding ties that it needs (both: there is no tie to round)."""

    size: int
    roundings: frozenset[str]


def sizes(values: Sequence[Printed], bound: int) -> list[Size]:
    """All test sizes up to `bound` that fit every value."""
    values = _longest_first(values)
    return [Size(size, ways) for size in range(1, bound + 1) if (ways := common_roundings(values, size))]


def _longest_first(values: Iterable[Printed]) -> list[Printed]:
    """The distinct values in the order in which they are tried: the longest numbers exclude most sizes."""
    return sorted(set(values), key=lambda value: -value.scale)


def all_but_one(values: Sequence[Printed], fits: Sequence[int], bound: int) -> tuple[int, Printed, float] | None:
    """The smallest test size that fits all values but one, and hardly would by accident.

    Args:
        fits: the sizes up to `bound` that fit all values, ascending.

    Returns:
        The size, the value that does not fit it, and the expected number of sizes as small that fit all values but one
        by accident, whatever the true size is; None: there is no such size.
    """
    # None right and all right fit every size.
    distinct = [value for value in _longest_first(values) if value.value not in (0, 1)]
    if len(distinct) <= LEAST_AGREEING:
        return None
    for size in range(1, fits[0] if fits else bound):
        if size * math.prod(min(1.0, size / value.scale) for value in distinct[1:]) >= len(distinct) * WITHOUT_ONE:
            return None  # there are more accidents than that, and ever more
        misfits = list(islice((value for value in distinct if not roundings(value, size)), 2))
        if len(misfits) == 1 and (accident := _accidents(distinct, size, fits, bound)) < WITHOUT_ONE:
            return size, misfits[0], accident
    return None


def _accidents(values: Sequence[Printed], size: int, fits: Sequence[int], bound: int) -> float:
    """Expected number of sizes up to `size` that fit all values but one by accident, at the worst of the true sizes.

    With N examples and g the greatest common divisor of n and N, the k / N lie j g / (n N) from the nearest multiple of
    1 / n, each whole j between ± N / 2g equally often. So 1 + 2 [n N u / 2g] in N / g of them print like one, u being
    the unit of the last digit and [] the whole part.
    """
    import numpy as np

    sizes = np.arange(1, size + 1)[:, None]
    counted = max(1, _ACCIDENTS // size)
    true = np.array(fits[:counted] or [bound])
    common = np.gcd(sizes, true)
    at_known = [
        np.minimum((1 + 2 * (sizes * true // (2 * value.scale * common))) * common / true, 1) for value in values
    ]
    larger = fits[counted] if len(fits) > counted else bound  # or above: at most n / N more than n u
    at_larger = [np.minimum(sizes / larger + sizes / value.scale, 1) for value in values]
    shares = np.concatenate([np.array(at_known), np.array(at_larger)], axis=2)  # [values, sizes, true sizes]
    return float((shares.prod(axis=0) * (1 / shares).sum(axis=0)).sum(axis=0).max())


def smallest_size(values: Sequence[Printed], bound: int) -> int:
    """The smallest test size that fits every value; `bound` if none below it does."""
    distinct = _longest_first(values)
    return next((size for size in range(1, bound) if common_roundings(distinct, size)), bound)


def chance(values: Iterable[Printed], size: int) -> float:
    """Probability that a test size near `size` fits all values by accident: the lower, the more the test can tell.

    A printed number with unit u fits every size whose multiples of 1 / size lie closer together than u, and otherwise
    a share of u * size of the sizes.
    """
    return math.prod(min(1.0, size / value.scale) for value in set(values))


def splits(total: int, size: int) -> list[str]:
    """Usual ways to hold `size` of `total` examples out, in words that go before "examples".

    A share of them; a share of what a first split leaves; half of a held-out part. Held-out parts are rounded up, as
    scikit-learn and datasets round them.
    """
    ways = []
    for share in _SHARES:
        held = math.ceil(share * total)
        if held == size:
            ways.append(f"{_percent(share)} of {total:,}")
        if size in (held // 2, held - held // 2):
            ways.append(f"half of {_percent(share)} of {total:,}")
        for second in _SHARES:
            if math.ceil(second * (total - held)) == size:
                ways.append(f"{_percent(second)} of what a split of {_percent(share)} leaves of {total:,}")
    return ways


def _percent(share: Fraction) -> str:
    return f"{share * 100}%"
