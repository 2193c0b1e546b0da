"""Checks that need one row alone: ranges, F1 below exact match, failed runs."""

from pathlib import Path

from tests.support.audited_tables import audit, findings_of


def test_a_score_outside_its_range_is_an_error(tmp_path: Path) -> None:
    result = audit(tmp_path, "model,accuracy,bleu_percent\nA,94.3,20.0\nB,-0.1,101.5\n")
    assert findings_of(result, "range") == [("error", ("A",)), ("error", ("B",)), ("error", ("B",))]
    assert "a percentage belongs in a column accuracy_percent" in result.findings[0].computed
    assert "outside 0 to 100%" in result.findings[2].computed


def test_f1_below_exact_match_is_an_error(tmp_path: Path) -> None:
    result = audit(tmp_path, "model,exact_match_percent,f1_percent\nA,85.2,84.9\nB,85.2,85.2\nC,85.20,85.18\n")
    assert findings_of(result, "f1-below-exact-match") == [("error", ("A", "C"))]  # B can be rounding


def test_f1_below_the_least_number_of_exact_matches_is_an_error(tmp_path: Path) -> None:
    table = "model,exact_match,f1\nA,0.9,0.8\nB,0.7,0.8\n"
    # F1 is at most .85, and so can exact match be; of 189 answers at least 161 = .8519 match.
    assert findings_of(audit(tmp_path / "189", table, "x,189,,,"), "f1-below-exact-match") == [("error", ("A",))]
    # 17 of 20 are .85: rounded up in one column, down in the other.
    assert findings_of(audit(tmp_path / "20", table, "x,20,,,"), "f1-below-exact-match") == [("warning", ("A",))]
    assert findings_of(audit(tmp_path / "none", table), "f1-below-exact-match") == [("warning", ("A",))]


def test_a_failed_run_is_a_warning(tmp_path: Path) -> None:
    result = audit(tmp_path, "model,bleu,cosine_similarity\nA,0.0001,0.06\nB,0.0100,0.2\n")
    assert findings_of(result, "failed-run") == [("warning", ("A",))]
