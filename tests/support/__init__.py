"""What several tests share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def slow_except(fast: Any, cases: Iterable[Any]) -> list[Any]:
    """Cases of a parametrisation, all marked slow but one: `make test` tries that one, `make test-all` all of them."""
    cases = list(cases)
    assert fast in cases
    return [case if case == fast else _slow(*case if isinstance(case, tuple) else (case,)) for case in cases]


def _slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)
