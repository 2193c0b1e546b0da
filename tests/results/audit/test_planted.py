"""Errors planted in random tables are found, and consistent tables never accused."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.results.audit.planted import GLUE, accusations, audited, consistent, with_error


@pytest.mark.slow
def test_planted_errors_are_found_and_consistent_tables_not_accused(tmp_path: Path) -> None:
    """The whole measurement is `python -m tests.results.audit.planted`; here a quarter of its tables."""
    counts: Counter[str] = Counter()
    for number in range(50):
        audit = audited(consistent(Random(f"1 consistent {number}")), tmp_path / f"consistent-{number}")
        counts["accused"] += bool(accusations(audit, "error"))
        counts["warned"] += bool(accusations(audit, "warning"))
        audit = audited(with_error(Random(f"1 with_error {number}")), tmp_path / f"error-{number}")
        counts["found"] += bool(accusations(audit, "error") + accusations(audit, "warning"))
    assert counts["accused"] == 0
    assert counts["warned"] <= 2
    assert counts["found"] >= 35


@pytest.mark.parametrize("number", range(20))
def test_accuracy_and_f1_of_counts_are_never_accused(tmp_path: Path, number: int) -> None:
    audit = audited(consistent(Random(f"2 {number}"), GLUE), tmp_path / "table")
    assert accusations(audit, "error") == []
