"""What several tests share."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def slow_except(fast: Any, cases: Iterable[Any]) -> list[Any]:
    """Cases of a parametrisation, all marked slow but one: `make test` tries that one, `make test-all` all of them."""
    cases = list(cases)
    assert fast in cases
    return [case if case == fast else _slow(*case if isinstance(case, tuple) else (case,)) for case in cases]


def slow_but_a_third(*factors: Iterable[Any]) -> list[Any]:
    """All combinations of factors, two thirds of them marked slow; one factor at least has three values.

    The fast ones have every value, and of three factors with three values every pair of values: a Latin square.
    """
    return [
        tuple(values) if sum(places) % 3 == 0 else _slow(*values)
        for places, values in (zip(*numbered, strict=True) for numbered in product(*map(enumerate, factors)))
    ]


def _slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)
