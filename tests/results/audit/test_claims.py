"""Scores against the claimed numbers of examples and positives."""

from pathlib import Path

from tests.support.audited_tables import CLASSIFIER, HONEST, audit, findings_of


def test_claimed_positives_are_checked(tmp_path: Path) -> None:
    assert findings_of(audit(tmp_path / "a", CLASSIFIER + HONEST, "x,100,48,,"), "claimed-positives") == [
        ("error", ("A", "B", "C"))
    ]
    assert findings_of(audit(tmp_path / "b", CLASSIFIER + HONEST, "x,97,,,"), "claimed-positives") == [
        ("error", ("A", "B", "C"))
    ]
    assert findings_of(audit(tmp_path / "c", CLASSIFIER + HONEST, "x,100,,,"), "claimed-positives") == []
    with_counts = CLASSIFIER.replace("f1", "f1,examples,positives") + "A,0.8000,0.8000,0.8000,0.8000,100,50\n"
    assert findings_of(audit(tmp_path / "d", with_counts), "claimed-positives") == []
    assert findings_of(audit(tmp_path / "e", with_counts.replace(",50\n", ",40\n")), "claimed-positives") == [
        ("error", ("A",))
    ]


# MRPC's development set: 408 pairs, 279 positive; in the wrong table two digits of the F1 of A are swapped
GLUE = "model,accuracy_percent,f1_percent\nA,86.76,90.43\nB,88.48,91.83\nC,84.31,88.89\n"


def test_accuracy_with_f1_alone_is_checked_against_claimed_positives(tmp_path: Path) -> None:
    assert findings_of(audit(tmp_path / "right", GLUE, "MRPC,408,279,,"), "claimed-positives") == []
    result = audit(tmp_path / "wrong", GLUE.replace("90.43", "90.34"), "MRPC,408,279,,")
    assert findings_of(result, "claimed-positives") == [("error", ("A",))]
    # Without positives F1 may be an average over classes.
    assert not audit(tmp_path / "unclaimed", GLUE.replace("90.43", "90.34"), "MRPC,408,,,").failed


def test_a_recall_is_a_share_of_claimed_positives(tmp_path: Path) -> None:
    table = "model,precision,recall\nA,0.8333,0.7143\nB,0.8333,0.7357\n"  # 5 of 7
    assert findings_of(audit(tmp_path, table, "x,50,7,,"), "claimed-positives") == [("error", ("B",))]
