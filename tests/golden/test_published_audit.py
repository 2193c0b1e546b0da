"""The audit of the paper's tables, computed from their CSV files alone."""

from fractions import Fraction
from pathlib import Path

import pytest

from tunegrid.cli import main
from tunegrid.common.package_data import published_folder
from tunegrid.report.render import render_published
from tunegrid.results.audit.checks import Audit, audit_folder
from tunegrid.results.audit.findings import Finding
from tunegrid.results.audit.folder import read_folder

COPIES = ("T5-base + Full Finetuning", "Flan-T5-small + LoRA")


@pytest.fixture(scope="module")
def audit() -> Audit:
    return audit_folder(read_folder(published_folder()))


def finding_of(audit: Audit, check: str, table: str = "", rows: tuple[str, ...] | None = None) -> Finding:
    """The only finding of a check, in tables with that text in their title."""
    (finding,) = (
        finding
        for finding in audit.findings
        if finding.check == check and table in finding.table and (rows is None or finding.rows == rows)
    )
    return finding


def test_question_answering_was_scored_on_14016_examples(audit: Audit) -> None:
    sizes = finding_of(audit, "test-size", "6.2").numbers
    assert sizes["sizes"] == list(range(14_016, 100_001, 14_016))  # 28,032 is the next
    assert sizes["searched_to"] == 100_000
    assert sizes["chance"] == pytest.approx((14_016 / 1e6) ** 9)
    claimed = finding_of(audit, "claimed-size", "6.2")
    assert claimed.severity == "error"
    assert (claimed.numbers["sizes"], claimed.numbers["fitting"]) == ([10_570], 0)


def test_that_is_what_two_splits_of_squads_training_data_leave(audit: Audit) -> None:
    assert finding_of(audit, "split").numbers["ways"] == ["20% of what a split of 20% leaves of 87,599"]


def test_f1_is_the_harmonic_mean_in_all_rows_of_sentiment(audit: Audit) -> None:
    finding = finding_of(audit, "f1")
    assert (finding.severity, finding.numbers["rows"]) == ("note", 9)


def test_two_rows_of_sentiment_imply_other_positives_than_seven(audit: Audit) -> None:
    finding = finding_of(audit, "share-of-positives")
    assert (finding.severity, finding.rows) == ("error", COPIES)
    seven, two = finding.numbers["groups"]
    assert (len(seven["rows"]), tuple(two["rows"])) == (7, COPIES)
    assert f"{(seven['low'] + seven['high']) / 2:.4f}" == "0.5094"
    assert f"{(two['low'] + two['high']) / 2:.4f}" == "0.5328"
    # By hand, from the printed numbers of one row of each: (1 - A) / (1 - 2 R + R / P)
    by_hand = [(1 - a) / (1 - 2 * r + r / p) for a, p, r in ((0.6074, 0.5744, 0.8853), (0.9425, 0.9667, 0.9239))]
    assert seven["low"] < by_hand[0] < seven["high"]
    assert two["low"] < by_hand[1] < two["high"]


def test_they_are_the_same_four_numbers(audit: Audit) -> None:
    finding = finding_of(audit, "identical-rows")
    assert (finding.severity, finding.rows) == ("warning", COPIES)
    assert finding.numbers == {"accuracy": "0.9425", "precision": "0.9667", "recall": "0.9239", "f1": "0.9449"}


def test_the_sizes_and_positives_that_fit_seven_rows(audit: Audit) -> None:
    group = audit.groups[0]
    assert len(group.rows) == 7
    fits = {(pair.size, pair.positives): pair for pair in group.pairs}
    assert [(pair.size, pair.positives) for pair in group.pairs[:3]] == [(1900, 968), (3800, 1936), (3801, 1936)]
    assert fits[1900, 968].exact == 5  # the other two within one unit of the fourth decimal
    assert 0.5 < fits[1900, 968].tolerance < 0.9
    exact = [pair.size for pair in group.pairs if pair.tolerance <= 0.5]
    numbers = finding_of(audit, "test-size-and-positives", rows=group.rows).numbers
    assert min(exact) == numbers["smallest_exact"]["size"] == 13_488
    assert numbers["smallest_exact_without_f1"]["size"] == 12_351  # precision, recall and accuracy alone
    for pair in group.pairs[:50]:  # counted again, with fractions
        assert pair.tolerance == pytest.approx(float(max(needed(row, pair.size, pair.positives) for row in rows(7))))


def rows(number: int) -> list[tuple[Fraction, ...]]:
    table = next(table for table in read_folder(published_folder()).tables if "6.3" in table.title)
    others = [row for row in table.rows if row.name not in COPIES]
    assert len(others) == number
    return [tuple(row.values[name].value for name in ("accuracy", "precision", "recall", "f1")) for row in others]


def needed(printed: tuple[Fraction, ...], size: int, positives: int) -> Fraction:
    """Distance of a row from the nearest counts, in units of the fourth decimal; tries true and false positives."""
    best = Fraction(10_000)
    middle = round(printed[2] * positives)
    for true in range(max(0, middle - 4), min(positives, middle + 4) + 1):
        near = round(true / printed[1]) - true
        for false in range(max(0, near - 4), near + 5):
            right = true + size - positives - false
            computed = (
                Fraction(right, size),
                Fraction(true, true + false),
                Fraction(true, positives),
                Fraction(2 * true, true + false + positives),
            )
            best = min(best, max(abs(a - b) * 10_000 for a, b in zip(printed, computed, strict=True)))
    return best


def test_imdbs_test_set_fits_no_row_of_sentiment(audit: Audit) -> None:
    finding = finding_of(audit, "claimed-positives")
    assert finding.severity == "error"
    assert (finding.numbers["size"], finding.numbers["positives"], len(finding.rows)) == (25_000, 12_500, 9)


def test_partial_credit_is_below_that_of_published_systems(audit: Audit) -> None:
    finding = finding_of(audit, "partial-credit")
    credits = finding.numbers["credits"].values()
    assert (f"{min(credits):.2f}", f"{max(credits):.2f}") == ("0.07", "0.25")
    assert (finding.severity, len(finding.rows)) == ("warning", 9)
    published = finding.numbers["published"]
    assert published["T5-base"] == pytest.approx((89.9601 - 81.5610) / (100 - 81.5610), abs=1e-4)
    assert min(published.values()) > 0.3


def test_t5_base_translates_worse_than_before_tuning(audit: Audit) -> None:
    findings = [finding for finding in audit.findings if finding.check == "below-untuned"]
    assert [finding.numbers["untuned"] for finding in findings] == ["28.7034", "22.15"]
    assert findings[0].rows == ("T5-base + Full Finetuning", "T5-base + LoRA", "T5-base + Adapters")
    assert findings[1].rows == ("T5-base + LoRA",)


def test_bart_with_adapters_is_a_failed_run(audit: Audit) -> None:
    finding = finding_of(audit, "failed-run")
    assert (finding.rows, finding.numbers["BART-base + Adapters"]) == (("BART-base + Adapters",), "0.0001")


def test_two_rows_are_above_the_best_published_exact_match(audit: Audit) -> None:
    finding = finding_of(audit, "beyond-known")
    assert (finding.rows, finding.numbers["metric"]) == (("T5-base + LoRA", "T5-base + Adapters"), "exact_match")


def test_nothing_else_is_an_error(audit: Audit) -> None:
    errors = [finding.check for finding in audit.findings if finding.severity == "error"]
    assert sorted(errors) == ["claimed-positives", "claimed-size", "share-of-positives"]


def test_the_command_fails_on_the_papers_tables(capsys: pytest.CaptureFixture) -> None:
    assert main(["audit"]) == 1
    output = capsys.readouterr().out
    assert output.startswith("Audit of the paper's tables: 3 errors, 6 warnings and 7 notes\n")
    assert "14,016" in output
    assert "1,900 examples with 968 positives" in output


def test_the_report_of_the_paper_has_the_whole_audit(audit: Audit, tmp_path: Path) -> None:
    render_published(tmp_path, pdf=False)
    html = (tmp_path / "report.html").read_text()
    assert "finds 3 errors, 6 warnings and 7 notes" in html
    assert html.count("Unless the models answer alike") == 1
    tables = "".join((tmp_path / f"tables/published-audit-{number}.tex").read_text() for number in (1, 2, 3))
    assert tables.count(r"\\") > len(audit.findings)
    assert r"1,900 & 968 & 0.50947 & 0.88 & 5 \\" in (tmp_path / "tables/published-audit-pairs.tex").read_text()


def test_every_known_value_names_its_source() -> None:
    known = [score for table in read_folder(published_folder()).tables for score in table.known]
    assert len(known) > 10
    assert all(score.source and score.conditions and score.values for score in known)
