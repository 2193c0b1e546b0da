"""Scores against published ones, and the partial credit of answers against that of other systems."""

from pathlib import Path

from tests.support.audited_tables import audit, findings_of

KNOWN = (
    "exact_match_percent,f1_percent,bleu\nq,A,tuned,dev set,a paper,V,80,90,\nq,B,tuned,dev set,a card,V,85.0,91.0,\n"
    "q,C,tuned,dev set,memory,M,10,11,\nq,A,untuned,dev set,a paper,V,60.0,65.0,0.30\n"
)


def test_partial_credit_is_compared_with_published_systems(tmp_path: Path) -> None:
    table = (
        "model,method,exact_match_percent,f1_percent\nA,x,80.00,82.00\nB,y,80.00,90.00\n"  # .10 and .50; known .40, .50
    )
    result = audit(tmp_path, table, ",,,,q", KNOWN)
    assert findings_of(result, "partial-credit") == [("warning", ("A + x",))]
    (finding,) = (finding for finding in result.findings if finding.check == "partial-credit")
    assert finding.numbers["credits"] == {"A + x": 0.1, "B + y": 0.5}
    assert finding.numbers["published"] == {"B": 0.4, "A": 0.5}  # what is from memory (M) is never used
    assert findings_of(audit(tmp_path / "alone", table), "partial-credit") == [("note", ())]
    fine = audit(tmp_path / "fine", table.replace("82.00", "89.00"), ",,,,q", KNOWN)
    assert findings_of(fine, "partial-credit") == [("note", ())]


def test_published_scores_are_compared(tmp_path: Path) -> None:
    table = "model,method,exact_match_percent,f1_percent\nA,x,85.2,91.0\na,y,59.8,64.8\nB,x,84.9,90.0\n"
    result = audit(tmp_path, table, ",,,,q", KNOWN)
    assert findings_of(result, "beyond-known") == [("warning", ("A + x",))]
    assert findings_of(result, "below-untuned") == [("warning", ("a + y",))] * 2  # exact match, and F1
    assert findings_of(result, "below-published") == [
        ("note", ("B + x",))
    ]  # F1; 84.9 can be 85.0, but 90.0 is below 91.0
    assert "memory" not in "".join(finding.computed for finding in result.findings)


def test_partial_credit_unlike_that_of_the_other_rows_is_a_warning(tmp_path: Path) -> None:
    table = "model,exact_match_percent,f1_percent\nA,68.20,79.10\nB,66.40,77.90\nC,28.10,91.00\nD,70.00,80.10\n"
    assert ("warning", ("C",)) in findings_of(audit(tmp_path, table), "partial-credit")
