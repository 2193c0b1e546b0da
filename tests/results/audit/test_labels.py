"""Accuracy, precision, recall and F1 of one test set agree with each other and with one share of positives."""

from pathlib import Path

import pytest

from tests.support.audited_tables import CLASSIFIER, HONEST, audit, findings_of


def test_scores_of_one_classifier_belong_together(tmp_path: Path) -> None:
    result = audit(tmp_path, CLASSIFIER + HONEST, "x,100,50,,")
    assert [finding.severity for finding in result.findings] == ["note"] * 4
    (group,) = result.groups
    assert (100, 50) in [(pair.size, pair.positives) for pair in group.pairs if pair.tolerance <= 0.5]


def test_an_f1_of_other_precision_and_recall_is_an_error(tmp_path: Path) -> None:
    result = audit(tmp_path, CLASSIFIER + HONEST + "D,0.7500,0.8571,0.6000,0.7256\n")
    assert findings_of(result, "f1") == [("error", ("D",))]
    # F1 is .74667 to .74678, which is printed .7467 or .7468; cut off, it can be .7466
    cut = audit(tmp_path / "cut", CLASSIFIER + "D,0.7500,0.8000,0.7001,0.7466\n")
    assert findings_of(cut, "f1") == [("warning", ("D",))]


def test_rows_of_other_positives_are_an_error(tmp_path: Path) -> None:
    # 60 of 100 positive: 48 found, 6 false alarms
    result = audit(tmp_path, CLASSIFIER + HONEST + "D,0.8200,0.8889,0.8000,0.8421\n")
    assert findings_of(result, "share-of-positives") == [("error", ("D",))]
    assert [group.rows for group in result.groups] == [("A", "B", "C"), ("D",)]
    (finding,) = (finding for finding in result.findings if finding.check == "share-of-positives")
    first, second = finding.numbers["groups"]
    assert first["low"] <= 0.5 <= first["high"]
    assert second["low"] <= 0.6 <= second["high"]


def test_an_accuracy_that_precision_and_recall_forbid_is_an_error(tmp_path: Path) -> None:
    result = audit(tmp_path, CLASSIFIER + HONEST + "D,0.4000,0.5000,0.9000,0.6429\n")
    assert findings_of(result, "accuracy") == [("error", ("D",))]


# Accuracy of tokens, and precision, recall and F1 of entities, as scorers of named entities print them.
TOKENS = """model,accuracy_percent,precision_percent,recall_percent,f1_percent
A,98.07,91.42,92.67,92.04
B,97.61,90.00,90.90,90.45
C,98.32,93.19,93.06,93.12
D,96.93,86.21,87.94,87.07
E,97.20,87.75,88.02,87.88
"""


@pytest.mark.parametrize("claims", ["", "tokens,46435,,,"])
def test_accuracy_of_tokens_beside_f1_of_entities_is_no_contradiction(tmp_path: Path, claims: str) -> None:
    result = audit(tmp_path, TOKENS, claims)
    assert not result.failed
    assert findings_of(result, "share-of-positives") == [("warning", ())]
    assert not result.groups  # no test size is deduced from it
    (finding,) = (finding for finding in result.findings if finding.check == "share-of-positives")
    assert "that of tokens beside those of entities" in finding.meaning
