"""Rows and values that stand in a table twice, and when that is chance."""

from pathlib import Path
from random import Random

from tests.support.audited_tables import audit, findings_of
from tunegrid.results.audit.copies import repeated_values
from tunegrid.results.audit.printed import parse
from tunegrid.results.audit.table import ScoreRow, ScoreTable


def test_identical_rows_are_a_warning(tmp_path: Path) -> None:
    table = "model,method,exact_match_percent,f1_percent\nA,x,80.00,85.00\nA,y,80.00,85.0\nB,x,80.00,85.00\nB,y,70,75\n"
    assert findings_of(audit(tmp_path, table), "identical-rows") == [("warning", ("A + x", "B + x"))]
    # One score alone is often the same.
    assert findings_of(audit(tmp_path / "one", "model,bleu\nA,0.21\nB,0.21\n"), "identical-rows") == []


def test_rows_of_few_digits_can_be_equal_by_chance(tmp_path: Path) -> None:
    rows = "A,0.91,0.90,0.90\nB,0.90,0.89,0.89\nC,0.91,0.90,0.90\nD,0.89,0.90,0.89\nE,0.92,0.91,0.91\n"
    result = audit(tmp_path, f"model,precision,recall,f1\n{rows}")
    assert findings_of(result, "identical-rows") == []


def test_one_value_twice_is_a_warning_where_digits_tell(tmp_path: Path) -> None:
    table = "model,exact_match_percent,f1_percent\nA,80.0123,87.1203\nB,75.4410,84.0192\nC,71.2000,84.0192\n"
    result = audit(tmp_path, table)
    assert findings_of(result, "repeated-values") == [("warning", ("B", "C"))]
    assert findings_of(audit(tmp_path / "few", "m,accuracy\nA,0.81\nB,0.84\nC,0.84\n"), "repeated-values") == []


def test_scores_that_are_all_or_nothing_may_be_equal(tmp_path: Path) -> None:
    table = "model,exact_match_percent,f1_percent\nA,80.0123,{0}\nB,75.4410,{0}\nC,71.2000,84.0192\nD,70.1,20.0017\n"
    found = [
        findings_of(audit(tmp_path / each, table.format(each)), "repeated-values") for each in ("100.0000", "0.0000")
    ]
    assert found == [[], []]
    assert findings_of(audit(tmp_path, table.format("99.9000")), "repeated-values") == [("warning", ("A", "B"))]


def test_values_that_are_equal_three_times_are_a_warning_where_two_are_not(tmp_path: Path) -> None:
    column = "m,accuracy_percent\n" + "".join(
        f"m{n},{value}\n" for n, value in enumerate("61.2 68.4 75.5 90.8".split())
    )
    claim = "x,98,,,"  # steps of 1.02 points: two of five are equal by chance in a third of all tables, three are not
    assert findings_of(audit(tmp_path / "2", f"{column}m4,90.8\n", claim), "repeated-values") == []
    thrice = audit(tmp_path / "3", f"{column}m4,90.8\nm5,90.8\n", claim)
    assert findings_of(thrice, "repeated-values") == [("warning", ("m3", "m4", "m5"))]
    assert not thrice.failed


def test_equal_values_are_as_likely_as_draws_from_a_range_make_them() -> None:
    """Against values drawn from a range: a pair is told in at most 1 of 20 tables of 50 different values or more."""
    random, told = Random(1), 0
    for number in range(400):
        rows = [ScoreRow(f"m{row}", {"bleu": parse(f"{random.uniform(0.2, 0.8):.3f}", False)}) for row in range(8)]
        told += bool(repeated_values(ScoreTable(f"table {number}", tuple(rows))))
    equal = 0.046  # 28 pairs of 600 values
    assert 0.4 * equal < told / 400 < 1.6 * equal
