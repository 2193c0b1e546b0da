"""Test sizes: claimed ones that do not fit, those that do, held-out shares, and a row of another test set."""

from pathlib import Path
from random import Random

import pytest

from tests.support.audited_tables import audit, findings_of
from tunegrid.results.audit.grim import _accidents, roundings
from tunegrid.results.audit.printed import parse


def test_a_claimed_size_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    table = "model,accuracy\nA,0.143\nB,0.571\nC,0.500\n"  # sevenths, and a half
    assert findings_of(audit(tmp_path / "7", table, "seven questions,7,,,"), "claimed-size") == [("error", ("C",))]
    assert findings_of(audit(tmp_path / "14", table, "fourteen,14,,,"), "claimed-size") == []


def test_digits_that_were_cut_off_are_a_warning(tmp_path: Path) -> None:
    result = audit(tmp_path, "model,accuracy\nA,0.142\nB,0.571\n", "seven,7,,,")  # 1 / 7 = 0.14286
    assert findings_of(result, "claimed-size") == [("warning", ("A",))]
    assert not result.failed


def test_each_row_can_have_a_size_of_its_own(tmp_path: Path) -> None:
    result = audit(tmp_path, "model,accuracy,examples\nA,0.143,7\nB,0.333,3\nC,0.5,3\n")
    assert findings_of(result, "claimed-size") == [("error", ("C",))]
    assert findings_of(result, "test-size") == []  # there is no common one to look for


def test_the_sizes_that_fit_are_listed(tmp_path: Path) -> None:
    (finding,) = (
        finding
        for finding in audit(tmp_path, "m,accuracy\nA,0.142857\nB,0.714286\n").findings
        if finding.check == "test-size"
    )
    assert finding.numbers["sizes"] == list(range(7, 3001, 7))
    assert "n = 7 and its multiples (14 is the next)" in finding.computed
    result = audit(tmp_path / "none", "m,accuracy\nA,0.1428570\nB,0.3333334\n", largest=2000)
    assert findings_of(result, "test-size") == [("warning", ())]
    few = audit(tmp_path / "few", "m,accuracy\nA,0.5\nB,1.0\n").findings[0]
    assert few.meaning == "The digits, if rounded correctly, rule out fewer than 2 examples; they say little more."


def test_a_size_that_is_a_part_of_the_training_data_is_told(tmp_path: Path) -> None:
    values = "".join(f"{name},{count / 159:.6f}\n" for name, count in (("A", 100), ("B", 31), ("C", 158)))
    result = audit(tmp_path, f"model,exact_match\n{values}", "x,,,1000,", largest=400)
    assert findings_of(result, "split") == []  # no split of 1,000 has 159
    result = audit(tmp_path / "b", f"model,exact_match\n{values}", "x,,,1060,", largest=400)
    assert findings_of(result, "split") == [("note", ())]
    (finding,) = (finding for finding in result.findings if finding.check == "split")
    assert "15% of 1,060" in finding.numbers["ways"]


def test_one_row_of_another_test_set_is_named(tmp_path: Path) -> None:
    values = "".join(f"m{count},{count / 100:.4f}\n" for count in (71, 77, 83, 86, 91, 64)) + f"odd,{80 / 97:.4f}\n"
    result = audit(tmp_path, f"model,accuracy\n{values}", largest=10_000)
    assert ("warning", ("odd",)) in findings_of(result, "test-size")
    assert ("warning", ("odd",)) not in findings_of(
        audit(tmp_path / "b", "model,accuracy\nA,0.5902\nB,0.7680\nC,0.8351\n"), "test-size"
    )  # of 388 examples; two of the three are k / 97 too


def test_a_row_that_does_not_have_the_claimed_size_is_one_finding(tmp_path: Path) -> None:
    values = "".join(f"m{count},{count / 100:.4f}\n" for count in (71, 77, 83, 86, 91, 64)) + f"odd,{80 / 97:.4f}\n"
    result = audit(tmp_path, f"model,accuracy\n{values}", "a hundred,100,,,", largest=10_000)
    assert findings_of(result, "claimed-size") == [("error", ("odd",))]
    assert ("warning", ("odd",)) not in findings_of(result, "test-size")


def test_an_accident_is_as_likely_as_divisors_of_the_true_size_make_it() -> None:
    """The expected number of accidents, against drawn tables of a known true size."""
    true, size, count = 231, 33, 4
    random = Random(1)
    by_count = [parse(f"{k / true:.4f}", percent=False) for k in range(true)]
    tables = [random.choices(by_count, k=count) for _ in range(20_000)]
    fitting = {value: {n for n in range(1, size + 1) if roundings(value, n)} for value in by_count}
    accidents = sum(
        sum(n in fitting[value] for value in values) >= count - 1 for values in tables for n in range(1, size + 1)
    )
    expected = _accidents(by_count[:count], size, [true], 100_000)
    assert expected == pytest.approx(accidents / len(tables), rel=0.15)


def test_two_values_that_agree_accuse_no_third(tmp_path: Path) -> None:
    table = "model,accuracy_percent\nA,71.4286\nB,87.4459\nC,57.1429\n"  # 231 examples; two of the three are sevenths
    assert findings_of(audit(tmp_path, table), "test-size") == [("note", ())]
